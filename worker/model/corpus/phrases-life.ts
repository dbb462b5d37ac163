// More trained templates: time, hotel, health, weather, work, technology, and Chrysalis itself.

export const TIME = `
Today is {day}. | Heute ist {day}. | Hoy es {day}. | Aujourd'hui, c'est {day}. | Сегодня {day}.
Tomorrow is {day}. | Morgen ist {day}. | Mañana es {day}. | Demain, c'est {day}. | Завтра {day}.
It is {clock}. | Es ist {clock}. | Son las {clock}. | Il est {clock}. | Сейчас {clock}.
The meeting begins at {clock}. | Die Besprechung beginnt um {clock}. | La reunión empieza a las {clock}. | La réunion commence à {clock}. | Совещание начинается в {clock}.
The film begins at {clock} and ends at {clock2}. | Der Film beginnt um {clock} und endet um {clock2}. | La película empieza a las {clock} y termina a las {clock2}. | Le film commence à {clock} et finit à {clock2}. | Фильм начинается в {clock} и заканчивается в {clock2}.
I will be back in {num} minutes. | Ich bin in {num} Minuten zurück. | Vuelvo en {num} minutos. | Je reviens dans {num} minutes. | Я вернусь через {num} минут.
We have to wait {num} minutes. | Wir müssen {num} Minuten warten. | Tenemos que esperar {num} minutos. | Nous devons attendre {num} minutes. | Нам надо ждать {num} минут.
The journey takes {num} hours. | Die Reise dauert {num} Stunden. | El viaje dura {num} horas. | Le voyage dure {num} heures. | Поездка занимает {num} часов.
Are you free {t}? | Haben Sie {t} Zeit? | ¿Está libre {t}? | Êtes-vous libre {t} ? | Вы свободны {t}?
I have no time {t}. | Ich habe {t} keine Zeit. | No tengo tiempo {t}. | Je n'ai pas le temps {t}. | {t} у меня нет времени.
See you {t}! | Wir sehen uns {t}! | ¡Nos vemos {t}! | On se voit {t} ! | Увидимся {t}!
`

export const HOTEL = `
I have a reservation in the name of {name}. | Ich habe eine Reservierung auf den Namen {name}. | Tengo una reserva a nombre de {name}. | J'ai une réservation au nom de {name}. | У меня бронь на имя {name}.
I would like a room for {num} nights. | Ich hätte gern ein Zimmer für {num} Nächte. | Quisiera una habitación para {num} noches. | Je voudrais une chambre pour {num} nuits. | Я хотел бы номер на {num} ночей.
My room number is {room}. | Meine Zimmernummer ist {room}. | Mi número de habitación es el {room}. | Mon numéro de chambre est le {room}. | Мой номер комнаты — {room}.
There is no {n} in my room. | In meinem Zimmer ist {n:kein}. | No hay {n} en mi habitación. | Il n'y a pas {n:de} dans ma chambre. | В моей комнате нет {n:2}.
Breakfast starts at {clock}. | Das Frühstück beginnt um {clock}. | El desayuno empieza a las {clock}. | Le petit déjeuner commence à {clock}. | Завтрак начинается в {clock}.
The room costs {price} per night. | Das Zimmer kostet {price} pro Nacht. | La habitación cuesta {price} por noche. | La chambre coûte {price} par nuit. | Номер стоит {price} за ночь.
Could you wake me at {clock}? | Können Sie mich um {clock} wecken? | ¿Puede despertarme a las {clock}? | Pouvez-vous me réveiller à {clock} ? | Вы можете разбудить меня в {clock}?
`

export const HEALTH = `
My {body} hurts. | {body:mein} tut weh. | Me duele {body:el}. | J'ai mal {body:au}. | У меня болит {body}.
Does your {body} hurt? | Tut {body?Ihr/Ihre/Ihr} {body} weh? | ¿Le duele {body:el}? | Avez-vous mal {body:au} ? | У вас болит {body}?
My {h} is ill and needs a doctor. | {h:mein} ist krank und braucht einen Arzt. | Mi {h} no se encuentra bien y necesita un médico. | {h:mon} est malade et a besoin d'un médecin. | {h?Мой/Моя} {h} {h?болен/больна}, нужен врач.
Take this medicine {num} minutes before eating. | Nehmen Sie dieses Medikament {num} Minuten vor dem Essen. | Tome este medicamento {num} minutos antes de comer. | Prenez ce médicament {num} minutes avant de manger. | Принимайте это лекарство за {num} минут до еды.
`

export const WEATHER = `
It is {degrees} degrees in {c} today. | In {c} sind es heute {degrees} Grad. | Hoy hace {degrees} grados en {c}. | Il fait {degrees} degrés à {c} aujourd'hui. | Сегодня в {c:1} {degrees} градусов.
It is raining in {c}. | Es regnet in {c}. | Llueve en {c}. | Il pleut à {c}. | В {c:1} идёт дождь.
It is snowing in {c}. | Es schneit in {c}. | Nieva en {c}. | Il neige à {c}. | В {c:1} идёт снег.
What is the weather like in {c}? | Wie ist das Wetter in {c}? | ¿Qué tiempo hace en {c}? | Quel temps fait-il à {c} ? | Какая погода в {c:1}?
It will be sunny {t}. | {t} wird es sonnig. | Hará sol {t}. | Il fera beau {t}. | {t} будет солнечно.
It will rain {t}. | {t} wird es regnen. | Va a llover {t}. | Il va pleuvoir {t}. | {t} будет дождь.
It is very cold in {l} in winter. | Im Winter ist es in {l} sehr kalt. | En invierno hace mucho frío en {l}. | En hiver, il fait très froid {l:1}. | Зимой в {l:1} очень холодно.
It is very warm in {l} in summer. | Im Sommer ist es in {l} sehr warm. | En verano hace mucho calor en {l}. | En été, il fait très chaud {l:1}. | Летом в {l:1} очень тепло.
`

export const TECH = `
Please send the file to {copy}. | Bitte senden Sie die Datei an {copy}. | Envíe el archivo a {copy}, por favor. | Veuillez envoyer le fichier à {copy}. | Отправьте, пожалуйста, файл на {copy}.
Visit {copy} for more information. | Besuchen Sie {copy} für weitere Informationen. | Visite {copy} para más información. | Visitez {copy} pour plus d'informations. | Подробности смотрите на {copy}.
The value of {copy} is {room}. | Der Wert von {copy} ist {room}. | El valor de {copy} es {room}. | La valeur de {copy} est {room}. | Значение {copy} равно {room}.
{copy} is not available. | {copy} ist nicht verfügbar. | {copy} no está disponible. | {copy} n'est pas disponible. | Сейчас {copy} недоступно.
Hello, {copy}! | Hallo, {copy}! | ¡Hola, {copy}! | Bonjour, {copy} ! | Здравствуйте, {copy}!
Click on {copy} to continue. | Klicken Sie auf {copy}, um fortzufahren. | Haga clic en {copy} para continuar. | Cliquez sur {copy} pour continuer. | Нажмите {copy}, чтобы продолжить.
You have {num} new messages from {copy}. | Sie haben {num} neue Nachrichten von {copy}. | Tiene {num} mensajes nuevos de {copy}. | Vous avez {num} nouveaux messages de {copy}. | У вас {num} новых сообщений от {copy}.
The password must have at least {num} characters. | Das Passwort muss mindestens {num} Zeichen haben. | La contraseña debe tener al menos {num} caracteres. | Le mot de passe doit avoir au moins {num} caractères. | Пароль должен содержать минимум {num} символов.
The download will take {num} minutes. | Der Download dauert {num} Minuten. | La descarga tardará {num} minutos. | Le téléchargement prendra {num} minutes. | Загрузка займёт {num} минут.
The program costs {price} a month. | Das Programm kostet {price} im Monat. | El programa cuesta {price} al mes. | Le programme coûte {price} par mois. | Программа стоит {price} в месяц.
We sent {num} {many} to {c}. | Wir haben {num} {many} nach {c} geschickt. | Enviamos {num} {many} a {c}. | Nous avons envoyé {num} {many} à {c}. | Мы отправили {num} {many} в {c:2}.
My {h} is waiting at {p:the}. | {h:mein} wartet {p:1}. | Mi {h} espera en {p:el}. | {h:mon} attend {p:au}. | {h?Мой/Моя} {h} ждёт {p:3}.
I will call you {t} at {clock}. | Ich rufe Sie {t} um {clock} an. | Le llamaré {t} a las {clock}. | Je vous appellerai {t} à {clock}. | Я позвоню вам {t} в {clock}.
The meeting with {name} is {t}. | Die Besprechung mit {name} ist {t}. | La reunión con {name} es {t}. | La réunion avec {name} a lieu {t}. | {name} ждёт нас на совещании {t}.
{name} works in {c}. | {name} arbeitet in {c}. | {name} trabaja en {c}. | {name} travaille à {c}. | {name} работает в {c:1}.
Chrysalis answered in {num} seconds. | Chrysalis hat in {num} Sekunden geantwortet. | Chrysalis respondió en {num} segundos. | Chrysalis a répondu en {num} secondes. | Chrysalis ответил за {num} секунд.
The Chrysalis worker is in {c}. | Der Chrysalis-Worker steht in {c}. | El nodo de Chrysalis está en {c}. | Le nœud Chrysalis est à {c}. | Узел Chrysalis находится в {c:1}.
Chrysalis runs {num} workers in {l}. | Chrysalis betreibt {num} Worker in {l}. | Chrysalis tiene {num} nodos en {l}. | Chrysalis a {num} nœuds {l:1}. | У Chrysalis {num} узлов в {l:1}.
Your request costs {price}. | Ihre Anfrage kostet {price}. | Su petición cuesta {price}. | Votre requête coûte {price}. | Ваш запрос стоит {price}.
`

/** Words and short phrases, kept as they are (no capital at the start). */
export const WORDS = `
~{n} | {n} | {n} | {n} | {n}
~{n:the} | {n:der} | {n:el} | {n:le} | {n}
~my {n} | {n:mein} | mi {n} | {n:mon} | {n?мой/моя/моё} {n}
~{p} | {p} | {p} | {p} | {p}
~{p:the} | {p:der} | {p:el} | {p:le} | {p}
~{f} | {f} | {f} | {f} | {f}
~{f:the} | {f:der} | {f:el} | {f:le} | {f}
~{h} | {h} | {h} | {h} | {h}
~my {h} | {h:mein} | mi {h} | {h:mon} | {h?мой/моя} {h}
~{t} | {t} | {t} | {t} | {t}
~{habit} | {habit} | {habit} | {habit} | {habit}
~to {i} | {i} | {i} | {i} | {i}
~{num} {many} | {num} {many} | {num} {many} | {num} {many} | {num} {many}
~{num} | {num} | {num} | {num} | {num}
~{day} | {day} | {day} | {day} | {day}
~{adj} | {adj} | {adj} | {adj} | {adj}
~{body:the} | {body:der} | {body:el} | {body:le} | {body}
~{veh:the} | {veh:der} | {veh:el} | {veh:le} | {veh}
~{c} | {c} | {c} | {c} | {c}
~{l} | {l} | {l} | {l} | {l}
~{g} | {g} | {g} | {g} | {g}
~{n:the} and {n2:the} | {n:der} und {n2:der} | {n:el} y {n2:el} | {n:le} et {n2:le} | {n} и {n2}
~the {col} {n} | {n?der/die/das} {col}e {n} | {n:el} {col@n} | {n:le} {col@n} | {col@n} {n}
`

/** Never trained on: a quarter of the test set comes from these. */
export const UNSEEN = `
Is {p:the} far from {p2:the}? | Ist {p:der} weit weg {p2:vom}? | ¿{p:el} está lejos {p2:del}? | Est-ce que {p:le} est loin {p2:du} ? | {p} находится далеко от {p2:2}?
The {veh} from {c} to {c2} leaves at {clock}. | {veh:der} von {c} nach {c2} geht um {clock}. | {veh:el} de {c} a {c2} sale a las {clock}. | {veh:le} de {c} à {c2} part à {clock}. | {veh} из {c:3} в {c2:2} отправляется в {clock}.
My {h} has lost {n:the}. | {h:mein} hat {n:den} verloren. | Mi {h} ha perdido {n:el}. | {h:mon} a perdu {n:le}. | {h?Мой/Моя} {h} {h?потерял/потеряла} {n:1}.
{n:the} and {n2:the} are on the table. | {n:der} und {n2:der} sind auf dem Tisch. | {n:el} y {n2:el} están en la mesa. | {n:le} et {n2:le} sont sur la table. | {n} и {n2} на столе.
My {h} wants to buy {n:a}. | {h:mein} möchte {n:einen} kaufen. | Mi {h} quiere comprar {n:un}. | {h:mon} veut acheter {n:un}. | {h?Мой/Моя} {h} хочет купить {n:1}.
I am {name} and I live in {c}. | Ich bin {name} und wohne in {c}. | Soy {name} y vivo en {c}. | Je suis {name} et j'habite à {c}. | Я {name}, и я живу в {c:1}.
Is {f:the} {taste}? | Ist {f:der} {taste}? | ¿{f:el} está {taste@f}? | Est-ce que {f:le} est {taste@f} ? | {f} {taste@f}?
{f:the} costs {price}. | {f:der} kostet {price}. | {f:el} cuesta {price}. | {f:le} coûte {price}. | {f} стоит {price}.
My {h} does not speak {g}. | {h:mein} spricht kein {g}. | Mi {h} no habla {g}. | {h:mon} ne parle pas {g}. | {h?Мой/Моя} {h} не говорит {g:1}.
I have to wait at {p:the}. | Ich muss {p:1} warten. | Tengo que esperar en {p:el}. | Je dois attendre {p:au}. | Мне надо ждать {p:3}.
Today {s} cannot {ni}. | Heute {s?kann/kann/können/können} {s} nicht {ni}. | Hoy {s} no {s?puedo/puede/podemos/pueden} {ni}. | Aujourd'hui, {s} ne {s?peux/peut/pouvons/peuvent} pas {ni}. | Сегодня {s} не {s?могу/может/можем/могут} {ni}.
Why {s?do/does/do/do} {s} want to {i}? | Warum {s?möchte/möchte/möchten/möchten} {s} {i}? | ¿Por qué {s?quiero/quiere/queremos/quieren} {i} {s}? | Pourquoi est-ce que {s} {s?veux/veut/voulons/veulent} {i} ? | Почему {s} {s?хочу/хочет/хотим/хотят} {i}?
The meeting in {c} begins at {clock}. | Die Besprechung in {c} beginnt um {clock}. | La reunión en {c} empieza a las {clock}. | La réunion à {c} commence à {clock}. | Совещание в {c:1} начинается в {clock}.
Where is your {n}? | Wo ist {n?Ihr/Ihre/Ihr} {n}? | ¿Dónde está su {n}? | Où est votre {n} ? | Где {n?ваш/ваша/ваше} {n}?
We are going to {c} {t}. | Wir fahren {t} nach {c}. | Vamos a {c} {t}. | Nous allons à {c} {t}. | {t} мы едем в {c:2}.
{num} {many} cost {price}. | {num} {many} kosten {price}. | {num} {many} cuestan {price}. | {num} {many} coûtent {price}. | {num} {many} стоят {price}.
`
