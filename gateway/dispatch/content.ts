import { concat, fromUtf8 } from '../../attest/bytes.ts'
import { FRAME, type ResponseFrame } from '../../attest/seal/index.ts'
import { IntegrityError } from './errors.ts'
import type { DispatchEvent, DispatchRequest } from './types.ts'

/** For what every answer has whatever its length: ids, usage, the first and the last event. */
const BASE_BYTES = 64 * 1024
/** One event of one token, padded: some 0.5 KiB; a token of 128 blanks with its log entry stays below this. */
const EVENT_BYTES_PER_TOKEN = 4096
/** The text of one token within a body, escaped. */
const BODY_BYTES_PER_TOKEN = 512
/** What may come back as it was sent (a translation of what needs none): twice, escaped and padded. */
const BYTES_PER_REQUEST_BYTE = 8
/** A body is held whole until it is paid for; no answer of a model comes near this. */
const MOST_BODY_BYTES = 64 * 1024 * 1024

const OPENING_BRACE = 0x7b

type Bounds = Pick<DispatchRequest, 'stream' | 'maxPromptTokens' | 'maxOutputTokens' | 'n' | 'extraBytes'> & {
  bodyBytes: number
}

/**
 * Most bytes of content that an answer may have. Both bounds follow from what the request can be charged, so a worker
 * that sends more sends what nobody pays for; only the bound of a body has a ceiling too, as only bodies are held.
 */
export function mostContent(bounds: Bounds): number {
  const { stream, maxPromptTokens, maxOutputTokens, n = 1, extraBytes = 0, bodyBytes } = bounds
  const outputTokens = maxOutputTokens * n
  const base = BASE_BYTES + BYTES_PER_REQUEST_BYTE * bodyBytes + extraBytes
  // A piece that needs no translation has an event of its own; there are no more of them than prompt tokens.
  if (stream) return base + EVENT_BYTES_PER_TOKEN * (maxPromptTokens + outputTokens)
  return Math.min(base + BODY_BYTES_PER_TOKEN * outputTokens, MOST_BODY_BYTES)
}

/**
 * Checks that opened frames are what the HTTP face may frame without a look at them: an event is one JSON object on
 * one line (so that no worker writes `[DONE]` or a second event), the pieces of a body are together one JSON object.
 * An event that is longer than a frame begins with body frames; the event frame ends it.
 */
export class ContentCheck {
  readonly #stream: boolean
  /** Of the body, or of the event that is being received. */
  #pieces: Uint8Array[] = []
  #left: number
  /** Bytes of a streamed event that are held until it is whole. */
  #held = 0

  constructor(bounds: Bounds) {
    this.#stream = bounds.stream
    this.#left = mostContent(bounds)
  }

  /** The event of a frame, its bytes as they are; undefined for padding. @throws IntegrityError */
  take({ type, content }: ResponseFrame): DispatchEvent | undefined {
    if (type !== FRAME.event && type !== FRAME.body) return undefined
    if (type === FRAME.event && !this.#stream) throw malformed('a frame of the wrong kind for this request')
    this.#left -= content.length
    if (this.#left < 0) throw malformed('more content than the request can be charged for')
    if (type === FRAME.event) return this.#event(content)
    this.#pieces.push(content)
    if (!this.#stream) return { type: 'body', bytes: content }
    this.#held += content.length
    if (this.#held > MOST_BODY_BYTES) throw malformed('an event that is too long')
    return undefined
  }

  #event(last: Uint8Array): DispatchEvent {
    const json = this.#pieces.length === 0 ? last : concat(...this.#pieces, last)
    this.#pieces = []
    this.#held = 0
    if (json.includes(0x0a) || json.includes(0x0d)) throw malformed('an event with a line break')
    checkObject(json)
    return { type: 'event', json }
  }

  /** To be called before a success is believed. @throws IntegrityError */
  end(): void {
    if (!this.#stream) checkObject(concat(...this.#pieces))
    else if (this.#pieces.length > 0) throw malformed('an event without its end')
  }
}

function checkObject(bytes: Uint8Array): void {
  if (bytes[0] !== OPENING_BRACE) throw malformed('content that is not a JSON object')
  try {
    JSON.parse(fromUtf8(bytes))
  } catch {
    throw malformed('content that is not a JSON object')
  }
}

function malformed(message: string): IntegrityError {
  return new IntegrityError('ERR_CONTENT_MALFORMED', message)
}
