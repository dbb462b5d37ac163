// Chat in the other languages, honest answers to unknown questions, and the ways to ask for a translation.

import type { Lang } from './grammar.ts'

/** Per language: user lines (with alternatives), then the reply. */
export const ABROAD: Readonly<Record<Exclude<Lang, 'en'>, ReadonlyArray<readonly [string, string]>>> = {
  de: [
    [
      '(Hallo|Guten Tag|Guten Morgen|Guten Abend|Hi|hallo|Servus|Grüß Gott)(!|.|)',
      'Hallo! Wie kann ich Ihnen helfen?',
    ],
    [
      "(Wie geht es dir|Wie geht es Ihnen|Wie geht's|Hallo, wie geht es dir|Hallo, wie geht es Ihnen)(?|)",
      'Mir geht es gut, danke. Wie kann ich helfen?',
    ],
    [
      '(Wer bist du|Wer sind Sie|Wie heißt du|Wie heißen Sie|Was bist du)(?|)',
      'Ich bin Chrysalis Tiny, ein sehr kleines Sprachmodell.',
    ],
    [
      '(Was kannst du|Was können Sie|Kannst du mir helfen|Können Sie mir helfen|Hilfe)(?|!|)',
      'Ich übersetze kurze Sätze zwischen Deutsch, Englisch, Spanisch, Französisch und Russisch.',
    ],
    [
      '(Was ist Chrysalis|Was macht Chrysalis|Erzähl mir von Chrysalis)(?|.|)',
      'Chrysalis ist ein Netzwerk für vertrauliche KI: Niemand außer dem geschützten Modell liest Ihre Fragen.',
    ],
    ['(Danke|Vielen Dank|Danke schön|danke)(!|.|)', 'Gern geschehen!'],
    ['(Tschüss|Auf Wiedersehen|Bis bald|Bis morgen|Gute Nacht)(!|.|)', 'Auf Wiedersehen!'],
  ],
  es: [
    [
      '(Hola|Buenos días|Buenas tardes|Buenas noches|hola|¡Hola|¡Buenos días)(!|.|)',
      '¡Hola! ¿En qué puedo ayudarle?',
    ],
    [
      '(¿Cómo estás|¿Cómo está|¿Qué tal|Hola, ¿cómo estás|Hola, ¿cómo está|Hola, ¿qué tal)?',
      'Estoy bien, gracias. ¿En qué puedo ayudarle?',
    ],
    [
      '(¿Quién eres|¿Quién es usted|¿Cómo te llamas|¿Cómo se llama|¿Qué eres)?',
      'Soy Chrysalis Tiny, un modelo de lenguaje muy pequeño.',
    ],
    [
      '(¿Qué puedes hacer|¿Qué sabes hacer|¿Puedes ayudarme|¿Puede ayudarme)?',
      'Traduzco frases cortas entre español, inglés, alemán, francés y ruso.',
    ],
    [
      '(¿Qué es Chrysalis|¿Qué hace Chrysalis|¿Cómo funciona Chrysalis)?',
      'Chrysalis es una red de IA confidencial: nadie fuera del modelo protegido lee sus preguntas.',
    ],
    ['(Gracias|Muchas gracias|gracias|¡Gracias)(!|.|)', '¡De nada!'],
    ['(Adiós|Hasta luego|Hasta mañana|Hasta pronto|¡Adiós)(!|.|)', '¡Hasta pronto!'],
  ],
  fr: [
    ['(Bonjour|Salut|Bonsoir|bonjour|salut|Coucou)( !|!|.|)', 'Bonjour ! Comment puis-je vous aider ?'],
    [
      '(Comment allez-vous|Comment ça va|Ça va|Bonjour, comment allez-vous|Salut, ça va|Comment vas-tu)( ?|?|)',
      'Je vais bien, merci. Comment puis-je vous aider ?',
    ],
    [
      "(Qui es-tu|Qui êtes-vous|Comment t'appelles-tu|Comment vous appelez-vous|Tu es qui)( ?|?|)",
      'Je suis Chrysalis Tiny, un tout petit modèle de langage.',
    ],
    [
      "(Que peux-tu faire|Que pouvez-vous faire|Que sais-tu faire|Pouvez-vous m'aider|Peux-tu m'aider)( ?|?|)",
      "Je traduis des phrases courtes entre le français, l'anglais, l'allemand, l'espagnol et le russe.",
    ],
    [
      "(Qu'est-ce que Chrysalis|C'est quoi Chrysalis|Que fait Chrysalis|Comment fonctionne Chrysalis)( ?|?|)",
      "Chrysalis est un réseau d'IA confidentielle : personne hors du modèle protégé ne lit vos questions.",
    ],
    ['(Merci|Merci beaucoup|merci)( !|!|.|)', 'De rien !'],
    ['(Au revoir|À bientôt|À demain|Bonne nuit)( !|!|.|)', 'Au revoir !'],
  ],
  ru: [
    [
      '(Привет|Здравствуйте|Добрый день|Доброе утро|Добрый вечер|привет|Здравствуй)(!|.|)',
      'Здравствуйте! Чем я могу помочь?',
    ],
    [
      '(Как дела|Как ты|Как вы|Привет, как дела|Здравствуйте, как дела|Как поживаете)(?|)',
      'У меня всё хорошо, спасибо. Чем я могу помочь?',
    ],
    [
      '(Кто ты|Кто вы|Как тебя зовут|Как вас зовут|Что ты такое)(?|)',
      'Я Chrysalis Tiny, очень маленькая языковая модель.',
    ],
    [
      '(Что ты умеешь|Что вы умеете|Что ты можешь|Ты можешь помочь|Вы можете помочь|Помоги мне)(?|.|)',
      'Я перевожу короткие фразы между русским, английским, немецким, испанским и французским.',
    ],
    [
      '(Что такое Chrysalis|Что делает Chrysalis|Как работает Chrysalis|Расскажи о Chrysalis)(?|.|)',
      'Chrysalis — сеть для конфиденциального ИИ: никто, кроме защищённой модели, не читает ваши вопросы.',
    ],
    ['(Спасибо|Большое спасибо|спасибо)(!|.|)', 'Пожалуйста!'],
    ['(Пока|До свидания|До завтра|До скорого|Спокойной ночи)(!|.|)', 'До свидания!'],
  ],
}

export const UNKNOWN_ASK: readonly string[] = [
  '(Who is|Who was|Tell me about|What do you know about|Do you know|Explain|Describe|Write about|What do you think about) {x}(?|.|)',
  '(What is|Where is|When was|Why is|How old is|How big is|What happened to|Where can I find|How do I repair) {x}(?|)',
  '(Write a program for|Write an essay about|Give me a recipe for|Recommend|Compare|Summarize|Draw|Prove|Fix) {x}(.|)',
  '(Should I buy|Do you like|Have you seen|Can you find|Is there anything new about|What is the history of) {x}(?|)',
]
export const UNKNOWN_X: readonly string[] = [
  'Napoleon',
  'Albert Einstein',
  'the president',
  'the moon',
  'the sun',
  'the ocean',
  'black holes',
  'photosynthesis',
  'the universe',
  'democracy',
  'football',
  'chess',
  'music',
  'jazz',
  'the stock market',
  'Bitcoin',
  'Python',
  'JavaScript',
  'Linux',
  'mathematics',
  'pizza',
  'pasta',
  'bread',
  'coffee',
  'dogs',
  'cats',
  'elephants',
  'dinosaurs',
  'climate change',
  'the weather',
  'Mars',
  'Africa',
  'the Roman Empire',
  'World War II',
  'Shakespeare',
  'quantum physics',
  'gravity',
  'electricity',
  'the capital of France',
  'the news',
  'the best film',
  'a good book',
  'my computer',
  'my car',
  'a bicycle',
  'the meaning of life',
  'happiness',
  'love',
  'money',
  'war',
  'peace',
  'a sorting algorithm',
  'the internet',
  'a neural network',
  'machine learning',
  'the human brain',
  'Tokyo',
  'China',
  'Brazil',
  'the Alps',
]
export const UNKNOWN_REPLY: readonly string[] = [
  'I do not know. I am a tiny model: I can translate short sentences and tell you about Chrysalis.',
  'Sorry, I am too small to know that. Ask me about Chrysalis or for a translation.',
  'That is more than a tiny model knows. I translate phrases and chat about Chrysalis.',
]

/** A bare sentence without a request: offer a translation, in the language of the sentence. */
export const OFFER: Readonly<Record<Lang, string>> = {
  en: 'I can translate that. Which language would you like?',
  de: 'Das kann ich übersetzen. In welche Sprache?',
  es: 'Puedo traducirlo. ¿A qué idioma?',
  fr: 'Je peux traduire cela. Dans quelle langue ?',
  ru: 'Я могу это перевести. На какой язык?',
}

export const SYSTEMS: readonly string[] = [
  'You are a helpful assistant.',
  'You are a translator.',
  'Be brief.',
  'Answer politely.',
  'You are Chrysalis Tiny.',
  'You are a friendly assistant. Answer in one sentence.',
  'You are a helpful, honest assistant.',
  'Always answer in English.',
]

/** Language names as the languages themselves call them, in the shape that ASKS needs. */
export const LANGUAGE_NAMES: Readonly<Record<Lang, Readonly<Record<Lang, string>>>> = {
  en: { en: 'English', de: 'German', es: 'Spanish', fr: 'French', ru: 'Russian' },
  de: { en: 'Englische', de: 'Deutsche', es: 'Spanische', fr: 'Französische', ru: 'Russische' },
  es: { en: 'inglés', de: 'alemán', es: 'español', fr: 'francés', ru: 'ruso' },
  fr: { en: 'anglais', de: 'allemand', es: 'espagnol', fr: 'français', ru: 'russe' },
  ru: { en: 'английский', de: 'немецкий', es: 'испанский', fr: 'французский', ru: 'русский' },
}

/** How a user asks for a translation in chat; {L} is the target language, {X} the text. */
export const ASKS: Readonly<Record<Lang, readonly string[]>> = {
  en: [
    'Translate to {L}: {X}',
    'Translate to {L}: {X}',
    'Translate to {L}: {X}',
    'Translate into {L}: {X}',
    'Translate this to {L}: {X}',
    'Translate this into {L}: {X}',
    'translate to {L}: {X}',
    'translate into {L}: {X}',
    'Translate to {L}: "{X}"',
    'Translate "{X}" to {L}',
    'Translate "{X}" into {L}.',
    "Translate '{X}' to {L}",
    'Translate the following sentence to {L}: {X}',
    'Translate the following text into {L}: {X}',
    'Please translate to {L}: {X}',
    'Please translate into {L}: {X}',
    'Can you translate this to {L}: {X}',
    'Can you translate "{X}" to {L}?',
    'Could you translate "{X}" into {L}?',
    'How do you say {X} in {L}?',
    'How do you say "{X}" in {L}?',
    'How do I say "{X}" in {L}?',
    'What is "{X}" in {L}?',
    'Say "{X}" in {L}.',
    'In {L}: {X}',
    '{L}: {X}',
    'To {L}: {X}',
    'Translate to {L}:\n{X}',
    'Translate into {L}:\n\n{X}',
    'Translate the following text to {L}:\n\n{X}',
    'Translate from {S} to {L}: {X}',
    'Translate this {S} sentence to {L}: {X}',
    'I need this in {L}: {X}',
  ],
  de: [
    'Übersetze ins {L}: {X}',
    'Übersetzen Sie ins {L}: {X}',
    'Übersetze „{X}“ ins {L}.',
    'Bitte übersetze ins {L}: {X}',
  ],
  es: ['Traduce al {L}: {X}', 'Traduzca al {L}: {X}', 'Traduce «{X}» al {L}.', '¿Cómo se dice «{X}» en {L}?'],
  fr: [
    'Traduis en {L} : {X}',
    'Traduisez en {L} : {X}',
    'Traduis « {X} » en {L}.',
    'Comment dit-on « {X} » en {L} ?',
  ],
  ru: [
    'Переведи на {L}: {X}',
    'Переведите на {L}: {X}',
    'Переведи «{X}» на {L}.',
    'Переведите на {L} язык: {X}',
  ],
}
