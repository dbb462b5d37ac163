import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ATTESTATION_PATH } from '../../worker/protocol/index.ts'
import { readNetwork, TrustedProxies } from './caller.ts'
import { scriptedApp } from './testing/face.ts'

const proxies = new TrustedProxies(['10.0.0.0/8', '192.0.2.7', '2001:db8:1::/48'])

describe('who called', () => {
  it.each<[string, string | undefined, string]>([
    // Nobody whom we trust: the header is anybody's.
    ['203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['10.1.2.3', undefined, '10.1.2.3'],
    ['10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['192.0.2.8', '203.0.113.9', '192.0.2.8'],
    ['2001:db8:1:2::3', '2001:db8:2::1', '2001:db8:2::1'],
    // Several proxies; what the client invented stands before what they wrote.
    ['10.1.2.3', '198.51.100.1, 203.0.113.9, 192.0.2.7,10.9.9.9', '203.0.113.9'],
    ['10.1.2.3', '203.0.113.9:4711', '203.0.113.9'],
    ['10.1.2.3', '[2001:db8:2::1]:4711', '2001:db8:2::1'],
    ['10.1.2.3', '[2001:db8:2::1]', '2001:db8:2::1'],
    // Where it says nothing that we understand, all of that proxy's clients are one.
    ['10.1.2.3', '203.0.113.9, unknown', '10.1.2.3'],
    ['10.1.2.3', '203.0.113.9, 192.0.2.7, _hidden', '10.1.2.3'],
    ['10.1.2.3', '203.0.113.9, , 192.0.2.7', '192.0.2.7'],
    ['10.1.2.3', '', '10.1.2.3'],
    ['10.1.2.3', 'fe80::1%eth0', '10.1.2.3'],
    ['10.1.2.3', '10.4.4.4', '10.4.4.4'],
    ['', '203.0.113.9', ''],
  ])('%s with %j: %s', (peer, forwarded, caller) => {
    expect(proxies.callerOf(peer, forwarded)).toBe(caller)
  })

  const trusted = fc.nat(2 ** 24 - 1).map((n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`)
  const stranger = fc.oneof(
    fc.ipV4().filter((address) => !address.startsWith('10.') && address !== '192.0.2.7'),
    fc.ipV6().filter((address) => !/^2001:0?db8:0*1:/i.test(address) && !address.includes('.')),
  )

  it('is whoever the first of our proxies was called from, whatever that one had invented', () => {
    fc.assert(
      fc.property(fc.string(), stranger, fc.array(trusted), trusted, (invented, client, hops, peer) => {
        const header = [invented, client, ...hops].join(',')
        expect(proxies.callerOf(peer, header)).toBe(client)
        expect(proxies.callerOf(client, header)).toBe(client)
      }),
    )
  })

  it('is an address of the header or the peer, whatever the header says', () => {
    const anything = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789abf:.,[] %/') }))
    fc.assert(
      fc.property(anything, trusted, (header, peer) => {
        const caller = proxies.callerOf(peer, header)
        expect(caller === peer || header.includes(caller)).toBe(true)
      }),
    )
  })
})

it.each([
  '10.0.0.0/33',
  '2001:db8::/129',
  '10.0.0.0/',
  '10.0.0/8',
  '0.0.0.0/0',
  '::/0',
  '10.0.0.0/08',
  '/8',
  '',
  'proxy',
  '10.0.0.1 ',
])('%j is no network', (text) => {
  expect(readNetwork(text)).toBeUndefined()
})

it.each([
  [proxies, '203.0.113.9'],
  [undefined, '10.1.2.3'],
])(
  'evidence is asked for in the name of the client, where its proxy is trusted',
  async (trusted, address) => {
    const asked: string[] = []
    const attestation = {
      answer: async (_query: unknown, caller: string) => {
        asked.push(caller)
        const object = 'chrysalis.attestation' as const
        return { object, nonce: null, gateway: null, workers: [], errors: [] }
      },
    }
    const { app } = scriptedApp(() => Promise.reject(new Error('not asked')), {
      attestation,
      proxies: trusted,
    })
    const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.9' }
    await app.request(ATTESTATION_PATH, { headers }, { incoming: { socket: { remoteAddress: '10.1.2.3' } } })
    expect(asked).toEqual([address])
  },
)
