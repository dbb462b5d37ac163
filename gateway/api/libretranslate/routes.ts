/**
 * @module LibreTranslate's API, for programs that speak to LibreTranslate: they change the server's address and their
 * key. Each translation is one to `/v1/translations`, with its checks, its receipt and its charge.
 */
import type { Context, Hono } from 'hono'
import { type ApiError, invalidRequest, methodNotAllowed } from '../../../worker/protocol/index.ts'
import { type AdmitKey, bearerSecret } from '../auth.ts'
import type { ApiDeps } from '../deps.ts'
import { toApiError } from '../errors.ts'
import { readFormOrJson } from '../form.ts'
import { languagesOf } from '../languages.ts'
import type { Env } from '../route.ts'
import { CHARGED, type TranslatedText, translate, translationModel } from '../translate.ts'
import { readDetect, readTranslate, type TranslateRequest } from './request.ts'

/** Our fields as LibreTranslate's clients know them. */
const NAMES = { input: 'q', target_language: 'target', source_language: 'source' }

/** Paths whose errors are LibreTranslate's. */
export const LIBRE_TRANSLATE_PATHS = ['/translate', '/detect', '/languages', '/frontend/settings']

/** `/translate`, `/detect`, `/languages` and `/frontend/settings`, at the root as LibreTranslate has them. */
export function libreTranslateRoutes(app: Hono<Env>, deps: ApiDeps, admitKey: AdmitKey): void {
  app.post('/translate', (c) => onTranslate(c, deps, admitKey))
  app.post('/detect', (c) => onDetect(c, deps, admitKey))
  for (const path of ['/translate', '/detect'])
    app.all(path, (c) => {
      throw methodNotAllowed(c.req.method, path, ['POST'])
    })
  app.get('/languages', (c) => c.json(describeLanguages(deps)))
  app.get('/frontend/settings', (c) => c.json(settings(deps)))
}

async function onTranslate(c: Context<Env>, deps: ApiDeps, admitKey: AdmitKey): Promise<Response> {
  const fields = await readFormOrJson(c, deps.limits.bodyBytes)
  const request = readTranslate(fields)
  await admitKey(c, request.key ?? bearerSecret(c))
  const items = await translate(c, deps, request.translation, NAMES)
  for (const { index, error } of items) {
    // LibreTranslate has no place for a text that could not be translated as it should.
    if (error) throw invalidRequest('q', `Text ${index}: ${error.message} ${CHARGED}`)
  }
  return c.json(await answerOf(items, request, deps))
}

async function answerOf(data: readonly TranslatedText[], request: TranslateRequest, deps: ApiDeps) {
  const { batch, detect, alternatives, texts } = request
  const one = <T>(values: readonly T[]) => (batch ? values : values[0])
  const detected = async ({ index, detected_source_language: language }: TranslatedText) => {
    const ranked = await rank(texts[index] ?? '', deps)
    return { confidence: ranked.find((each) => each.language === language)?.confidence ?? 0, language }
  }
  return {
    translatedText: one(data.map(({ text }) => text)),
    ...(detect && { detectedLanguage: one(await Promise.all(data.map(detected))) }),
    ...(alternatives && { alternatives: one(data.map((item) => item.alternatives ?? [])) }),
  }
}

async function onDetect(c: Context<Env>, deps: ApiDeps, admitKey: AdmitKey): Promise<Response> {
  const fields = await readFormOrJson(c, deps.limits.bodyBytes)
  const request = readDetect(fields)
  await admitKey(c, request.key ?? bearerSecret(c))
  return c.json(await rank(request.text, deps))
}

/**
 * Languages with a confidence from 0 to 100, the likeliest first. The statistics behind it take a third of a second to
 * load: who starts a gateway does not wait for them.
 */
async function rank(text: string, deps: ApiDeps) {
  const { rankLanguages } = await import('../../../worker/protocol/language/index.ts')
  return rankLanguages(text, translationModel(deps)?.languages).map(({ language, confidence }) => ({
    confidence: Math.round(confidence * 100),
    language,
  }))
}

function describeLanguages(deps: ApiDeps) {
  const languages = languagesOf(translationModel(deps))
  const targets = languages.map(({ tag }) => tag)
  return languages.map(({ tag, name }) => ({ code: tag, name, targets }))
}

/** What a LibreTranslate front end asks first. */
function settings(deps: ApiDeps) {
  const [first] = languagesOf(translationModel(deps))
  return {
    apiKeys: true,
    keyRequired: true,
    charLimit: -1,
    filesTranslation: false,
    supportedFilesFormat: [],
    frontendTimeout: 500,
    suggestions: false,
    language: {
      source: { code: 'auto', name: 'Auto Detect' },
      target: { code: first?.tag ?? 'en', name: first?.name ?? 'English' },
    },
  }
}

/** The writer of errors in LibreTranslate's shape, `{error}`; nothing of a text is in it. */
export function answerLibreTranslateError(c: Context<Env>, error: unknown, log: ApiDeps['log']): Response {
  const shown = toApiError(error, log, c.get('requestId'))
  for (const [name, value] of Object.entries(shown.headers)) c.header(name, value)
  // Ours speaks of the header that OpenAI's clients send.
  const message = shown.status === 401 ? "No API key or a wrong one. Send it as 'api_key'." : shown.message
  return c.json({ error: message }, statusOf(shown) as 500)
}

/** Its clients know 403 for keys and for what they may not have. */
function statusOf({ status }: ApiError): number {
  if (status === 401 || status === 402) return 403
  return status === 415 ? 400 : status
}
