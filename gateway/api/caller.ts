import { BlockList, isIP } from 'node:net'
import type { Context } from 'hono'
import type { ApiDeps } from './deps.ts'
import type { Env } from './route.ts'

/** The address of whoever sent a request, for what each address has its share of. */
export function callerOf(c: Context<Env>, { proxies }: Pick<ApiDeps, 'proxies'>): string {
  // Absent where there is no socket, as in a test that calls the application itself.
  const peer = c.env?.incoming?.socket.remoteAddress ?? ''
  return proxies?.callerOf(peer, c.req.header('x-forwarded-for')) ?? peer
}

/**
 * Reverse proxies whose word on their clients is taken. Each proxy adds the address that it was called from to the end of
 * X-Forwarded-For; what stands before that may be anybody's invention. So it is read from its end, and only as far as those
 * who wrote it are trusted.
 */
export class TrustedProxies {
  readonly #networks = new BlockList()

  /** @param networks as {@link readNetwork} takes them */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const read = readNetwork(network)
      if (!read) throw new TypeError(`no network: ${network}`)
      this.#networks.addSubnet(read.address, read.prefix, read.family)
    }
  }

  /**
   * @param peer address at the other end of the connection
   * @param forwarded value of X-Forwarded-For
   * @returns the last address on the way here that is no proxy of ours; where the header ends or says no address before
   *   that, the proxy that wrote it
   */
  callerOf(peer: string, forwarded: string | undefined): string {
    let caller = peer
    if (!this.#trusts(caller)) return caller
    const way = forwarded?.split(',') ?? []
    while (this.#trusts(caller)) {
      const before = readAddress(way.pop() ?? '')
      if (before === undefined) break
      caller = before
    }
    return caller
  }

  #trusts(caller: string): boolean {
    const [address = ''] = caller.split('%', 1)
    const family = familyOf(address)
    return family !== undefined && this.#networks.check(address, family)
  }
}

/**
 * Reads `ADDRESS` or `ADDRESS/BITS`, of either family.
 *
 * @returns undefined for anything else, and for a network of all addresses: then everybody could be anybody
 */
export function readNetwork(
  text: string,
): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [, address = '', bits] = /^([0-9a-fA-F:.]+)(?:\/([1-9][0-9]{0,2}))?$/.exec(text) ?? []
  const family = familyOf(address)
  if (!family) return undefined
  const most = family === 'ipv4' ? 32 : 128
  const prefix = bits === undefined ? most : Number(bits)
  return prefix <= most ? { address, prefix, family } : undefined
}

/** Some proxies write the port too: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function readAddress(text: string): string | undefined {
  const [, bracketed, v4] = /^(?:\[([^\]]+)\]|([0-9.]+))(?::[0-9]{1,5})?$/.exec(text.trim()) ?? []
  const address = bracketed ?? v4 ?? text.trim()
  return !address.includes('%') && isIP(address) !== 0 ? address : undefined
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address)
  if (version === 0) return undefined
  return version === 4 ? 'ipv4' : 'ipv6'
}
