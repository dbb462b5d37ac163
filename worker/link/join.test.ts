import { describe, expect, test } from 'vitest'
import { fromBase64 } from '../../attest/bytes.ts'
import { Gate } from '../engine/testing/scripted.ts'
import { CLOSE, encodeChunk } from '../protocol/index.ts'
import { GATEWAY_ID, type JoinOptions, type Peer } from '../testing/fake-gateway.ts'
import { Harness } from '../testing/harness.ts'

const PAYMENT = {
  channel: `0:${'ab'.repeat(32)}`,
  globalId: -217,
  codeHash: '00'.repeat(32),
  params: {
    payer: `0:${'ab'.repeat(32)}`,
    payee: `0:${'cd'.repeat(32)}`,
    voucherKey: '01'.repeat(32),
    payeeKey: '02'.repeat(32),
    challengeSeconds: 3600,
    openUntil: 1_800_000_000,
    salt: '03'.repeat(32),
  },
}

/** Reads what is left until the socket closes. */
async function closeOf(peer: Peer): Promise<{ code: number; reason: string }> {
  return await peer.next('closed')
}

describe('joining', () => {
  test('a worker proves itself, is welcomed and beats', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined({ heartbeatMs: 1_000 })
    expect(peer.claims?.bootId).toBe(harness.worker.bootId)
    expect(peer.claims?.role).toBe('worker')
    expect(peer.join?.capacity.slots).toBe(4)
    expect(harness.link.joined).toBe(true)
    await harness.clock.timerWithin(1_000)
    harness.clock.advance(1_000)
    expect(await peer.next('heartbeat')).toEqual({ type: 'heartbeat', active: 0, queued: 0 })
  })

  test('a silent gateway is dropped after two and a half intervals, and dialled again', async () => {
    await using harness = await Harness.open()
    await harness.joined({ heartbeatMs: 1_000 })
    harness.clock.advance(3_500)
    expect(harness.lost).toEqual(['heartbeat_lost'])
    harness.clock.advance(1_000)
    const again = await harness.gateway.connection()
    await again.welcome()
    expect(harness.link.joined).toBe(true)
  })

  test.each([
    [7, 9],
    [1, 1],
  ])('no common version with %i-%i: closed by name, said in the log', async (min, max) => {
    await using harness = await Harness.open()
    harness.link.start()
    const peer = await harness.gateway.connection()
    peer.challenge({ min, max })
    expect(await closeOf(peer)).toMatchObject({
      code: CLOSE.version_unsupported,
      reason: 'version_unsupported',
    })
    expect(harness.lost).toEqual(['ERR_LINK_VERSION'])
    expect(harness.logged.some(({ fields }) => fields.theirs === `${min}-${max}`)).toBe(true)
  })

  test('two ranges of versions: the highest common one, and none that nobody agreed on', async () => {
    const options = { link: { versions: { min: 1, max: 3 } } }
    await using harness = await Harness.open(options)
    const peer = await harness.joined({ versions: { min: 2, max: 4 } })
    expect(peer.join).toMatchObject({ version: 3, versions: options.link.versions })
    await using other = await Harness.open(options)
    const lower = { versions: { min: 2, max: 4 }, tamper: { welcome: { version: 2 } } }
    await expect(other.joined(lower)).rejects.toThrow(/4403/)
    expect(other.lost).toEqual(['ERR_LINK_VERSION'])
  })

  const zeros = (bytes: number) => Buffer.alloc(bytes).toString('base64')
  const tampers: [string, JoinOptions['tamper']][] = [
    ['without a signature', { welcome: { signature: zeros(64) } }],
    ['for another challenge', { challenge: { nonce: zeros(32) } }],
    ['by a gateway that offered other versions', { challenge: { versions: { min: 1, max: 9 } } }],
    ['by a gateway of another name', { challenge: { gatewayId: `${GATEWAY_ID}.` } }],
    ['for the join of somebody else', { join: { nonce: zeros(32) } }],
    ['for a join that was signed otherwise', { join: { signature: zeros(64) } }],
    ['for a worker that offered other versions', { join: { versions: { min: 1, max: 2 } } }],
    ['for more slots', { join: { capacity: { slots: 4096 } } }],
    ['for other prices', { join: { prices: [] } }],
    ['of another connection', { welcome: { session: 'session-2' } }],
    ['with other quotes', { welcome: { quotes: [zeros(2)] } }],
    ['with another heartbeat', { welcome: { heartbeatMs: 120_000 } }],
  ]
  test.each(tampers)('a welcome %s is not believed', async (_name, tamper) => {
    await using harness = await Harness.open()
    harness.link.start()
    const peer = await harness.gateway.connection()
    await expect(peer.welcome(tamper && { tamper })).rejects.toThrow(/"code":4403/)
    expect(harness.lost).toEqual(['ERR_GATEWAY_SIGNATURE'])
  })

  test('a welcome whose payment was changed on the way is not believed', async () => {
    await using harness = await Harness.open({ earnings: { unpaid: false } })
    harness.link.start()
    const peer = await harness.gateway.connection()
    await expect(peer.welcome({ payment: PAYMENT, tamper: { welcome: { payment: null } } })).rejects.toThrow(
      /"code":4403/,
    )
    expect(harness.lost).toEqual(['ERR_GATEWAY_SIGNATURE'])
  })

  test.each([
    [
      'role.expected',
      (peer: Peer) => {
        peer.gateway.forge = (claims) => ({ ...claims, role: 'worker' })
      },
    ],
    [
      'epoch.valid',
      (peer: Peer) => {
        peer.gateway.forge = (claims) => ({
          ...claims,
          epoch: { ...claims.epoch, notBefore: 1, notAfter: 600_000 },
        })
      },
    ],
    [
      'reportdata.binding',
      (peer: Peer) => {
        const { evidence } = peer.gateway
        peer.gateway.evidence = async function (nonce) {
          const made = await evidence.call(this, nonce)
          this.forge = (claims) => ({ ...claims, signingKey: Buffer.alloc(32, 9).toString('base64') })
          return { ...made, claims: (await evidence.call(this, nonce)).claims }
        }
      },
    ],
    [
      'evidence.freshness',
      (peer: Peer) => {
        const { evidence } = peer.gateway
        peer.gateway.evidence = function () {
          return evidence.call(this, new Uint8Array(32).fill(5))
        }
      },
    ],
  ])('a gateway whose evidence fails %s gets no worker', async (factor, spoil) => {
    await using harness = await Harness.open()
    harness.link.start()
    const peer = await harness.gateway.connection()
    spoil(peer)
    await expect(peer.welcome()).rejects.toThrow(/"code":4403/)
    expect(harness.lost).toEqual(['ERR_GATEWAY_EVIDENCE'])
    expect(harness.logged.flatMap(({ fields }) => fields.factors ?? [])).toContain(factor)
  })

  test('a gateway that calls itself by the name of another gets no worker', async () => {
    await using harness = await Harness.open()
    harness.link.start()
    const peer = await harness.gateway.connection()
    peer.gateway.forge = (claims) => ({ ...claims, payoutAddress: 'another.test' })
    await expect(peer.welcome()).rejects.toThrow(/"code":4403/)
    expect(harness.lost).toEqual(['ERR_GATEWAY_NAME'])
  })

  test('a gateway under another root gets no worker', async () => {
    await using other = await Harness.open()
    const policy = {
      name: 'g',
      roots: [{ sha256: '00'.repeat(32), kind: 'simulated' as const }],
      roles: ['gateway' as const],
      freshness: ['caller-nonce' as const],
      skip: [],
    }
    await using harness = await Harness.open({ link: { policy } })
    harness.link.start()
    await expect((await harness.gateway.connection()).welcome()).rejects.toThrow(/4403/)
    expect(other.lost).toEqual([])
    expect(harness.lost).toEqual(['ERR_GATEWAY_EVIDENCE'])
  })

  test('quotes below the asked prices, or for another model, are refused', async () => {
    const cheap = { prompt: '1', cached: '1', completion: '1', reasoning: '1' }
    for (const quote of [{ worker: cheap }, { model: { id: 'other', sha256: '00'.repeat(32) } }]) {
      await using harness = await Harness.open()
      harness.link.start()
      await expect((await harness.gateway.connection()).welcome({ quote })).rejects.toThrow(/4403/)
      expect(harness.lost).toEqual(['ERR_GATEWAY_TERMS'])
    }
  })

  test('no pay, no work, unless told otherwise', async () => {
    await using harness = await Harness.open({ earnings: { unpaid: false } })
    harness.link.start()
    await expect((await harness.gateway.connection()).welcome()).rejects.toThrow(/4403/)
    expect(harness.lost).toEqual(['ERR_UNPAID'])
  })

  test('a refusal is logged with its factors and tried again later', async () => {
    await using harness = await Harness.open()
    harness.link.start()
    const peer = await harness.gateway.connection()
    peer.challenge()
    await peer.next('join')
    peer.send({ type: 'refused', code: 'evidence', factors: ['quote.signature'], reason: 'no' })
    await closeOf(peer)
    expect(harness.lost).toEqual(['refused_evidence'])
    expect(harness.logged.flatMap(({ fields }) => fields.factors ?? [])).toEqual(['quote.signature'])
    harness.clock.advance(125)
    await (await harness.gateway.connection()).welcome()
  })

  test('words of a gateway reach no log but as printable ASCII', async () => {
    await using harness = await Harness.open()
    harness.link.start()
    const peer = await harness.gateway.connection()
    peer.challenge(undefined, 'gateway\u202e\u009b2J')
    await peer.next('join')
    const factors = ['quote\u202e.signature', '\u009b2J']
    peer.send({ type: 'refused', code: 'evidence', factors, reason: 'no\u200b\u009b2J' })
    await closeOf(peer)
    const told = harness.logged.filter(({ fields }) => 'gateway' in fields || 'factors' in fields)
    expect(told.map(({ fields: { epoch: _, ...fields } }) => fields)).toEqual([
      { gateway: 'gateway??2J' },
      { code: 'evidence', factors: ['quote?.signature', '?2J'], reason: 'no??2J' },
    ])
  })

  test('each join answers its own challenge: a recorded one does not verify again', async () => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    const { join } = peer
    if (!join) throw new Error('no join')
    const other = new Uint8Array(32).fill(1)
    await expect(peer.judge(join.evidence, other, join.signature, () => other)).rejects.toThrow(
      'evidence.freshness',
    )
    await expect(peer.judge(join.evidence, peer.nonce, join.signature, () => other)).rejects.toThrow(
      'signature',
    )
  })
})

describe('what breaks the protocol closes the link by name', () => {
  const junk: [string, number, (peer: Peer) => void][] = [
    ['text that is no JSON', CLOSE.malformed_message, (peer) => peer.ws.send('{')],
    ['an unknown type', CLOSE.malformed_message, (peer) => peer.ws.send('{"type":"hello"}')],
    ['a worker message', CLOSE.malformed_message, (peer) => peer.ws.send('{"type":"draining"}')],
    ['an empty binary message', CLOSE.malformed_message, (peer) => peer.ws.send(new Uint8Array(0))],
    [
      'a binary message of no kind',
      CLOSE.malformed_message,
      (peer) => peer.ws.send(Uint8Array.of(9, 0, 0, 0, 1)),
    ],
    [
      'a response from a gateway',
      CLOSE.unexpected_message,
      (peer) => peer.ws.send(encodeChunk(3, 1, new Uint8Array(1))),
    ],
    ['a second challenge', CLOSE.unexpected_message, (peer) => peer.challenge()],
    ['a second welcome', CLOSE.unexpected_message, (peer) => void peer.sendWelcome({})],
    [
      'credit for a stream that never was',
      CLOSE.unexpected_message,
      (peer) => peer.send({ type: 'credit', stream: 7, frames: 1 }),
    ],
    [
      'a nonce that nobody asked for',
      CLOSE.unexpected_message,
      (peer) => peer.send({ type: 'attest', nonce: Buffer.alloc(32).toString('base64') }),
    ],
    ['a message above the limit', 1009, (peer) => peer.ws.send('x'.repeat(1024 * 1024 + 1))],
  ]

  test.each(junk)('%s: %i', async (_name, code, send) => {
    await using harness = await Harness.open()
    const peer = await harness.joined()
    send(peer)
    expect((await closeOf(peer)).code).toBe(code)
    expect(harness.lost).toHaveLength(1)
  })

  test('bytes after the end of a request that is being answered', async () => {
    const gate = new Gate()
    await using harness = await Harness.open({ engine: { script: () => [gate] } })
    const peer = await harness.joined()
    const reader = await peer.request()
    await reader.read(() => reader.units.length > 0)
    peer.ws.send(encodeChunk(1, reader.id, new Uint8Array(1)))
    expect((await closeOf(peer)).code).toBe(CLOSE.unexpected_message)
  })

  test('before the welcome, and instead of a challenge', async () => {
    await using harness = await Harness.open()
    harness.link.start()
    const first = await harness.gateway.connection()
    first.send({ type: 'drain' })
    expect((await closeOf(first)).code).toBe(CLOSE.malformed_message)
    harness.clock.advance(125)
    const second = await harness.gateway.connection()
    second.challenge()
    await second.next('join')
    second.send({ type: 'cancel', stream: 1 })
    expect((await closeOf(second)).code).toBe(CLOSE.unexpected_message)
  })
})

test('the nonce of a join is fresh each time', async () => {
  await using harness = await Harness.open()
  const first = await harness.joined()
  first.ws.terminate()
  await harness.clock.timerWithin(125)
  harness.clock.advance(125)
  const second = await (await harness.gateway.connection()).welcome()
  expect(fromBase64(first.join?.nonce ?? '')).not.toEqual(fromBase64(second.join?.nonce ?? ''))
})
