// The words. A row is `en | de | es | fr | ru`. A noun's cell starts with its gender; Russian nouns
// list nominative, accusative, genitive; places add "at the place" and "to the place".

export const NOUNS = `
book | n Buch | m libro | m livre | f книга,книгу,книги
ticket | f Fahrkarte | m billete | m billet | m билет,билет,билета
key | m Schlüssel | f llave | f clé | m ключ,ключ,ключа
map | f Karte | m mapa | f carte | f карта,карту,карты
phone | n Telefon | m teléfono | m téléphone | m телефон,телефон,телефона
bag | f Tasche | f bolsa | m sac | f сумка,сумку,сумки
suitcase | m Koffer | f maleta | f valise | m чемодан,чемодан,чемодана
umbrella | m Regenschirm | m paraguas | m parapluie | m зонт,зонт,зонта
camera | f Kamera | f cámara | m appareil photo | f камера,камеру,камеры
computer | m Computer | m ordenador | m ordinateur | m компьютер,компьютер,компьютера
letter | m Brief | f carta | f lettre | n письмо,письмо,письма
newspaper | f Zeitung | m periódico | m journal | f газета,газету,газеты
chair | m Stuhl | f silla | f chaise | m стул,стул,стула
table | m Tisch | f mesa | f table | m стол,стол,стола
lamp | f Lampe | f lámpara | f lampe | f лампа,лампу,лампы
coat | m Mantel | m abrigo | m manteau | n пальто,пальто,пальто
shirt | n Hemd | f camisa | f chemise | f рубашка,рубашку,рубашки
dress | n Kleid | m vestido | f robe | n платье,платье,платья
hat | m Hut | m sombrero | m chapeau | f шляпа,шляпу,шляпы
jacket | f Jacke | f chaqueta | f veste | f куртка,куртку,куртки
scarf | m Schal | f bufanda | f écharpe | m шарф,шарф,шарфа

bicycle | n Fahrrad | f bicicleta | m vélo | m велосипед,велосипед,велосипеда
car | n Auto | m coche | f voiture | f машина,машину,машины
towel | n Handtuch | f toalla | f serviette | n полотенце,полотенце,полотенца
blanket | f Decke | f manta | f couverture | n одеяло,одеяло,одеяла
pillow | n Kissen | f almohada | m oreiller | f подушка,подушку,подушки
knife | n Messer | m cuchillo | m couteau | m нож,нож,ножа
spoon | m Löffel | f cuchara | f cuillère | f ложка,ложку,ложки
glass | n Glas | m vaso | m verre | m стакан,стакан,стакана
bottle | f Flasche | f botella | f bouteille | f бутылка,бутылку,бутылки
pen | m Stift | m bolígrafo | m stylo | f ручка,ручку,ручки
notebook | n Heft | m cuaderno | m cahier | f тетрадь,тетрадь,тетради
battery | f Batterie | f pila | f pile | f батарейка,батарейку,батарейки
charger | n Ladegerät | m cargador | m chargeur | n зарядное устройство,зарядное устройство,зарядного устройства
mirror | m Spiegel | m espejo | m miroir | n зеркало,зеркало,зеркала
picture | n Bild | m cuadro | m tableau | f картина,картину,картины
guitar | f Gitarre | f guitarra | f guitare | f гитара,гитару,гитары
radio | n Radio | f radio | f radio | n радио,радио,радио
passport | m Reisepass | m pasaporte | m passeport | m паспорт,паспорт,паспорта
`

export const PLACES = `
station | m Bahnhof,am Bahnhof | f estación | f gare | m вокзал,вокзал,вокзала,на вокзале,на вокзал
airport | m Flughafen,am Flughafen | m aeropuerto | m aéroport | m аэропорт,аэропорт,аэропорта,в аэропорту,в аэропорт
hotel | n Hotel,im Hotel | m hotel | m hôtel | f гостиница,гостиницу,гостиницы,в гостинице,в гостиницу
restaurant | n Restaurant,im Restaurant | m restaurante | m restaurant | m ресторан,ресторан,ресторана,в ресторане,в ресторан
museum | n Museum,im Museum | m museo | m musée | m музей,музей,музея,в музее,в музей
market | m Markt,auf dem Markt | m mercado | m marché | m рынок,рынок,рынка,на рынке,на рынок
supermarket | m Supermarkt,im Supermarkt | m supermercado | m supermarché | m супермаркет,супермаркет,супермаркета,в супермаркете,в супермаркет
pharmacy | f Apotheke,in der Apotheke | f farmacia | f pharmacie | f аптека,аптеку,аптеки,в аптеке,в аптеку
hospital | n Krankenhaus,im Krankenhaus | m hospital | m hôpital | f больница,больницу,больницы,в больнице,в больницу
bank | f Bank,in der Bank | m banco | f banque | m банк,банк,банка,в банке,в банк
post office | n Postamt,im Postamt | f oficina de correos | m bureau de poste | f почта,почту,почты,на почте,на почту
school | f Schule,in der Schule | f escuela | f école | f школа,школу,школы,в школе,в школу
university | f Universität,in der Universität | f universidad | f université | m университет,университет,университета,в университете,в университет
library | f Bibliothek,in der Bibliothek | f biblioteca | f bibliothèque | f библиотека,библиотеку,библиотеки,в библиотеке,в библиотеку
theater | n Theater,im Theater | m teatro | m théâtre | m театр,театр,театра,в театре,в театр
cinema | n Kino,im Kino | m cine | m cinéma | m кинотеатр,кинотеатр,кинотеатра,в кинотеатре,в кинотеатр
park | m Park,im Park | m parque | m parc | m парк,парк,парка,в парке,в парк
beach | m Strand,am Strand | f playa | f plage | m пляж,пляж,пляжа,на пляже,на пляж
bridge | f Brücke,an der Brücke | m puente | m pont | m мост,мост,моста,на мосту,на мост
church | f Kirche,in der Kirche | f iglesia | f église | f церковь,церковь,церкви,в церкви,в церковь
castle | n Schloss,im Schloss | m castillo | m château | m замок,замок,замка,в замке,в замок
bakery | f Bäckerei,in der Bäckerei | f panadería | f boulangerie | f пекарня,пекарню,пекарни,в пекарне,в пекарню
office | n Büro,im Büro | f oficina | m bureau | m офис,офис,офиса,в офисе,в офис
embassy | f Botschaft,in der Botschaft | f embajada | f ambassade | n посольство,посольство,посольства,в посольстве,в посольство
bus stop | f Bushaltestelle,an der Bushaltestelle | f parada de autobús | m arrêt de bus | f автобусная остановка,автобусную остановку,автобусной остановки,на автобусной остановке,на автобусную остановку
harbor | m Hafen,am Hafen | m puerto | m port | m порт,порт,порта,в порту,в порт
`

/** Food and drink; the French cell's second form is the partitive, the Russian second is the accusative. */
export const FOODS = `
coffee | m Kaffee | m café | m café,du café | m кофе,кофе
tea | m Tee | m té | m thé,du thé | m чай,чай
water | n Wasser | f agua | f eau,de l'eau | f вода,воду
milk | f Milch | f leche | m lait,du lait | n молоко,молоко
orange juice | m Orangensaft | m zumo de naranja | m jus d'orange,du jus d'orange | m апельсиновый сок,апельсиновый сок
red wine | m Rotwein | m vino tinto | m vin rouge,du vin rouge | n красное вино,красное вино
beer | n Bier | f cerveza | f bière,de la bière | n пиво,пиво
bread | n Brot | m pan | m pain,du pain | m хлеб,хлеб
cheese | m Käse | m queso | m fromage,du fromage | m сыр,сыр
butter | f Butter | f mantequilla | m beurre,du beurre | n масло,масло
soup | f Suppe | f sopa | f soupe,de la soupe | m суп,суп
salad | m Salat | f ensalada | f salade,de la salade | m салат,салат
fish | m Fisch | m pescado | m poisson,du poisson | f рыба,рыбу
meat | n Fleisch | f carne | f viande,de la viande | n мясо,мясо
rice | m Reis | m arroz | m riz,du riz | m рис,рис
chicken | n Hähnchen | m pollo | m poulet,du poulet | f курица,курицу
cake | m Kuchen | m pastel | m gâteau,du gâteau | m торт,торт
ice cream | n Eis | m helado | f glace,de la glace | n мороженое,мороженое
chocolate | f Schokolade | m chocolate | m chocolat,du chocolat | m шоколад,шоколад
honey | m Honig | f miel | m miel,du miel | m мёд,мёд
`

/** Russian: nominative, accusative, genitive, dative. */
export const PEOPLE = `
brother | m Bruder | m hermano | m frère | m брат,брата,брата,брату
sister | f Schwester | f hermana | f sœur | f сестра,сестру,сестры,сестре
father | m Vater | m padre | m père | m отец,отца,отца,отцу
mother | f Mutter | f madre | f mère | f мать,мать,матери,матери
son | m Sohn | m hijo | m fils | m сын,сына,сына,сыну
daughter | f Tochter | f hija | f fille | f дочь,дочь,дочери,дочери
uncle | m Onkel | m tío | m oncle | m дядя,дядю,дяди,дяде
aunt | f Tante | f tía | f tante | f тётя,тётю,тёти,тёте
grandmother | f Großmutter | f abuela | f grand-mère | f бабушка,бабушку,бабушки,бабушке
grandfather | m Großvater | m abuelo | m grand-père | m дедушка,дедушку,дедушки,дедушке
friend | m Freund | m amigo | m ami | m друг,друга,друга,другу
teacher | m Lehrer | m profesor | m professeur | m учитель,учителя,учителя,учителю
boss | m Chef | m jefe | m chef | m начальник,начальника,начальника,начальнику
doctor | m Arzt | m médico | m médecin | m врач,врача,врача,врачу
neighbor | f Nachbarin | f vecina | f voisine | f соседка,соседку,соседки,соседке
`

/** Subjects: kind #0 = I, #1 = he/she, #2 = we, #3 = they. Russian: nominative, must, dative, genitive. */
export const SUBJECTS = `
#0 I | #0 ich | #0 -empty- | #0 je | #0 я,должен,мне,меня
#1 he | #1 er | #1 él | #1 il | #1 он,должен,ему,него
#1 she | #1 sie | #1 ella | #1 elle | #1 она,должна,ей,неё
#2 we | #2 wir | #2 -empty- | #2 nous | #2 мы,должны,нам,нас
#3 they | #3 sie | #3 ellos | #3 ils | #3 они,должны,им,них
#1 my brother | #1 mein Bruder | #1 mi hermano | #1 mon frère | #1 мой брат,должен,моему брату,моего брата
#1 my sister | #1 meine Schwester | #1 mi hermana | #1 ma sœur | #1 моя сестра,должна,моей сестре,моей сестры
#1 my father | #1 mein Vater | #1 mi padre | #1 mon père | #1 мой отец,должен,моему отцу,моего отца
#1 my mother | #1 meine Mutter | #1 mi madre | #1 ma mère | #1 моя мать,должна,моей матери,моей матери
#1 our teacher | #1 unser Lehrer | #1 nuestro profesor | #1 notre professeur | #1 наш учитель,должен,нашему учителю,нашего учителя
#3 the children | #3 die Kinder | #3 los niños | #3 les enfants | #3 дети,должны,детям,детей
#3 my friends | #3 meine Freunde | #3 mis amigos | #3 mes amis | #3 мои друзья,должны,моим друзьям,моих друзей
#1 Anna | #1 Anna | #1 Anna | #1 Anna | #1 Анна,должна,Анне,Анны
#1 Peter | #1 Peter | #1 Peter | #1 Peter | #1 Петер,должен,Петеру,Петера
#1 Maria | #1 Maria | #1 Maria | #1 Maria | #1 Мария,должна,Марии,Марии
#1 Lucas | #1 Lucas | #1 Lucas | #1 Lucas | #1 Лукас,должен,Лукасу,Лукаса
#1 the doctor | #1 der Arzt | #1 el médico | #1 le médecin | #1 врач,должен,врачу,врача
`

/** City; Russian: nominative, prepositional (in), accusative (to), genitive (from). */
export const CITIES = `
Berlin | Berlin | Berlín | Berlin | Берлин,Берлине,Берлин,Берлина
Paris | Paris | París | Paris | Париж,Париже,Париж,Парижа
Madrid | Madrid | Madrid | Madrid | Мадрид,Мадриде,Мадрид,Мадрида
London | London | Londres | Londres | Лондон,Лондоне,Лондон,Лондона
Moscow | Moskau | Moscú | Moscou | Москва,Москве,Москву,Москвы
Vienna | Wien | Viena | Vienne | Вена,Вене,Вену,Вены
Rome | Rom | Roma | Rome | Рим,Риме,Рим,Рима
Munich | München | Múnich | Munich | Мюнхен,Мюнхене,Мюнхен,Мюнхена
Barcelona | Barcelona | Barcelona | Barcelone | Барселона,Барселоне,Барселону,Барселоны
Geneva | Genf | Ginebra | Genève | Женева,Женеве,Женеву,Женевы
Hamburg | Hamburg | Hamburgo | Hambourg | Гамбург,Гамбурге,Гамбург,Гамбурга
New York | New York | Nueva York | New York | Нью-Йорк,Нью-Йорке,Нью-Йорк,Нью-Йорка
Lisbon | Lissabon | Lisboa | Lisbonne | Лиссабон,Лиссабоне,Лиссабон,Лиссабона
Prague | Prag | Praga | Prague | Прага,Праге,Прагу,Праги
Warsaw | Warschau | Varsovia | Varsovie | Варшава,Варшаве,Варшаву,Варшавы
Lyon | Lyon | Lyon | Lyon | Лион,Лионе,Лион,Лиона
Brussels | Brüssel | Bruselas | Bruxelles | Брюссель,Брюсселе,Брюссель,Брюсселя
Athens | Athen | Atenas | Athènes | Афины,Афинах,Афины,Афин
`

export const COUNTRIES = `
Germany | Deutschland | Alemania | f l'Allemagne,en Allemagne,d'Allemagne | Германия,Германии,Германию,Германии
France | Frankreich | Francia | f la France,en France,de France | Франция,Франции,Францию,Франции
Spain | Spanien | España | f l'Espagne,en Espagne,d'Espagne | Испания,Испании,Испанию,Испании
Russia | Russland | Rusia | f la Russie,en Russie,de Russie | Россия,России,Россию,России
Italy | Italien | Italia | f l'Italie,en Italie,d'Italie | Италия,Италии,Италию,Италии
England | England | Inglaterra | f l'Angleterre,en Angleterre,d'Angleterre | Англия,Англии,Англию,Англии
Mexico | Mexiko | México | m le Mexique,au Mexique,du Mexique | Мексика,Мексике,Мексику,Мексики
Canada | Kanada | Canadá | m le Canada,au Canada,du Canada | Канада,Канаде,Канаду,Канады
Austria | Österreich | Austria | f l'Autriche,en Autriche,d'Autriche | Австрия,Австрии,Австрию,Австрии
Poland | Polen | Polonia | f la Pologne,en Pologne,de Pologne | Польша,Польше,Польшу,Польши
Portugal | Portugal | Portugal | m le Portugal,au Portugal,du Portugal | Португалия,Португалии,Португалию,Португалии
Japan | Japan | Japón | m le Japon,au Japon,du Japon | Япония,Японии,Японию,Японии
`

/** Language names; Russian: nominative, "speak" adverb form, "in" form. */
export const TONGUES = `
English | Englisch | inglés | anglais,l'anglais | английский,по-английски
German | Deutsch | alemán | allemand,l'allemand | немецкий,по-немецки
Spanish | Spanisch | español | espagnol,l'espagnol | испанский,по-испански
French | Französisch | francés | français,le français | французский,по-французски
Russian | Russisch | ruso | russe,le russe | русский,по-русски
Italian | Italienisch | italiano | italien,l'italien | итальянский,по-итальянски
Portuguese | Portugiesisch | portugués | portugais,le portugais | португальский,по-португальски
Polish | Polnisch | polaco | polonais,le polonais | польский,по-польски
`

export const NAMES = `
Anna | Anna | Anna | Anna | Анна
Maria | Maria | Maria | Maria | Мария
Peter | Peter | Peter | Peter | Петер
Lucas | Lucas | Lucas | Lucas | Лукас
Elena | Elena | Elena | Elena | Елена
Thomas | Thomas | Thomas | Thomas | Томас
Sofia | Sofia | Sofia | Sofia | София
Martin | Martin | Martin | Martin | Мартин
Laura | Laura | Laura | Laura | Лаура
Viktor | Viktor | Viktor | Viktor | Виктор
Nina | Nina | Nina | Nina | Нина
Daniel | Daniel | Daniel | Daniel | Даниэль
Clara | Clara | Clara | Clara | Клара
Robert | Robert | Robert | Robert | Роберт
Emma | Emma | Emma | Emma | Эмма
Paul | Paul | Paul | Paul | Пауль
Bob | Bob | Bob | Bob | Боб
Alice | Alice | Alice | Alice | Алиса
Tom | Tom | Tom | Tom | Том
John | John | John | John | Джон
Mary | Mary | Mary | Mary | Мэри
Max | Max | Max | Max | Макс
Lena | Lena | Lena | Lena | Лена
Oliver | Oliver | Oliver | Oliver | Оливер
Sarah | Sarah | Sarah | Sarah | Сара
David | David | David | David | Давид
Julia | Julia | Julia | Julia | Юлия
Simon | Simon | Simon | Simon | Симон
Eva | Eva | Eva | Eva | Ева
Felix | Felix | Felix | Felix | Феликс
Marco | Marco | Marco | Marco | Марко
Carlos | Carlos | Carlos | Carlos | Карлос
Diego | Diego | Diego | Diego | Диего
Carmen | Carmen | Carmen | Carmen | Кармен
Pablo | Pablo | Pablo | Pablo | Пабло
Pierre | Pierre | Pierre | Pierre | Пьер
Marie | Marie | Marie | Marie | Мари
Camille | Camille | Camille | Camille | Камиль
Louis | Louis | Louis | Louis | Луи
Claire | Claire | Claire | Claire | Клэр
Hans | Hans | Hans | Hans | Ханс
Karl | Karl | Karl | Karl | Карл
Greta | Greta | Greta | Greta | Грета
Otto | Otto | Otto | Otto | Отто
Ivan | Ivan | Ivan | Ivan | Иван
Olga | Olga | Olga | Olga | Ольга
Boris | Boris | Boris | Boris | Борис
Igor | Igor | Igor | Igor | Игорь
Vera | Vera | Vera | Vera | Вера
Oleg | Oleg | Oleg | Oleg | Олег
Tanya | Tanya | Tanya | Tanya | Таня
Mark | Mark | Mark | Mark | Марк
Leo | Leo | Leo | Leo | Лео
Mia | Mia | Mia | Mia | Мия
Alex | Alex | Alex | Alex | Алекс
Sam | Sam | Sam | Sam | Сэм
Kate | Kate | Kate | Kate | Кейт
Jack | Jack | Jack | Jack | Джек
Linda | Linda | Linda | Linda | Линда
Emily | Emily | Emily | Emily | Эмили
`
