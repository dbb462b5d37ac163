import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { simulatedWithoutLog } from '../evidence/testing.ts'
import { SimulatedTee } from '../simulate/index.ts'
import { type Collateral, verifyQuote } from '../tdx/index.ts'
import { haveVectors, type VectorCase, vectorBytes, vectorJson } from '../tdx/testing.ts'
import type { CollateralStore } from './cache.ts'
import { collateralFromPcs, INTEL_PCS, type PcsOptions, subjectOf } from './index.ts'
import { type Handler, PATHS, type PcsServer, servePcs, usual } from './testing.ts'

const NOW = Date.UTC(2026, 10, 22)
const now = (): number => NOW
const tee = SimulatedTee.ephemeral({ now })
const quote = await tee.quote(new Uint8Array(64))
const collateral = await tee.collateral()
const foreignChain = (await SimulatedTee.ephemeral({ now }).collateral()).pck_crl_issuer_chain
const { fmspc, ca } = subjectOf(quote)
let pcs: PcsServer

beforeAll(async () => {
  pcs = await servePcs(collateral)
})
afterAll(() => pcs.close())
afterEach(() => {
  pcs.instead.clear()
  pcs.requests.length = 0
})

function source(more: Partial<PcsOptions> = {}): ReturnType<typeof collateralFromPcs> {
  return collateralFromPcs({ baseUrl: pcs.url, now, cache: false, ...more })
}

/** What the source throws when one path is answered so. */
async function failure(path: string, handler: Handler, more: Partial<PcsOptions> = {}): Promise<unknown> {
  pcs.instead.set(path, handler)
  return source(more)
    .collateral(quote)
    .catch((error: unknown) => error)
}

describe('a PCCS', () => {
  it('answers with collateral that the verifier accepts, byte for byte', async () => {
    const obtained = await source().obtain(quote)
    expect(obtained).toEqual({ collateral, source: pcs.url, fetchedAt: NOW })
    const policy = simulatedWithoutLog(tee.rootSha256)
    const verdict = await verifyQuote(quote, obtained.collateral, { policy, now: NOW })
    expect(verdict.factors.filter(({ result }) => result === 'fail')).toEqual([])
    expect(pcs.requests.toSorted()).toEqual(
      [
        `${PATHS.pckCrl}?ca=${ca}&encoding=der`,
        PATHS.rootCrl,
        PATHS.identity,
        `${PATHS.tcb}?fmspc=${fmspc}`,
      ].toSorted(),
    )
  })

  it.each(['/', '/sgx/certification/v4/', '/tdx/certification/v4'])('may be named with %s', async (path) => {
    expect(await source({ baseUrl: `${pcs.url}${path}` }).collateral(quote)).toEqual(collateral)
  })

  it('is asked for early updates by name', async () => {
    await source({ update: 'early' }).collateral(quote)
    expect(pcs.requests).toContain(`${PATHS.tcb}?fmspc=${fmspc}&update=early`)
    expect(pcs.requests).toContain(`${PATHS.identity}?update=early`)
  })

  it('has what it gave for early updates kept apart', async () => {
    const keys: string[] = []
    const store: CollateralStore = {
      read: async () => undefined,
      write: async (key) => void keys.push(key),
    }
    for (const update of ['early', 'standard'] as const)
      await source({ update, cache: { store } }).collateral(quote)
    expect(new Set(keys).size).toBe(2)
  })

  it('may send lists as DER, hex or PEM, chains with other line ends, and the older header', async () => {
    const pem = `-----BEGIN X509 CRL-----\r\n${Buffer.from(collateral.pck_crl, 'hex').toString('base64')}\r\n-----END X509 CRL-----\r\n`
    const crlf = (text: string): string => encodeURIComponent(text.replaceAll('\n', '\r\n'))
    pcs.instead.set(PATHS.rootCrl, (r) => r.end(Buffer.from(collateral.root_ca_crl, 'hex')))
    pcs.instead.set(PATHS.pckCrl, (r) =>
      r.writeHead(200, { 'SGX-PCK-CRL-Issuer-Chain': crlf(collateral.pck_crl_issuer_chain) }).end(pem),
    )
    pcs.instead.set(PATHS.tcb, (r) =>
      r
        .writeHead(200, { 'SGX-TCB-Info-Issuer-Chain': crlf(collateral.tcb_info_issuer_chain) })
        .end(
          ` { "signature" : "${collateral.tcb_info_signature.toUpperCase()}", "tcbInfo" : ${collateral.tcb_info} } `,
        ),
    )
    expect(await source().collateral(quote)).toEqual(collateral)
  })

  it('that moved within its own origin is followed, elsewhere and in circles not', async () => {
    pcs.instead.set(PATHS.tcb, (r) => r.writeHead(307, { location: '/moved' }).end())
    const answer = usual(PATHS.tcb, collateral)
    if (answer !== undefined) pcs.instead.set('/moved', answer)
    expect(await source().collateral(quote)).toEqual(collateral)
    const circle: Handler = (r) => r.writeHead(302, { location: PATHS.tcb }).end()
    pcs.requests.length = 0
    expect(await failure(PATHS.tcb, circle)).toMatchObject({ code: 'ERR_COLLATERAL_ANSWER' })
    expect(pcs.requests.filter((path) => path.startsWith(PATHS.tcb))).toHaveLength(4)
    const other = await servePcs(collateral)
    const away: Handler = (r) => r.writeHead(302, { location: `${other.url}${PATHS.tcb}` }).end()
    const error = await failure(PATHS.tcb, away)
    expect(error).toMatchObject({ code: 'ERR_COLLATERAL_ANSWER' })
    expect(String(error)).toContain('another host')
    expect(other.requests).toEqual([])
    await other.close()
  })

  it.each<[string, string, string, string, Handler]>([
    ['404', PATHS.tcb, 'NOT_FOUND', '404', (r) => r.writeHead(404).end('no')],
    ['500', PATHS.identity, 'UNREACHABLE', '500', (r) => r.writeHead(500).end('no')],
    ['429', PATHS.pckCrl, 'UNREACHABLE', '429', (r) => r.writeHead(429).end()],
    ['a connection that is cut', PATHS.tcb, 'UNREACHABLE', 'no answer', (r) => r.destroy()],
    ['a body that is cut', PATHS.tcb, 'UNREACHABLE', 'no answer', cutBody],
    ['a document that is cut', PATHS.tcb, 'ANSWER', 'not JSON', tcb(collateral.tcb_info.slice(0, 500))],
    ['no JSON', PATHS.tcb, 'ANSWER', 'not JSON', tcb('<html>')],
    ['no signature', PATHS.tcb, 'ANSWER', 'signature', tcbBody('{"tcbInfo":{}}')],
    ['a short signature', PATHS.tcb, 'ANSWER', '128', tcbBody('{"tcbInfo":{},"signature":"00"}')],
    ['two documents', PATHS.tcb, 'ANSWER', 'twice', tcb(`1,"tcbInfo":${collateral.tcb_info}`)],
    [
      'a changed document',
      PATHS.tcb,
      'ANSWER',
      'does not verify',
      tcb(collateral.tcb_info.replace('"svn":3', '"svn":2')),
    ],
    ['an older signature', PATHS.tcb, 'ANSWER', 'does not verify', tcb(collateral.tcb_info, '00'.repeat(64))],
    ['another platform', PATHS.tcb, 'ANSWER', 'FMSPC', otherPlatform],
    ['a document that grew', PATHS.tcb, 'ANSWER', 'longer', tcb(`${' '.repeat(200_000)}{}`)],
    ['an endless document', PATHS.identity, 'ANSWER', 'longer', endless],
    ['a document announced as huge', PATHS.identity, 'ANSWER', 'longer', announced],
    ['no chain', PATHS.pckCrl, 'ANSWER', 'no header SGX-PCK', (r) => r.end(Buffer.from('3000', 'hex'))],
    ['a chain that is none', PATHS.pckCrl, 'ANSWER', 'chain', chainHeader('hello')],
    ['a chain badly encoded', PATHS.pckCrl, 'ANSWER', 'percent', chainHeader('%E0%A4%A')],
    [
      'a chain of another root',
      PATHS.pckCrl,
      'ANSWER',
      'root',
      chainHeader(encodeURIComponent(foreignChain)),
    ],
    ['a list that is none', PATHS.rootCrl, 'ANSWER', 'DER', (r) => r.end('nothing')],
    ['a list that is cut', PATHS.rootCrl, 'ANSWER', 'CRL', (r) => r.end(collateral.root_ca_crl.slice(0, -2))],
    ['a list that is not text', PATHS.rootCrl, 'ANSWER', 'UTF-8', (r) => r.end(Buffer.of(0xff, 0xfe))],
    ['the other list', PATHS.rootCrl, 'ANSWER', 'name', (r) => r.end(collateral.pck_crl)],
  ])('that sends %s gives a clear error', async (_name, path, code, text, handler) => {
    const error = await failure(path, handler)
    expect(error).toMatchObject({ code: `ERR_COLLATERAL_${code}` })
    expect(String(error)).toContain(text)
  })

  it('without the root list is asked no further than the distribution point in Intel’s root', async () => {
    const error = await failure(PATHS.rootCrl, (r) => r.writeHead(404).end())
    expect(String(error)).toContain('set rootCrlUrl')
    pcs.instead.set('/list', (r) => r.end(Buffer.from(collateral.root_ca_crl, 'hex')))
    expect(await source({ rootCrlUrl: `${pcs.url}/list` }).collateral(quote)).toEqual(collateral)
  })

  it('that is slow is given up, and what else was asked is given up with it', async () => {
    const deadline = new AbortController()
    let closed: (() => void) | undefined
    const gone = new Promise<void>((resolve) => {
      closed = resolve
    })
    const slow: Handler = (response) => {
      response.on('close', () => closed?.())
      deadline.abort(new DOMException('late', 'TimeoutError'))
    }
    const asked: number[] = []
    const error = await failure(PATHS.identity, slow, {
      timeoutMs: 1234,
      timeout: (ms) => {
        asked.push(ms)
        return deadline.signal
      },
    })
    expect(error).toMatchObject({ code: 'ERR_COLLATERAL_UNREACHABLE' })
    expect(String(error)).toContain('in time')
    expect(asked).toEqual([1234])
    await gone
    const stop = new AbortController()
    stop.abort()
    await expect(source({ signal: stop.signal }).collateral(quote)).rejects.toThrow('given up')
  })

  it('that fails in one answer is not waited for in the others', { timeout: 20_000 }, async () => {
    let closed: (() => void) | undefined
    const gone = new Promise<void>((resolve) => {
      closed = resolve
    })
    let asked: (() => void) | undefined
    const both = new Promise<void>((resolve) => {
      asked = resolve
    })
    pcs.instead.set(PATHS.identity, (response) => {
      response.on('close', () => closed?.())
      asked?.()
    })
    const fail: Handler = (response) => void both.then(() => response.writeHead(500).end())
    const error = await failure(PATHS.tcb, fail, { timeout: () => new AbortController().signal })
    expect(String(error)).toContain('500')
    await gone
  })

  it('is not asked about quotes under a root that is not pinned, nor believed under another', async () => {
    const other = SimulatedTee.ephemeral({ now })
    const pinned = source({ roots: [{ sha256: tee.rootSha256 }] })
    await expect(pinned.collateral(await other.quote(new Uint8Array(64)))).rejects.toThrow('not pinned')
    await expect(pinned.collateral(quote.subarray(0, 1000))).rejects.toMatchObject({ code: 'ERR_QUOTE' })
    expect(pcs.requests).toEqual([])
    expect(await pinned.collateral(quote)).toEqual(collateral)
    pcs.collateral = await other.collateral()
    await expect(pinned.collateral(quote)).rejects.toThrow('not pinned')
    pcs.collateral = collateral
  })

  it('is not believed outside the dates of its answer', async () => {
    for (const at of [NOW - 86_400_000, NOW + 31 * 86_400_000])
      await expect(source({ now: () => at }).collateral(quote)).rejects.toThrow('clock')
  })
})

describe('addresses', () => {
  it.each([
    ['http://pccs.example', 'https'],
    ['http://127.0.0.1.example', 'https'],
    ['ftp://127.0.0.1', 'https'],
    ['pccs', 'not a URL'],
    ['https://user:secret@pccs.example', 'user name'],
    ['https://pccs.example/?a=b', 'query'],
  ])('%s is refused', (baseUrl, text) => {
    const make = (): unknown => collateralFromPcs({ baseUrl, now })
    expect(make).toThrow(text)
    expect(make).not.toThrow('secret')
  })

  it('may be plain on loopback and where it is allowed by name', () => {
    for (const baseUrl of [
      'http://localhost:8081/sgx/certification/v4/',
      'http://[::1]:1',
      'http://127.9.9.9',
    ])
      collateralFromPcs({ baseUrl, now })
    collateralFromPcs({ baseUrl: 'http://pccs:8081', now, plainHosts: ['pccs:8081'] })
    expect(() => collateralFromPcs({ baseUrl: 'http://pccs:8082', now, plainHosts: ['pccs:8081'] })).toThrow(
      'https',
    )
    expect(() => source({ rootCrlUrl: 'http://pccs:8082' })).toThrow('https')
  })
})

const there = haveVectors()
const cases = there ? vectorJson<{ cases: VectorCase[] }>('tdx/index.json').cases : []

describe.skipIf(!there)('Intel’s real answers', () => {
  it('come from the PCS and, for the root list, from the distribution point', async () => {
    const [test] = cases
    if (test === undefined) throw new Error('no cases')
    const real = vectorJson<Collateral>(test.collateral)
    const quote = vectorBytes(test.quote)
    const server = await servePcs(real)
    const asked: string[] = []
    const fetched = await collateralFromPcs({
      baseUrl: INTEL_PCS,
      now: () => test.unix * 1000,
      fetch: (url, init) => {
        const { origin, pathname, search } = new URL(url)
        asked.push(origin)
        return fetch(`${server.url}${pathname}${search}`, init)
      },
    }).collateral(quote)
    expect(fetched).toEqual(real)
    expect(asked).toEqual([INTEL_PCS, INTEL_PCS, INTEL_PCS, 'https://certificates.trustedservices.intel.com'])
    expect(server.requests).toContain(`${PATHS.pckCrl}?ca=platform&encoding=der`)
    expect(server.requests).not.toContain(PATHS.rootCrl)
    await server.close()
  })
})

function tcb(document: string, signature = collateral.tcb_info_signature): Handler {
  return tcbBody(`{"tcbInfo":${document},"signature":"${signature}"}`)
}

function tcbBody(body: string): Handler {
  return (response) => {
    const chain = encodeURIComponent(collateral.tcb_info_issuer_chain)
    response.writeHead(200, { 'TCB-Info-Issuer-Chain': chain }).end(body)
  }
}

function cutBody(response: Parameters<Handler>[0]): void {
  response.writeHead(200, { 'content-length': '5000' })
  response.write('{"tcbInfo":', () => response.destroy())
}

function endless(response: Parameters<Handler>[0]): void {
  response.writeHead(200)
  const more = (): void => {
    if (!response.destroyed) response.write(Buffer.alloc(65_536, 0x20), more)
  }
  more()
}

/** Headers alone: a client that waits for the body would wait for ever. */
function announced(response: Parameters<Handler>[0]): void {
  response.writeHead(200, { 'content-length': '900000000' }).flushHeaders()
}

function otherPlatform(response: Parameters<Handler>[0]): void {
  usual(PATHS.tcb, tee.issueCollateral({ fmspc: new Uint8Array(6) }))?.(response)
}

function chainHeader(chain: string): Handler {
  return (response) => {
    response.writeHead(200, { 'SGX-PCK-CRL-Issuer-Chain': chain }).end(Buffer.from(collateral.pck_crl, 'hex'))
  }
}
