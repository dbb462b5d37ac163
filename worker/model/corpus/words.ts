// More words: verbs, adjectives, times, numbers and the copied things. See lexicon.ts for the format.

/** Whole actions: the forms for I, he/she, we, they, then the rest of the phrase. */
export const ACTIONS = `
work,works,work,work,in the office | arbeite,arbeitet,arbeiten,arbeiten,im Büro | trabajo,trabaja,trabajamos,trabajan,en la oficina | travaille,travaille,travaillons,travaillent,au bureau | работаю,работает,работаем,работают,в офисе
drink,drinks,drink,drink,coffee | trinke,trinkt,trinken,trinken,Kaffee | bebo,bebe,bebemos,beben,café | bois,boit,buvons,boivent,du café | пью,пьёт,пьём,пьют,кофе
drink,drinks,drink,drink,tea | trinke,trinkt,trinken,trinken,Tee | bebo,bebe,bebemos,beben,té | bois,boit,buvons,boivent,du thé | пью,пьёт,пьём,пьют,чай
read,reads,read,read,a book | lese,liest,lesen,lesen,ein Buch | leo,lee,leemos,leen,un libro | lis,lit,lisons,lisent,un livre | читаю,читает,читаем,читают,книгу
read,reads,read,read,the newspaper | lese,liest,lesen,lesen,die Zeitung | leo,lee,leemos,leen,el periódico | lis,lit,lisons,lisent,le journal | читаю,читает,читаем,читают,газету
learn,learns,learn,learn,German | lerne,lernt,lernen,lernen,Deutsch | estudio,estudia,estudiamos,estudian,alemán | étudie,étudie,étudions,étudient,l'allemand | учу,учит,учим,учат,немецкий
learn,learns,learn,learn,Russian | lerne,lernt,lernen,lernen,Russisch | estudio,estudia,estudiamos,estudian,ruso | étudie,étudie,étudions,étudient,le russe | учу,учит,учим,учат,русский
play,plays,play,play,football | spiele,spielt,spielen,spielen,Fußball | juego,juega,jugamos,juegan,al fútbol | joue,joue,jouons,jouent,au football | играю,играет,играем,играют,в футбол
play,plays,play,play,the guitar | spiele,spielt,spielen,spielen,Gitarre | toco,toca,tocamos,tocan,la guitarra | joue,joue,jouons,jouent,de la guitare | играю,играет,играем,играют,на гитаре
buy,buys,buy,buy,fresh bread | kaufe,kauft,kaufen,kaufen,frisches Brot | compro,compra,compramos,compran,pan fresco | achète,achète,achetons,achètent,du pain frais | покупаю,покупает,покупаем,покупают,свежий хлеб
cook,cooks,cook,cook,soup | koche,kocht,kochen,kochen,Suppe | preparo,prepara,preparamos,preparan,sopa | prépare,prépare,préparons,préparent,de la soupe | варю,варит,варим,варят,суп
write,writes,write,write,letters | schreibe,schreibt,schreiben,schreiben,Briefe | escribo,escribe,escribimos,escriben,cartas | écris,écrit,écrivons,écrivent,des lettres | пишу,пишет,пишем,пишут,письма
listen,listens,listen,listen,to music | höre,hört,hören,hören,Musik | escucho,escucha,escuchamos,escuchan,música | écoute,écoute,écoutons,écoutent,de la musique | слушаю,слушает,слушаем,слушают,музыку
watch,watches,watch,watch,a film | sehe,sieht,sehen,sehen,einen Film | veo,ve,vemos,ven,una película | regarde,regarde,regardons,regardent,un film | смотрю,смотрит,смотрим,смотрят,фильм
go,goes,go,go,to the park | gehe,geht,gehen,gehen,in den Park | voy,va,vamos,van,al parque | vais,va,allons,vont,au parc | хожу,ходит,ходим,ходят,в парк
go,goes,go,go,to school | gehe,geht,gehen,gehen,in die Schule | voy,va,vamos,van,a la escuela | vais,va,allons,vont,à l'école | хожу,ходит,ходим,ходят,в школу
swim,swims,swim,swim,in the lake | schwimme,schwimmt,schwimmen,schwimmen,im See | nado,nada,nadamos,nadan,en el lago | nage,nage,nageons,nagent,dans le lac | плаваю,плавает,плаваем,плавают,в озере
eat,eats,eat,eat,fish | esse,isst,essen,essen,Fisch | como,come,comemos,comen,pescado | mange,mange,mangeons,mangent,du poisson | ем,ест,едим,едят,рыбу
speak,speaks,speak,speak,English | spreche,spricht,sprechen,sprechen,Englisch | hablo,habla,hablamos,hablan,inglés | parle,parle,parlons,parlent,anglais | говорю,говорит,говорим,говорят,по-английски
speak,speaks,speak,speak,French | spreche,spricht,sprechen,sprechen,Französisch | hablo,habla,hablamos,hablan,francés | parle,parle,parlons,parlent,français | говорю,говорит,говорим,говорят,по-французски
sleep,sleeps,sleep,sleep,well | schlafe,schläft,schlafen,schlafen,gut | duermo,duerme,dormimos,duermen,bien | dors,dort,dormons,dorment,bien | сплю,спит,спим,спят,хорошо
wait,waits,wait,wait,at the station | warte,wartet,warten,warten,am Bahnhof | espero,espera,esperamos,esperan,en la estación | attends,attend,attendons,attendent,à la gare | жду,ждёт,ждём,ждут,на вокзале
`

/** Infinitive phrases; the German cell's second form is the zu-infinitive where it is used. */
export const TASKS = `
buy a ticket | eine Fahrkarte kaufen | comprar un billete | acheter un billet | купить билет
pay the bill | die Rechnung bezahlen | pagar la cuenta | payer l'addition | оплатить счёт
visit the museum | das Museum besuchen | visitar el museo | visiter le musée | посетить музей
see the castle | das Schloss sehen | ver el castillo | voir le château | увидеть замок
book a room | ein Zimmer buchen | reservar una habitación | réserver une chambre | забронировать номер
rent a car | ein Auto mieten | alquilar un coche | louer une voiture | арендовать машину
rent a bicycle | ein Fahrrad mieten | alquilar una bicicleta | louer un vélo | взять напрокат велосипед
call a taxi | ein Taxi rufen | llamar un taxi | appeler un taxi | вызвать такси
call a doctor | einen Arzt rufen | llamar a un médico | appeler un médecin | вызвать врача
learn German | Deutsch lernen | aprender alemán | apprendre l'allemand | выучить немецкий
learn Spanish | Spanisch lernen | aprender español | apprendre l'espagnol | выучить испанский
learn French | Französisch lernen | aprender francés | apprendre le français | выучить французский
learn Russian | Russisch lernen | aprender ruso | apprendre le russe | выучить русский
open the window | das Fenster öffnen | abrir la ventana | ouvrir la fenêtre | открыть окно
close the door | die Tür schließen | cerrar la puerta | fermer la porte | закрыть дверь
write a letter | einen Brief schreiben | escribir una carta | écrire une lettre | написать письмо
send a message | eine Nachricht senden | enviar un mensaje | envoyer un message | отправить сообщение
read this book | dieses Buch lesen | leer este libro | lire ce livre | прочитать эту книгу
drink a coffee | einen Kaffee trinken | tomar un café | boire un café | выпить кофе
drink a glass of water | ein Glas Wasser trinken | beber un vaso de agua | boire un verre d'eau | выпить стакан воды
eat something | etwas essen | comer algo | manger quelque chose | что-нибудь съесть
go home | nach Hause gehen | ir a casa | rentrer à la maison | пойти домой
go to the beach | an den Strand gehen | ir a la playa | aller à la plage | пойти на пляж
go to the cinema | ins Kino gehen | ir al cine | aller au cinéma | пойти в кино
travel to Berlin | nach Berlin reisen | viajar a Berlín | voyager à Berlin | поехать в Берлин
travel to Paris | nach Paris reisen | viajar a París | voyager à Paris | поехать в Париж
travel to Madrid | nach Madrid reisen | viajar a Madrid | voyager à Madrid | поехать в Мадрид
take the train | den Zug nehmen | tomar el tren | prendre le train | поехать на поезде
take the bus | den Bus nehmen | tomar el autobús | prendre le bus | поехать на автобусе
change money | Geld wechseln | cambiar dinero | changer de l'argent | обменять деньги
sell the house | das Haus verkaufen | vender la casa | vendre la maison | продать дом
find the key | den Schlüssel finden | encontrar la llave | trouver la clé | найти ключ
repair the bicycle | das Fahrrad reparieren | reparar la bicicleta | réparer le vélo | починить велосипед
clean the kitchen | die Küche putzen | limpiar la cocina | nettoyer la cuisine | убрать кухню
cook dinner | das Abendessen kochen | preparar la cena | préparer le dîner | приготовить ужин
order a pizza | eine Pizza bestellen | pedir una pizza | commander une pizza | заказать пиццу
ask a question | eine Frage stellen | hacer una pregunta | poser une question | задать вопрос
see the doctor | zum Arzt gehen | ir al médico | aller chez le médecin | пойти к врачу
start the computer | den Computer starten | encender el ordenador | démarrer l'ordinateur | включить компьютер
install the program | das Programm installieren | instalar el programa | installer le programme | установить программу
check the message | die Nachricht prüfen | comprobar el mensaje | vérifier le message | проверить сообщение
meet our friends | unsere Freunde treffen | ver a nuestros amigos | retrouver nos amis | встретить наших друзей
take a photo | ein Foto machen | hacer una foto | prendre une photo | сделать фотографию
`

export const WHENS = `
today | heute | hoy | aujourd'hui | сегодня
tomorrow | morgen | mañana | demain | завтра
tonight | heute Abend | esta noche | ce soir | сегодня вечером
this afternoon | heute Nachmittag | esta tarde | cet après-midi | сегодня днём
tomorrow morning | morgen früh | mañana por la mañana | demain matin | завтра утром
tomorrow evening | morgen Abend | mañana por la noche | demain soir | завтра вечером
on Monday | am Montag | el lunes | lundi | в понедельник
on Tuesday | am Dienstag | el martes | mardi | во вторник
on Wednesday | am Mittwoch | el miércoles | mercredi | в среду
on Thursday | am Donnerstag | el jueves | jeudi | в четверг
on Friday | am Freitag | el viernes | vendredi | в пятницу
on Saturday | am Samstag | el sábado | samedi | в субботу
on Sunday | am Sonntag | el domingo | dimanche | в воскресенье
next week | nächste Woche | la próxima semana | la semaine prochaine | на следующей неделе
after lunch | nach dem Mittagessen | después del almuerzo | après le déjeuner | после обеда
`

export const HABITS = `
every day | jeden Tag | todos los días | tous les jours | каждый день
every morning | jeden Morgen | todas las mañanas | tous les matins | каждое утро
every evening | jeden Abend | todas las noches | tous les soirs | каждый вечер
on Mondays | montags | los lunes | le lundi | по понедельникам
on Fridays | freitags | los viernes | le vendredi | по пятницам
on Sundays | sonntags | los domingos | le dimanche | по воскресеньям
on weekends | am Wochenende | los fines de semana | le week-end | по выходным
in summer | im Sommer | en verano | en été | летом
in winter | im Winter | en invierno | en hiver | зимой
`

export const WEEKDAYS = `
Monday | Montag | lunes | lundi | понедельник
Tuesday | Dienstag | martes | mardi | вторник
Wednesday | Mittwoch | miércoles | mercredi | среда
Thursday | Donnerstag | jueves | jeudi | четверг
Friday | Freitag | viernes | vendredi | пятница
Saturday | Samstag | sábado | samedi | суббота
Sunday | Sonntag | domingo | dimanche | воскресенье
`

/** Adjectives by gender of the thing: Spanish and French m,f; Russian m,f,n and the feminine accusative. */
export const ADJECTIVES = `
new | neu | nuevo,nueva | neuf,neuve | новый,новая,новое,новую
old | alt | viejo,vieja | vieux,vieille | старый,старая,старое,старую
big | groß | grande | grand,grande | большой,большая,большое,большую
small | klein | pequeño,pequeña | petit,petite | маленький,маленькая,маленькое,маленькую
beautiful | schön | bonito,bonita | beau,belle | красивый,красивая,красивое,красивую
cheap | billig | barato,barata | bon marché | дешёвый,дешёвая,дешёвое,дешёвую
modern | modern | moderno,moderna | moderne | современный,современная,современное,современную
red | rot,Rot | rojo,roja | rouge | красный,красная,красное,красную
green | grün,Grün | verde | vert,verte | зелёный,зелёная,зелёное,зелёную
blue | blau,Blau | azul | bleu,bleue | синий,синяя,синее,синюю
black | schwarz,Schwarz | negro,negra | noir,noire | чёрный,чёрная,чёрное,чёрную
white | weiß,Weiß | blanco,blanca | blanc,blanche | белый,белая,белое,белую
yellow | gelb,Gelb | amarillo,amarilla | jaune | жёлтый,жёлтая,жёлтое,жёлтую
`

/** Colours only: these stand after the noun in Spanish and French. */
export const COLOURS = ADJECTIVES.split('\n')
  .filter((row) => /^(red|green|blue|black|white|yellow)/u.test(row))
  .join('\n')

export const TASTES = `
good | gut | bueno,buena | bon,bonne | хороший,хорошая,хорошее
hot | heiß | caliente | chaud,chaude | горячий,горячая,горячее
cold | kalt | frío,fría | froid,froide | холодный,холодная,холодное
fresh | frisch | fresco,fresca | frais,fraîche | свежий,свежая,свежее
expensive | teuer | caro,cara | cher,chère | дорогой,дорогая,дорогое
delicious | lecker | delicioso,deliciosa | délicieux,délicieuse | вкусный,вкусная,вкусное
`

export const PLURALS = `
tickets | Fahrkarten | billetes | billets | билетов
books | Bücher | libros | livres | книг
bottles | Flaschen | botellas | bouteilles | бутылок
rooms | Zimmer | habitaciones | chambres | номеров
apples | Äpfel | manzanas | pommes | яблок
oranges | Orangen | naranjas | oranges | апельсинов
eggs | Eier | huevos | œufs | яиц
people | Personen | personas | personnes | человек
chairs | Stühle | sillas | chaises | стульев
letters | Briefe | cartas | lettres | писем
computers | Computer | ordenadores | ordinateurs | компьютеров
bicycles | Fahrräder | bicicletas | vélos | велосипедов
`

/** Five and up: Russian then always takes the genitive plural. */
export const COUNTS = `
five | fünf | cinco | cinq | пять
six | sechs | seis | six | шесть
seven | sieben | siete | sept | семь
eight | acht | ocho | huit | восемь
nine | neun | nueve | neuf | девять
ten | zehn | diez | dix | десять
eleven | elf | once | onze | одиннадцать
twelve | zwölf | doce | douze | двенадцать
15
20
25
30
40
50
100
`

export const BODY = `
head | m Kopf | f cabeza | f tête | f голова
stomach | m Bauch | m estómago | m ventre | m живот
back | m Rücken | f espalda | m dos | f спина
throat | m Hals | f garganta | f gorge | n горло
tooth | m Zahn | f muela | f dent | m зуб
leg | n Bein | f pierna | f jambe | f нога
arm | m Arm | m brazo | m bras | f рука
knee | n Knie | f rodilla | m genou | n колено
`

export const VEHICLES = `
train | m Zug,dem Zug | m tren,en tren | m train,en train | m поезд,поезде,поезда
bus | m Bus,dem Bus | m autobús,en autobús | m bus,en bus | m автобус,автобусе,автобуса
tram | f Straßenbahn,der Straßenbahn | m tranvía,en tranvía | m tramway,en tramway | m трамвай,трамвае,трамвая
taxi | n Taxi,dem Taxi | m taxi,en taxi | m taxi,en taxi | n такси,такси,такси
plane | n Flugzeug,dem Flugzeug | m avión,en avión | m avion,en avion | m самолёт,самолёте,самолёта
ship | n Schiff,dem Schiff | m barco,en barco | m bateau,en bateau | m корабль,корабле,корабля
`
