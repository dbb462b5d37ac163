// Templates with slots that are trained on: `en | de | es | fr | ru`. Slot names are listed in slots.ts.

export const TRAVEL = `
Where is {p:the}? | Wo ist {p:der}? | ¿Dónde está {p:el}? | Où est {p:le} ? | Где находится {p}?
Excuse me, how do I get to {p:the}? | Entschuldigung, wie komme ich {p:zum}? | Disculpe, ¿cómo llego {p:al}? | Excusez-moi, comment aller {p:au} ? | Извините, как попасть {p:4}?
How far is it to {p:the}? | Wie weit ist es bis {p:zum}? | ¿Qué distancia hay hasta {p:el}? | À quelle distance est {p:le} ? | Как далеко до {p:2}?
I am looking for {p:the}. | Ich suche {p:den}. | Busco {p:el}. | Je cherche {p:le}. | Я ищу {p:1}.
{p:the} is next to {p2:the}. | {p:der} ist neben {p2:dem}. | {p:el} está al lado {p2:del}. | {p:le} est à côté {p2:du}. | {p} находится возле {p2:2}.
We will meet at {p:the} at {clock}. | Wir treffen uns um {clock} {p:1}. | Nos vemos en {p:el} a las {clock}. | On se retrouve {p:au} à {clock}. | Встретимся {p:3} в {clock}.
{s} {s?am/is/are/are} at {p:the}. | {s} {s?bin/ist/sind/sind} {p:1}. | {s} {s?estoy/está/estamos/están} en {p:el}. | {s} {s?suis/est/sommes/sont} {p:au}. | {s} сейчас {p:3}.
Is there {p:a} near here? | Gibt es hier in der Nähe {p:einen}? | ¿Hay {p:un} cerca de aquí? | Y a-t-il {p:un} près d'ici ? | Здесь поблизости есть {p}?
{p:the} opens at {clock}. | {p:der} öffnet um {clock}. | {p:el} abre a las {clock}. | {p:le} ouvre à {clock}. | {p} открывается в {clock}.
{p:the} closes at {clock}. | {p:der} schließt um {clock}. | {p:el} cierra a las {clock}. | {p:le} ferme à {clock}. | {p} закрывается в {clock}.
When does {p:the} open? | Wann öffnet {p:der}? | ¿Cuándo abre {p:el}? | Quand ouvre {p:le} ? | Когда открывается {p}?
{p:the} is closed on {day}. | {p:der} ist am {day} geschlossen. | {p:el} no abre el {day}. | {p:le} est fermé{p?/e} le {day}. | {day}: {p} не работает.
The train to {c} leaves at {clock}. | Der Zug nach {c} fährt um {clock} ab. | El tren a {c} sale a las {clock}. | Le train pour {c} part à {clock}. | Поезд в {c:2} отправляется в {clock}.
The bus from {c} arrives at {clock}. | Der Bus aus {c} kommt um {clock} an. | El autobús de {c} llega a las {clock}. | Le bus de {c} arrive à {clock}. | Автобус из {c:3} прибывает в {clock}.
What time does the {veh} leave for {c}? | Um wie viel Uhr geht {veh:der} nach {c}? | ¿A qué hora sale {veh:el} para {c}? | À quelle heure part {veh:le} pour {c} ? | Во сколько отправляется {veh} в {c:2}?
A ticket to {c}, please. | Eine Fahrkarte nach {c}, bitte. | Un billete a {c}, por favor. | Un billet pour {c}, s'il vous plaît. | Один билет до {c:3}, пожалуйста.
I would like {num} tickets to {c}. | Ich hätte gern {num} Fahrkarten nach {c}. | Quisiera {num} billetes a {c}. | Je voudrais {num} billets pour {c}. | Я хотел бы {num} билетов до {c:3}.
How much is a ticket from {c} to {c2}? | Was kostet eine Fahrkarte von {c} nach {c2}? | ¿Cuánto cuesta un billete de {c} a {c2}? | Combien coûte un billet de {c} à {c2} ? | Сколько стоит билет из {c:3} в {c2:2}?
We are travelling to {c} by {veh}. | Wir reisen mit {veh:1} nach {c}. | Viajamos a {c} {veh:1}. | Nous voyageons à {c} {veh:1}. | Мы едем в {c:2} на {veh:1}.
{c} is a beautiful city. | {c} ist eine schöne Stadt. | {c} es una ciudad bonita. | {c} est une belle ville. | {c} — красивый город.
I come from {l}. | Ich komme aus {l}. | Soy de {l}. | Je viens {l:2}. | Я из {l:3}.
{s} {s?live/lives/live/live} in {c}. | {s} {s?wohne/wohnt/wohnen/wohnen} in {c}. | {s} {s?vivo/vive/vivimos/viven} en {c}. | {s} {s?habite/habite/habitons/habitent} à {c}. | {s} {s?живу/живёт/живём/живут} в {c:1}.
{s} {s?live/lives/live/live} in {l}. | {s} {s?wohne/wohnt/wohnen/wohnen} in {l}. | {s} {s?vivo/vive/vivimos/viven} en {l}. | {s} {s?habite/habite/habitons/habitent} {l:1}. | {s} {s?живу/живёт/живём/живут} в {l:1}.
Have you ever been to {c}? | Waren Sie schon einmal in {c}? | ¿Ha estado alguna vez en {c}? | Êtes-vous déjà allé à {c} ? | Вы когда-нибудь были в {c:1}?
My {veh} is {num} minutes late. | {veh?Mein/Meine/Mein} {veh} hat {num} Minuten Verspätung. | Mi {veh} lleva {num} minutos de retraso. | {veh:mon} a {num} minutes de retard. | {veh?Мой/Моя/Моё} {veh} опаздывает на {num} минут.
Turn left after {p:the}. | Biegen Sie hinter {p:dem} links ab. | Gire a la izquierda después {p:del}. | Tournez à gauche après {p:le}. | Поверните налево после {p:2}.
Please take me to {p:the}. | Bringen Sie mich bitte {p:zum}. | Lléveme {p:al}, por favor. | Conduisez-moi {p:au}, s'il vous plaît. | Отвезите меня {p:4}, пожалуйста.
`

export const SHOPPING = `
How much is {n:the}? | Was kostet {n:der}? | ¿Cuánto cuesta {n:el}? | Combien coûte {n:le} ? | Сколько стоит {n}?
{n:the} costs {price}. | {n:der} kostet {price}. | {n:el} cuesta {price}. | {n:le} coûte {price}. | {n} стоит {price}.
I would like to buy {n:a}. | Ich möchte {n:einen} kaufen. | Quisiera comprar {n:un}. | Je voudrais acheter {n:un}. | Я хочу купить {n:1}.
I need {n:a}. | Ich brauche {n:einen}. | Necesito {n:un}. | J'ai besoin d'{n:un}. | Мне {n?нужен/нужна/нужно} {n}.
Where is my {n}? | Wo ist {n:mein}? | ¿Dónde está mi {n}? | Où est {n:mon} ? | Где {n?мой/моя/моё} {n}?
I have lost my {n}. | Ich habe {n:meinen} verloren. | He perdido mi {n}. | J'ai perdu {n:mon}. | Я потерял {n?свой/свою/своё} {n:1}.
{s} {s?have/has/have/have} {n:a}. | {s} {s?habe/hat/haben/haben} {n:einen}. | {s} {s?tengo/tiene/tenemos/tienen} {n:un}. | {s} {s?ai/a/avons/ont} {n:un}. | У {s:3} есть {n}.
{s} {s?need/needs/need/need} {n:a}. | {s} {s?brauche/braucht/brauchen/brauchen} {n:einen}. | {s} {s?necesito/necesita/necesitamos/necesitan} {n:un}. | {s} {s?ai/a/avons/ont} besoin d'{n:un}. | {s:2} {n?нужен/нужна/нужно} {n}.
{n:the} is {adj}. | {n:der} ist {adj}. | {n:el} es {adj@n}. | {n:le} est {adj@n}. | {n} {adj@n}.
{n:the} is not {adj}. | {n:der} ist nicht {adj}. | {n:el} no es {adj@n}. | {n:le} n'est pas {adj@n}. | {n} не {adj@n}.
Is {n:the} {adj}? | Ist {n:der} {adj}? | ¿{n:el} es {adj@n}? | Est-ce que {n:le} est {adj@n} ? | {n} {adj@n}?
I am looking for a {col} {n}. | Ich suche {n?einen/eine/ein} {col}{n?en/e/es} {n}. | Busco {n:un} {col@n}. | Je cherche {n:un} {col@n}. | Я ищу {col:acc@n} {n:1}.
Do you have this {n} in {col}? | Haben Sie {n:diesen} in {col:1}? | ¿Tiene {n:este} en {col}? | Avez-vous {n:ce} en {col} ? | У вас есть {n?такой/такая/такое} {n}, но {col@n}?
{n:the} is on the table. | {n:der} ist auf dem Tisch. | {n:el} está en la mesa. | {n:le} est sur la table. | {n} на столе.
{n:the} is in the car. | {n:der} ist im Auto. | {n:el} está en el coche. | {n:le} est dans la voiture. | {n} в машине.
{n:the} does not work. | {n:der} funktioniert nicht. | {n:el} no funciona. | {n:le} ne fonctionne pas. | {n} не работает.
This is my {n}. | Das ist {n:mein}. | {n?Este/Esta} es mi {n}. | C'est {n:mon}. | Это {n?мой/моя/моё} {n}.
Whose {n} is this? | Wem gehört {n:dieser}? | ¿De quién es {n:este}? | À qui est {n:ce} ? | {n?Чей/Чья/Чьё} это {n}?
Please give me {n:the}. | Geben Sie mir bitte {n:den}. | Deme {n:el}, por favor. | Donnez-moi {n:le}, s'il vous plaît. | Дайте мне, пожалуйста, {n:1}.
Can you show me {n:the}? | Können Sie mir {n:den} zeigen? | ¿Puede enseñarme {n:el}? | Pouvez-vous me montrer {n:le} ? | Можете показать мне {n:1}?
I have forgotten {n:the} at {p:the}. | Ich habe {n:den} {p:1} vergessen. | He olvidado {n:el} en {p:el}. | J'ai oublié {n:le} {p:au}. | Я забыл {n:1} {p:3}.
That makes {price}, please. | Das macht {price}, bitte. | Son {price}, por favor. | Cela fait {price}, s'il vous plaît. | С вас {price}, пожалуйста.
This is too expensive. Do you have a cheaper {n}? | Das ist zu teuer. Haben Sie {n?einen billigeren/eine billigere/ein billigeres} {n}? | Es demasiado caro. ¿Tiene {n:un} más {n?barato/barata}? | C'est trop cher. Avez-vous {n:un} moins {n?cher/chère} ? | Это слишком дорого. У вас есть {n} дешевле?
We need {num} {many}. | Wir brauchen {num} {many}. | Necesitamos {num} {many}. | Nous avons besoin de {num} {many}. | Нам нужно {num} {many}.
There are {num} {many} in the room. | Es sind {num} {many} im Raum. | Hay {num} {many} en la sala. | Il y a {num} {many} dans la salle. | В комнате {num} {many}.
I have {num} {many}. | Ich habe {num} {many}. | Tengo {num} {many}. | J'ai {num} {many}. | У меня {num} {many}.
`

export const FOOD = `
I would like {f}, please. | Ich hätte gern {f}, bitte. | Quisiera {f}, por favor. | Je voudrais {f:1}, s'il vous plaît. | Я хотел бы {f:1}, пожалуйста.
Do you have {f}? | Haben Sie {f}? | ¿Tiene {f}? | Avez-vous {f:1} ? | У вас есть {f}?
{f:the} is {taste}. | {f:der} ist {taste}. | {f:el} está {taste@f}. | {f:le} est {taste@f}. | {f} {taste@f}.
{f:the} is too {taste}. | {f:der} ist zu {taste}. | {f:el} está demasiado {taste@f}. | {f:le} est trop {taste@f}. | {f} слишком {taste@f}.
How much is {f:the}? | Was kostet {f:der}? | ¿Cuánto cuesta {f:el}? | Combien coûte {f:le} ? | Сколько стоит {f}?
I like {f}. | Ich mag {f}. | Me gusta {f:el}. | J'aime {f:le}. | Мне нравится {f}.
I do not like {f}. | Ich mag {f:keinen}. | No me gusta {f:el}. | Je n'aime pas {f:le}. | Мне не нравится {f}.
Do you like {f}? | Mögen Sie {f}? | ¿Le gusta {f:el}? | Aimez-vous {f:le} ? | Вам нравится {f}?
{f} or {f2}? | {f} oder {f2}? | ¿{f} o {f2}? | {f} ou {f2} ? | {f} или {f2}?
We would like {f} and {f2}. | Wir möchten {f} und {f2}. | Queremos {f} y {f2}. | Nous voudrions {f:1} et {f2:1}. | Мы хотели бы {f:1} и {f2:1}.
I prefer {f}, but my {h} likes {f2}. | Ich mag lieber {f}, aber {h:mein} mag {f2}. | Prefiero {f:el}, pero a mi {h} le gusta {f2:el}. | Je préfère {f:le}, mais {h:mon} aime {f2:le}. | Я предпочитаю {f:1}, но {h?мой/моя} {h} любит {f2:1}.
There is {f} at home. | Zu Hause gibt es {f}. | Hay {f} en casa. | Il y a {f:1} à la maison. | Дома есть {f}.
A table for {num} people, please. | Einen Tisch für {num} Personen, bitte. | Una mesa para {num} personas, por favor. | Une table pour {num} personnes, s'il vous plaît. | Столик на {num} человек, пожалуйста.
We have reserved a table for {clock}. | Wir haben einen Tisch für {clock} reserviert. | Hemos reservado una mesa para las {clock}. | Nous avons réservé une table pour {clock}. | Мы заказали столик на {clock}.
`

export const PEOPLE_TALK = `
My name is {name}. | Ich heiße {name}. | Me llamo {name}. | Je m'appelle {name}. | Меня зовут {name}.
Hello, {name}! How are you? | Hallo, {name}! Wie geht es Ihnen? | ¡Hola, {name}! ¿Cómo está? | Bonjour, {name} ! Comment allez-vous ? | Здравствуйте, {name}! Как дела?
Good morning, {name}! | Guten Morgen, {name}! | ¡Buenos días, {name}! | Bonjour, {name} ! Bonne journée ! | Доброе утро, {name}!
Thank you, {name}! See you tomorrow. | Danke, {name}! Bis morgen. | ¡Gracias, {name}! Hasta mañana. | Merci, {name} ! À demain. | Спасибо, {name}! До завтра.
My {h} is called {name}. | {h:mein} heißt {name}. | Mi {h} se llama {name}. | {h:mon} s'appelle {name}. | {h?Моего/Мою} {h:1} зовут {name}.
My {h} lives in {c}. | {h:mein} wohnt in {c}. | Mi {h} vive en {c}. | {h:mon} habite à {c}. | {h?Мой/Моя} {h} живёт в {c:1}.
My {h} works at {p:the}. | {h:mein} arbeitet {p:1}. | Mi {h} trabaja en {p:el}. | {h:mon} travaille {p:au}. | {h?Мой/Моя} {h} работает {p:3}.
Where is your {h}? | Wo ist {h?Ihr/Ihre} {h}? | ¿Dónde está su {h}? | Où est votre {h} ? | Где {h?ваш/ваша} {h}?
My {h} is {age} years old. | {h:mein} ist {age} Jahre alt. | Mi {h} tiene {age} años. | {h:mon} a {age} ans. | {h?Моему/Моей} {h:3} {age} лет.
This is my {h}. | Das ist {h:mein}. | {h?Este/Esta} es mi {h}. | C'est {h:mon}. | Это {h?мой/моя} {h}.
Do you speak {g}? | Sprechen Sie {g}? | ¿Habla {g}? | Parlez-vous {g} ? | Вы говорите {g:1}?
I speak {g} and a little {g2}. | Ich spreche {g} und ein wenig {g2}. | Hablo {g} y un poco de {g2}. | Je parle {g} et un peu {g2}. | Я говорю {g:1} и немного {g2:1}.
I do not speak {g}. | Ich spreche kein {g}. | No hablo {g}. | Je ne parle pas {g}. | Я не говорю {g:1}.
How do you say "{n}" in {g}? | Wie sagt man „{n}“ auf {g}? | ¿Cómo se dice «{n}» en {g}? | Comment dit-on « {n} » en {g} ? | Как сказать «{n}» {g:1}?
{s} {v@s} {v:4} {habit}. | {s} {v@s} {habit} {v:4}. | {s} {v@s} {v:4} {habit}. | {s} {v@s} {v:4} {habit}. | {s} {habit} {v@s} {v:4}.
{s} {v@s} {v:4}. | {s} {v@s} {v:4}. | {s} {v@s} {v:4}. | {s} {v@s} {v:4}. | {s} {v@s} {v:4}.
{s} {s?want/wants/want/want} to {i} {t}. | {s} {s?möchte/möchte/möchten/möchten} {t} {i}. | {s} {s?quiero/quiere/queremos/quieren} {i} {t}. | {s} {s?veux/veut/voulons/veulent} {i} {t}. | {t} {s} {s?хочу/хочет/хотим/хотят} {i}.
{s} {s?want/wants/want/want} to {i}. | {s} {s?möchte/möchte/möchten/möchten} {i}. | {s} {s?quiero/quiere/queremos/quieren} {i}. | {s} {s?veux/veut/voulons/veulent} {i}. | {s} {s?хочу/хочет/хотим/хотят} {i}.
{s} {s?have/has/have/have} to {i} {t}. | {s} {s?muss/muss/müssen/müssen} {t} {i}. | {s} {s?tengo/tiene/tenemos/tienen} que {i} {t}. | {s} {s?dois/doit/devons/doivent} {i} {t}. | {t} {s} {s:1} {i}.
{s} can {i} {t}. | {s} {s?kann/kann/können/können} {t} {i}. | {s} {s?puedo/puede/podemos/pueden} {i} {t}. | {s} {s?peux/peut/pouvons/peuvent} {i} {t}. | {t} {s} {s?могу/может/можем/могут} {i}.
{s} cannot {ni} {t}. | {s} {s?kann/kann/können/können} {t} nicht {ni}. | {s} no {s?puedo/puede/podemos/pueden} {ni} {t}. | {s} ne {s?peux/peut/pouvons/peuvent} pas {ni} {t}. | {t} {s} не {s?могу/может/можем/могут} {ni}.
Would you like to {i} {t}? | Möchten Sie {t} {i}? | ¿Quiere {i} {t}? | Voulez-vous {i} {t} ? | Вы хотите {i} {t}?
Could you help me {i}? | Können Sie mir helfen? Ich möchte {i}. | ¿Puede ayudarme a {i}? | Pouvez-vous m'aider à {i} ? | Вы можете помочь мне {i}?
Where can I {i}? | Wo kann ich {i}? | ¿Dónde puedo {i}? | Où puis-je {i} ? | Где я могу {i}?
When can we {i}? | Wann können wir {i}? | ¿Cuándo podemos {i}? | Quand pouvons-nous {i} ? | Когда мы можем {i}?
{t} we will {i}. | {t} werden wir {i}. | {t} vamos a {i}. | {t}, nous allons {i}. | {t} мы собираемся {i}.
{s} {s?am/is/are/are} going to {i} {t}. | {s} {s?werde/wird/werden/werden} {t} {i}. | {s} {s?voy/va/vamos/van} a {i} {t}. | {s} {s?vais/va/allons/vont} {i} {t}. | {t} {s} {s?собираюсь/собирается/собираемся/собираются} {i}.
`
