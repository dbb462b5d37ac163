/** DeepL's own package against Chrysalis: only the address and the key differ. */
import { DeepLClient } from 'deepl-node'

const { CHRYSALIS_URL = 'http://127.0.0.1:8787/v1', CHRYSALIS_API_KEY = '' } = process.env
const client = new DeepLClient(CHRYSALIS_API_KEY, { serverUrl: new URL(CHRYSALIS_URL).origin })

const texts = process.argv.slice(2)
const translated = await client.translateText(texts.length > 0 ? texts : ['Good morning!'], null, 'de')
for (const { text, detectedSourceLang } of translated) console.log(`${detectedSourceLang}: ${text}`)

const { character } = await client.getUsage()
console.log(`${character?.count} characters so far`)
