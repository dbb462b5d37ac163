import type { ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'

const NOTHING = new Uint8Array()

/**
 * Resolves when all that was pulled of an answer's body until now has left this process, or its client has gone; what
 * the kernel has it sends, also should the process die. Never rejects.
 *
 * @param outgoing absent where there is no socket, as in a test that calls the application itself
 */
export async function flushed(outgoing: ServerResponse | undefined): Promise<void> {
  // What the body's reader was given is written within this turn of the event loop.
  await nextTurn()
  if (!outgoing || outgoing.closed || outgoing.writableLength === 0) return
  // An answer to a pipelined request has no socket before its turn.
  const socket = outgoing.socket ?? (await assigned(outgoing))
  if (!socket || socket.destroyed) return
  await new Promise<void>((resolve) => socket.write(NOTHING, () => resolve()))
}

async function assigned(outgoing: ServerResponse): Promise<ServerResponse['socket']> {
  const { promise, resolve } = Promise.withResolvers<void>()
  outgoing.once('socket', resolve).once('close', resolve)
  await promise
  outgoing.off('socket', resolve).off('close', resolve)
  // What waited is handed to the socket right after it is told of.
  await nextTurn()
  return outgoing.socket
}
