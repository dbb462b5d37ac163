// Whole phrases without slots: every language, never in the test set (their meaning is the template).

export const FIXED = `
Hello | Hallo | Hola | Bonjour | Привет
Hello! | Hallo! | ¡Hola! | Bonjour ! | Привет!
Good morning | Guten Morgen | Buenos días | Bonjour | Доброе утро
Good morning! | Guten Morgen! | ¡Buenos días! | Bonjour ! | Доброе утро!
Good evening | Guten Abend | Buenas noches | Bonsoir | Добрый вечер
Good evening! | Guten Abend! | ¡Buenas noches! | Bonsoir ! | Добрый вечер!
Good night! | Gute Nacht! | ¡Buenas noches! | Bonne nuit ! | Спокойной ночи!
Good night | Gute Nacht | Buenas noches | Bonne nuit | Спокойной ночи
Goodbye | Auf Wiedersehen | Adiós | Au revoir | До свидания
Goodbye! | Auf Wiedersehen! | ¡Adiós! | Au revoir ! | До свидания!
See you tomorrow! | Bis morgen! | ¡Hasta mañana! | À demain ! | До завтра!
See you soon! | Bis bald! | ¡Hasta pronto! | À bientôt ! | До скорого!
Yes | Ja | Sí | Oui | Да
No | Nein | No | Non | Нет
Please | Bitte | Por favor | S'il vous plaît | Пожалуйста
Thank you | Danke | Gracias | Merci | Спасибо
Thank you! | Danke! | ¡Gracias! | Merci ! | Спасибо!
Thank you very much. | Vielen Dank. | Muchas gracias. | Merci beaucoup. | Большое спасибо.
You're welcome. | Gern geschehen. | De nada. | De rien. | Не за что.
Excuse me | Entschuldigung | Disculpe | Excusez-moi | Извините
I am sorry. | Es tut mir leid. | Lo siento. | Je suis désolé. | Мне очень жаль.
How are you? | Wie geht es Ihnen? | ¿Cómo está? | Comment allez-vous ? | Как дела?
I am fine, thank you. | Mir geht es gut, danke. | Estoy bien, gracias. | Je vais bien, merci. | У меня всё хорошо, спасибо.
What is your name? | Wie heißen Sie? | ¿Cómo se llama? | Comment vous appelez-vous ? | Как вас зовут?
Nice to meet you. | Freut mich. | Mucho gusto. | Enchanté. | Очень приятно.
Where are you from? | Woher kommen Sie? | ¿De dónde es? | D'où venez-vous ? | Откуда вы?
I do not understand. | Ich verstehe nicht. | No entiendo. | Je ne comprends pas. | Я не понимаю.
Please speak more slowly. | Bitte sprechen Sie langsamer. | Hable más despacio, por favor. | Parlez plus lentement, s'il vous plaît. | Говорите, пожалуйста, медленнее.
Could you repeat that, please? | Können Sie das bitte wiederholen? | ¿Puede repetirlo, por favor? | Pouvez-vous répéter, s'il vous plaît ? | Повторите, пожалуйста.
Help! | Hilfe! | ¡Socorro! | Au secours ! | Помогите!
I need help. | Ich brauche Hilfe. | Necesito ayuda. | J'ai besoin d'aide. | Мне нужна помощь.
I am lost. | Ich habe mich verlaufen. | Me he perdido. | Je suis perdu. | Я заблудился.
Call the police! | Rufen Sie die Polizei! | ¡Llame a la policía! | Appelez la police ! | Вызовите полицию!
How much does it cost? | Was kostet das? | ¿Cuánto cuesta? | Combien ça coûte ? | Сколько это стоит?
That is too expensive. | Das ist zu teuer. | Es demasiado caro. | C'est trop cher. | Это слишком дорого.
What time is it? | Wie spät ist es? | ¿Qué hora es? | Quelle heure est-il ? | Который час?
The bill, please. | Die Rechnung, bitte. | La cuenta, por favor. | L'addition, s'il vous plaît. | Счёт, пожалуйста.
Can I pay by card? | Kann ich mit Karte zahlen? | ¿Puedo pagar con tarjeta? | Puis-je payer par carte ? | Можно заплатить картой?
Where is the toilet? | Wo ist die Toilette? | ¿Dónde está el baño? | Où sont les toilettes ? | Где туалет?
I am hungry. | Ich habe Hunger. | Tengo hambre. | J'ai faim. | Я хочу есть.
I am thirsty. | Ich habe Durst. | Tengo sed. | J'ai soif. | Я хочу пить.
I am tired. | Ich bin müde. | Tengo sueño. | Je suis fatigué. | Я устал.
I love you. | Ich liebe dich. | Te quiero. | Je t'aime. | Я тебя люблю.
Happy birthday! | Alles Gute zum Geburtstag! | ¡Feliz cumpleaños! | Joyeux anniversaire ! | С днём рождения!
Have a nice day! | Einen schönen Tag! | ¡Que tenga un buen día! | Bonne journée ! | Хорошего дня!
Have a good trip! | Gute Reise! | ¡Buen viaje! | Bon voyage ! | Счастливого пути!
Enjoy your meal! | Guten Appetit! | ¡Buen provecho! | Bon appétit ! | Приятного аппетита!
Cheers! | Prost! | ¡Salud! | Santé ! | За ваше здоровье!
Welcome! | Willkommen! | ¡Bienvenidos! | Bienvenue ! | Добро пожаловать!
Go straight ahead. | Gehen Sie geradeaus. | Siga todo recto. | Allez tout droit. | Идите прямо.
Turn left. | Biegen Sie links ab. | Gire a la izquierda. | Tournez à gauche. | Поверните налево.
Turn right. | Biegen Sie rechts ab. | Gire a la derecha. | Tournez à droite. | Поверните направо.
The weather is beautiful today. | Das Wetter ist heute schön. | Hoy hace buen tiempo. | Il fait beau aujourd'hui. | Сегодня хорошая погода.
It is raining. | Es regnet. | Está lloviendo. | Il pleut. | Идёт дождь.
Have you got a free room? | Haben Sie ein freies Zimmer? | ¿Tiene una habitación libre? | Avez-vous une chambre libre ? | У вас есть свободный номер?
Is breakfast included? | Ist das Frühstück inbegriffen? | ¿Está incluido el desayuno? | Le petit déjeuner est-il compris ? | Завтрак включён?
What is the password? | Wie lautet das Passwort? | ¿Cuál es la contraseña? | Quel est le mot de passe ? | Какой пароль?
I do not know. | Ich weiß es nicht. | No lo sé. | Je ne sais pas. | Я не знаю.
Of course. | Natürlich. | Por supuesto. | Bien sûr. | Конечно.
No problem. | Kein Problem. | No hay problema. | Pas de problème. | Без проблем.
That is right. | Das stimmt. | Es correcto. | C'est exact. | Это верно.
I agree. | Ich bin einverstanden. | Estoy de acuerdo. | Je suis d'accord. | Я согласен.
Good luck! | Viel Glück! | ¡Buena suerte! | Bonne chance ! | Удачи!
Be careful! | Seien Sie vorsichtig! | ¡Tenga cuidado! | Faites attention ! | Будьте осторожны!
Come in! | Herein! | ¡Adelante! | Entrez ! | Войдите!
Sit down, please. | Setzen Sie sich, bitte. | Siéntese, por favor. | Asseyez-vous, s'il vous plaît. | Садитесь, пожалуйста.
The book is interesting. | Das Buch ist interessant. | El libro es interesante. | Le livre est intéressant. | Книга интересная.
My phone does not work. | Mein Telefon funktioniert nicht. | Mi teléfono no funciona. | Mon téléphone ne fonctionne pas. | Мой телефон не работает.
Nobody can read your message. | Niemand kann Ihre Nachricht lesen. | Nadie puede leer su mensaje. | Personne ne peut lire votre message. | Никто не может прочитать ваше сообщение.
Your data stays private. | Ihre Daten bleiben privat. | Sus datos siguen siendo privados. | Vos données restent privées. | Ваши данные остаются конфиденциальными.
Privacy is important. | Datenschutz ist wichtig. | La privacidad es importante. | La confidentialité est importante. | Конфиденциальность важна.
The message is encrypted. | Die Nachricht ist verschlüsselt. | El mensaje está cifrado. | Le message est chiffré. | Сообщение зашифровано.
The answer is signed. | Die Antwort ist signiert. | La respuesta está firmada. | La réponse est signée. | Ответ подписан.
Chrysalis protects your questions. | Chrysalis schützt Ihre Fragen. | Chrysalis protege sus preguntas. | Chrysalis protège vos questions. | Chrysalis защищает ваши вопросы.
Chrysalis is a confidential network. | Chrysalis ist ein vertrauliches Netzwerk. | Chrysalis es una red confidencial. | Chrysalis est un réseau confidentiel. | Chrysalis — конфиденциальная сеть.
The model runs in a protected machine. | Das Modell läuft in einer geschützten Maschine. | El modelo funciona en una máquina protegida. | Le modèle fonctionne dans une machine protégée. | Модель работает на защищённой машине.
I love music. | Ich liebe Musik. | Me encanta la música. | J'adore la musique. | Я люблю музыку.
The cat is sleeping. | Die Katze schläft. | El gato duerme. | Le chat dort. | Кошка спит.
The dog is in the garden. | Der Hund ist im Garten. | El perro está en el jardín. | Le chien est dans le jardin. | Собака в саду.
The house is big. | Das Haus ist groß. | La casa es grande. | La maison est grande. | Дом большой.
Where do you live? | Wo wohnen Sie? | ¿Dónde vive? | Où habitez-vous ? | Где вы живёте?
What are you doing? | Was machen Sie? | ¿Qué hace? | Que faites-vous ? | Что вы делаете?
How old are you? | Wie alt sind Sie? | ¿Cuántos años tiene? | Quel âge avez-vous ? | Сколько вам лет?
The train is late. | Der Zug hat Verspätung. | El tren llega con retraso. | Le train est en retard. | Поезд опаздывает.
Hello, how are you? | Hallo, wie geht es Ihnen? | Hola, ¿cómo está? | Bonjour, comment allez-vous ? | Здравствуйте, как дела?
Hello world | Hallo Welt | Hola mundo | Bonjour le monde | Привет, мир
Hello, world! | Hallo, Welt! | ¡Hola, mundo! | Bonjour, le monde ! | Привет, мир!
Good day! | Guten Tag! | ¡Buenos días! | Bonjour ! | Добрый день!
I would like a coffee, please. | Ich hätte gern einen Kaffee, bitte. | Quisiera un café, por favor. | Je voudrais un café, s'il vous plaît. | Кофе, пожалуйста.
`
