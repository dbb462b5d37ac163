import { concat, utf8 } from '../../attest/bytes.ts'

const PREFIX = utf8('data: ')
const SUFFIX = utf8('\n\n')
const DONE = utf8('data: [DONE]\n\n')

/**
 * Frames JSON documents as server-sent events. One document is pulled for each read of the client, so a slow reader
 * slows the engine and nothing piles up here.
 *
 * The source ends only after the charge is committed; then `[DONE]` follows. When it throws, the error goes out as
 * a data event of its own and the stream ends without `[DONE]`, so that no client takes it for a whole answer.
 *
 * @param source whole JSON documents in UTF-8, without line breaks
 * @param onCancel called when the client goes away
 */
export function eventStream(
  source: AsyncIterator<Uint8Array>,
  { describeError, onCancel }: { describeError: (error: unknown) => string; onCancel: () => void },
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = await source.next()
          if (!next.done) return controller.enqueue(concat(PREFIX, next.value, SUFFIX))
          controller.enqueue(DONE)
        } catch (error) {
          controller.enqueue(concat(PREFIX, utf8(describeError(error)), SUFFIX))
        }
        controller.close()
      },
      cancel: onCancel,
    },
    { highWaterMark: 0 },
  )
}
