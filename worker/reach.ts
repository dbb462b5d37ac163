import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'

const POLL_MS = 50

/**
 * Waits until something listens at the URL's host and port. A worker that is started together with its gateway would
 * else lose its first attempts, warn of it and back off.
 *
 * @param waitMs after which it gives up, quietly: the link's own attempts say what is wrong
 */
export async function untilReachable(url: string, waitMs: number): Promise<void> {
  const { hostname, port, protocol } = new URL(url)
  const standard = protocol === 'wss:' ? 443 : 80
  const host = hostname.replace(/^\[|\]$/g, '')
  const until = performance.now() + waitMs
  while (!(await listens(host, Number(port || standard))) && performance.now() < until)
    await setTimeout(POLL_MS)
}

function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 })
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
    socket.once('timeout', () => settle(false))
  })
}
