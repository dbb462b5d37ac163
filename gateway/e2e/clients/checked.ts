import { type OpenAiKind, validateAgainstOpenAi } from '../../../worker/testing/openai-schemas.ts'

/** One request of a client, as it went over the wire. */
export interface Exchange {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly headers: Headers
  /** What was sent; undefined where that was no JSON. */
  readonly sent: Record<string, unknown> | undefined
  /** The whole answer; rejects where the client hung up. */
  readonly text: Promise<string>
}

/** A `fetch` to give to a client, which keeps a copy of all that went through it. */
export interface CheckedFetch {
  readonly fetch: typeof fetch
  readonly exchanges: readonly Exchange[]
  /**
   * Holds every answer so far against the types of OpenAI's client and our own schemas, streamed ones event by event.
   * Call it once the answers have been read.
   * @throws Error naming what is wrong and where
   */
  check(): Promise<void>
}

/** @see CheckedFetch */
export function checkedFetch(): CheckedFetch {
  const exchanges: Exchange[] = []
  return {
    exchanges,
    fetch: async (input, init) => {
      const request = new Request(input, init)
      const sent = await request.clone().text()
      const response = await fetch(request)
      const text = response.clone().text()
      text.catch(() => {})
      exchanges.push({
        method: request.method,
        path: new URL(request.url).pathname,
        status: response.status,
        headers: response.headers,
        sent: parsed(sent),
        text,
      })
      return response
    },
    check: async () => {
      for (const exchange of exchanges) checkAnswer(exchange, await exchange.text)
    },
  }
}

/** The kind of a whole answer, and of an event of a stream. */
const KINDS: Readonly<Record<string, readonly [whole: OpenAiKind, event?: OpenAiKind]>> = {
  '/v1/chat/completions': ['Chat', 'ChatChunk'],
  '/v1/completions': ['Completion', 'Completion'],
  '/v1/embeddings': ['Embeddings'],
  '/v1/responses': ['Response', 'ResponseEvent'],
  '/v1/responses/input_tokens': ['InputTokens'],
  '/v1/models': ['Models'],
}

/**
 * Holds one answer against what OpenAI's client and we ourselves say of it.
 * @throws Error naming what is wrong and where
 */
export function checkAnswer({ path, status, headers }: Answered, text: string): void {
  if (!headers.get('x-request-id')) throw new Error(`${path}: no x-request-id`)
  const streamed = headers.get('content-type')?.startsWith('text/event-stream') ?? false
  const [whole, event] = kindsOf(path, status)
  if (!streamed) validateAgainstOpenAi(whole, JSON.parse(text))
  else if (event === undefined) throw new Error(`${path} is not known to stream`)
  else for (const document of eventsOf(text, path)) validateAgainstOpenAi(kindOf(document, event), document)
}

type Answered = Pick<Exchange, 'path' | 'status' | 'headers'>

function kindsOf(path: string, status: number): readonly [whole: OpenAiKind, event?: OpenAiKind] {
  if (status >= 400) return ['Failure']
  const kinds = path.startsWith('/v1/models/') ? (['Model'] as const) : KINDS[path]
  if (kinds === undefined) throw new Error(`nothing is known of answers of ${path}`)
  return kinds
}

/** What fails in the middle of a stream is an error in a place where a document would be. */
function kindOf(document: unknown, kind: OpenAiKind): OpenAiKind {
  const failed = typeof document === 'object' && document !== null && 'error' in document
  return failed && kind !== 'ResponseEvent' ? 'Failure' : kind
}

/** The documents of a stream. */
function eventsOf(text: string, path: string): unknown[] {
  if (!text.endsWith('\n\n')) throw new Error(`${path}: a stream that ends within an event`)
  const blocks = text.slice(0, -2).split('\n\n')
  const lines = blocks.map((block) => block.split('\n').filter((line) => !line.startsWith(':')))
  const data = lines.flatMap((each) => each.filter((line) => line.startsWith('data: ')))
  const whole = data.map((line) => line.slice('data: '.length))
  const done = whole.indexOf('[DONE]')
  if (done >= 0 && done !== whole.length - 1) throw new Error(`${path}: events after [DONE]`)
  return whole.slice(0, done < 0 ? undefined : done).map((line) => JSON.parse(line))
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
