import { concat, utf8 } from '../../attest/bytes.ts'

/** How the events of a route are framed. */
export interface SseStyle {
  /** The bytes of one event that holds this JSON document. */
  frame(document: Uint8Array): Uint8Array
  /** What follows the last event of a stream that ended well. */
  readonly end: Uint8Array | undefined
  /** The document that tells of an error, given OpenAI's error object and the number of events before it. */
  error(error: Readonly<Record<string, unknown>>, events: number): unknown
}

const DATA = utf8('data: ')
const EVENT = utf8('event: ')
const LINE = utf8('\n')
const SUFFIX = utf8('\n\n')
const KEEP_ALIVE = utf8(': keep-alive\n\n')

/** `data: {…}` and at the end `[DONE]`: all routes but the Responses API. */
export const PLAIN_STYLE: SseStyle = {
  frame: (document) => concat(DATA, document, SUFFIX),
  end: utf8('data: [DONE]\n\n'),
  error: (error) => ({ error }),
}

/** `event: <type>` and `data: {"type":"<type>",…}`, without an end: the Responses API. */
export const TYPED_STYLE: SseStyle = {
  frame(document) {
    const type = typeOf(document)
    return type ? concat(EVENT, type, LINE, DATA, document, SUFFIX) : concat(DATA, document, SUFFIX)
  },
  end: undefined,
  error: ({ code, message, param }, events) => ({
    type: 'error',
    code,
    message,
    param,
    sequence_number: events,
  }),
}

const TYPE_FIRST = utf8('{"type":"')
const QUOTE = 0x22

/** The name of the event, which its writer puts first; undefined where it does not stand there or is no name. */
function typeOf(document: Uint8Array): Uint8Array | undefined {
  if (!TYPE_FIRST.every((byte, at) => document[at] === byte)) return undefined
  const end = document.indexOf(QUOTE, TYPE_FIRST.length)
  const type = document.subarray(TYPE_FIRST.length, end)
  return type.length > 0 && type.every(isNameByte) ? type : undefined
}

/** a-z, `_` and `.` */
const isNameByte = (byte: number) => (byte >= 0x61 && byte <= 0x7a) || byte === 0x5f || byte === 0x2e

export interface EventStreamOptions {
  style: SseStyle
  /** OpenAI's error object for what the source threw. */
  describeError: (error: unknown) => Readonly<Record<string, unknown>>
  /** Called when the client goes away. */
  onCancel: () => void
  /** When nothing was sent between two looks, this far apart, a comment goes out. Milliseconds. */
  keepAliveMs: number
  after: (ms: number, fn: () => void) => () => void
  /** That long it has been silent already. */
  silent?: boolean
}

/**
 * Frames JSON documents as server-sent events. One document is pulled for each read of the client, so a slow reader
 * slows the engine and nothing piles up here.
 *
 * The source ends only after the charge is committed; then the end of the style follows. When it throws, the error goes
 * out as an event of its own and nothing after it, so that no client takes the stream for a whole answer. While the
 * source is silent comments go out, so that no proxy takes the connection for dead.
 *
 * @param source whole JSON documents in UTF-8, without line breaks
 */
export function eventStream(
  source: AsyncIterator<Uint8Array>,
  { style, describeError, onCancel, keepAliveMs, after, silent = false }: EventStreamOptions,
): ReadableStream<Uint8Array> {
  let events = 0
  let stopTimer = () => {}
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        if (silent) controller.enqueue(KEEP_ALIVE)
        let seen = events
        const look = () => {
          // Below 0 something waits for the client to take it.
          if (events === seen && controller.desiredSize === 0) controller.enqueue(KEEP_ALIVE)
          seen = events
          stopTimer = after(keepAliveMs, look)
        }
        stopTimer = after(keepAliveMs, look)
      },
      async pull(controller) {
        try {
          const next = await source.next()
          if (!next.done) {
            events += 1
            return controller.enqueue(style.frame(next.value))
          }
          if (style.end) controller.enqueue(style.end)
        } catch (error) {
          controller.enqueue(style.frame(utf8(JSON.stringify(style.error(describeError(error), events)))))
        }
        stopTimer()
        controller.close()
      },
      cancel() {
        stopTimer()
        onCancel()
      },
    },
    { highWaterMark: 0 },
  )
}
