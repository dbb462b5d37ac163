/**
 * @module DeepL's API, version 2, for programs that speak to DeepL: they change the server's address and their key.
 * Each request is one to `/v1/translations`, with its checks, its receipt and its charge.
 */
import { Hono } from 'hono'
import { clip, invalidRequest, notFound } from '../../../worker/protocol/index.ts'
import type { AdmitKey } from '../auth.ts'
import type { ApiDeps } from '../deps.ts'
import { readFormOrJson } from '../form.ts'
import { languagesOf } from '../languages.ts'
import type { Env } from '../route.ts'
import { CHARGED, type TranslatedText, translate, translationModel } from '../translate.ts'
import { type DeepLRequest, readTranslate } from './request.ts'

/** What DeepL says for an account without a limit: here the channel behind the key is the limit. */
const NO_LIMIT = 1_000_000_000_000

/** Our fields as DeepL's clients know them. */
const NAMES = {
  input: 'text',
  target_language: 'target_lang',
  source_language: 'source_lang',
  format: 'tag_handling',
  style: 'custom_instructions',
}

/** The routes below `/v2`: `/translate`, `/usage` and `/languages`. Characters are counted since this start. */
export function deepLRoutes(deps: ApiDeps, admitKey: AdmitKey): Hono<Env> {
  const app = new Hono<Env>()
  const characters = new Map<string, number>()
  app.use(async (c, next) => {
    await admitKey(c, /^deepl-auth-key +(\S+) *$/i.exec(c.req.header('authorization') ?? '')?.[1])
    await next()
  })
  app.post('/translate', async (c) => {
    const request = readTranslate(await readFormOrJson(c, deps.limits.bodyBytes))
    const items = await translate(c, deps, request.translation, NAMES)
    const { id } = c.get('key')
    const read = request.texts.reduce((sum, text) => sum + lengthOf(text), 0)
    characters.set(id, (characters.get(id) ?? 0) + read)
    return c.json({ translations: items.map((item) => describe(item, request)) })
  })
  app.on(['GET', 'POST'], '/usage', (c) =>
    c.json({ character_count: characters.get(c.get('key').id) ?? 0, character_limit: NO_LIMIT }),
  )
  app.on(['GET', 'POST'], '/languages', (c) => {
    const type = c.req.query('type') ?? 'source'
    if (type !== 'source' && type !== 'target')
      throw invalidRequest('type', "Value for 'type' not supported: use source or target.")
    const languages = languagesOf(translationModel(deps))
    return c.json(languages.map(({ tag, name }) => describeLanguage(tag, name, type === 'target')))
  })
  app.all('*', (c) => {
    throw notFound(
      `Not found: ${clip(c.req.method)} ${clip(c.req.path)}. Of DeepL's API there are /translate, /usage and /languages.`,
    )
  })
  return app
}

function describe(item: TranslatedText, { texts, billed, modelType }: DeepLRequest) {
  // DeepL has no place for a text that could not be translated as it should: no half answer passes for a whole one.
  if (item.error) throw invalidRequest('text', `Text ${item.index}: ${item.error.message} ${CHARGED}`)
  return {
    detected_source_language: item.detected_source_language.toUpperCase(),
    text: item.text,
    ...(billed && { billed_characters: lengthOf(texts[item.index] ?? '') }),
    ...(modelType && { model_type_used: 'quality_optimized' }),
  }
}

/** DeepL writes its codes in capitals. */
function describeLanguage(tag: string, name: string, target: boolean) {
  return { language: tag.toUpperCase(), name, ...(target && { supports_formality: true }) }
}

/** Characters are Unicode code points. */
function lengthOf(text: string): number {
  let length = 0
  for (const _ of text) length++
  return length
}
