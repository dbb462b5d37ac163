import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fromBase64, toBase64, toHex } from '../../attest/bytes.ts'
import { verifyEd25519 } from '../../attest/crypto.ts'
import { epochId } from '../../attest/epoch/index.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import { claimsDigest, type EvidenceBundle, encodeClaims, parseClaims } from '../../attest/evidence/index.ts'
import { SimulatedTee } from '../../attest/simulate/index.ts'
import { CLOSE, type WorkerMessageOf, welcomeMessage } from '../../worker/protocol/link.ts'
import { type FakeWorkerOptions, MODEL, makeBoot } from './testing/fake-worker.ts'
import { OWN_CLAIMS, TestGateway } from './testing/gateway.ts'

let gateway: TestGateway
beforeEach(async () => {
  gateway = await TestGateway.open()
})
afterEach(() => gateway.close())

/** Dials and expects a refusal; returns what the worker was told and what the log says. */
async function refusedWith(options: Partial<FakeWorkerOptions>) {
  const worker = await gateway.dial(options)
  const { code, factors } = await worker.hear('refused')
  const closed = await worker.closed
  expect(gateway.pool.workers()).toEqual([])
  expect(gateway.pool.pick(MODEL.id)).toEqual({ kind: 'none' })
  const [entry] = gateway.logged('worker refused')
  expect(entry).toMatchObject({ level: 'warn', code, factors })
  return { code, factors, closed: closed.code }
}

function bendClaims(
  bundle: EvidenceBundle,
  bend: (claims: ReturnType<typeof parseClaims>) => unknown,
): EvidenceBundle {
  const claims = parseClaims(fromBase64(bundle.claims))
  bend(claims)
  return { ...bundle, claims: toBase64(encodeClaims(claims)) }
}

describe('a worker that joins', () => {
  it('is welcomed, recovers, and then offers its slots', async () => {
    const worker = await gateway.join({ slots: 3 })
    const welcome = await worker.hear('welcome')
    expect(welcome).toMatchObject({ version: 2, payment: null, heartbeatMs: 15_000 })
    const [view] = gateway.pool.workers()
    expect(view).toMatchObject({
      bootId: worker.boot.bootId,
      slots: 3,
      active: 0,
      state: 'ready',
      attested: true,
    })
    expect(view?.workerId).toBe(toHex(worker.boot.publicKey))
    expect(gateway.pool.pick(MODEL.id).kind).toBe('lease')
    expect(gateway.pool.pick('another').kind).toBe('none')
  })

  it('gets a welcome that is signed over the whole handshake', async () => {
    const joins: WorkerMessageOf<'join'>[] = []
    const keep = (join: WorkerMessageOf<'join'>) => {
      joins.push(join)
      return join
    }
    const workers = [await gateway.join({ bendJoin: keep }), await gateway.join({ bendJoin: keep })]
    const signedFor = await Promise.all(
      workers.map(async (worker, index) => {
        const [challenge, welcome] = [await worker.hear('challenge'), await worker.hear('welcome')]
        return joins.map((join) => {
          const message = welcomeMessage({ challenge, join, claimsDigest: claimsDigest(OWN_CLAIMS), welcome })
          const good = verifyEd25519(gateway.publicKey, message, fromBase64(welcome.signature))
          return good === (join === joins[index])
        })
      }),
    )
    expect(signedFor).toEqual([
      [true, true],
      [true, true],
    ])
  })

  it('may name the key that agrees to an early close', async () => {
    const worker = await gateway.join({ payoutKey: 'aa'.repeat(32) })
    expect((await worker.hear('welcome')).version).toBe(2)
  })

  it('gets no work before its held receipts are dealt with', async () => {
    const gate = Promise.withResolvers<void>()
    gateway.pool.listen({ onCapacity: () => {}, onHeld: () => gate.promise, onLateReceipt: () => {} })
    const worker = await gateway.dial()
    await worker.hear('welcome')
    expect(gateway.pool.workers()[0]?.state).toBe('recovering')
    expect(gateway.pool.pick(MODEL.id)).toEqual({ kind: 'busy' })
    gate.resolve()
    await gateway.until(() => gateway.pool.pick(MODEL.id).kind === 'lease')
  })
})

describe('a voucher that a worker shows, as its welcome named a lower one', () => {
  const voucher = { ceiling: '700', signature: Buffer.alloc(64, 3).toString('base64') }

  it.each([
    ['is judged before its receipts are', 'this ledger is older than its own signature'],
    ['changes nothing when the books know of so much', undefined],
  ])('%s', async (_, objection) => {
    const asked: unknown[] = []
    const order: string[] = []
    const own = await TestGateway.open({
      checkVoucher: async ({ ledgerChannel }, { ceiling, signature }) => {
        order.push('voucher')
        asked.push([ledgerChannel, ceiling, Buffer.from(signature).toString('base64')])
        return objection
      },
    })
    own.pool.listen({
      onCapacity: () => {},
      onHeld: async () => void order.push('held'),
      onLateReceipt: () => {},
    })
    const worker = await own.dial({ voucher })
    if (objection === undefined) {
      await own.until(() => own.pool.pick(MODEL.id).kind === 'lease')
      expect(order).toEqual(['voucher', 'held'])
    } else {
      expect(await worker.hear('refused')).toMatchObject({ code: 'terms', reason: objection })
      expect((await worker.closed).code).toBe(CLOSE.refused)
      expect(order).toEqual(['voucher'])
      expect(own.pool.pick(MODEL.id)).toEqual({ kind: 'none' })
    }
    expect(asked).toEqual([['worker-channel', 700n, voucher.signature]])
    await own.close()
  })
})

describe('no work, and the log names the failed factor, for', () => {
  it('a wrong root', async () => {
    const tee = SimulatedTee.ephemeral({ now: () => gateway.clock.now() })
    const { code, factors, closed } = await refusedWith({ tee })
    expect(code).toBe('evidence')
    expect(factors.length).toBeGreaterThan(0)
    expect(factors.join()).toMatch(/root|chain|pck|anchor/)
    expect(closed).toBe(CLOSE.refused)
  })

  it('a stale epoch', async () => {
    const boot = await makeBoot(gateway.clock)
    const { id, publicKey, notBefore } = boot.epochs.current()
    const epoch = {
      id,
      kem: 'X-Wing' as const,
      publicKey: toBase64(publicKey),
      notBefore: notBefore - 700_000,
      notAfter: notBefore - 100_000,
    }
    const { factors } = await refusedWith({ boot, claims: { epoch } })
    expect(factors).toEqual(['epoch.valid'])
  })

  it('a swapped epoch key', async () => {
    const publicKey = new Uint8Array(1216).fill(9)
    const { factors } = await refusedWith({
      bendEvidence: (bundle) =>
        bendClaims(bundle, (claims) => {
          claims.epoch.publicKey = toBase64(publicKey)
          claims.epoch.id = toHex(epochId(publicKey))
        }),
    })
    expect(factors).toEqual(['reportdata.binding'])
  })

  it('a replayed join', async () => {
    let heard: WorkerMessageOf<'join'> | undefined
    const first = await gateway.join({
      bendJoin: (join) => {
        heard = join
        return join
      },
    })
    first.die()
    await gateway.until(() => gateway.pool.workers().length === 0)
    const { factors } = await refusedWith({ bendJoin: (join) => heard ?? join })
    expect(factors).toEqual(['evidence.freshness'])
  })

  it('a bad model digest', async () => {
    const [model] = (await gateway.dial()).claims().models
    if (!model) throw new Error('no model')
    await gateway.until(() => gateway.pool.workers().length === 1)
    await gateway.close()
    gateway = await TestGateway.open()
    const { factors } = await refusedWith({ claims: { models: [{ ...model, sha256: '00'.repeat(32) }] } })
    expect(factors).toEqual(['model.allowed'])
  })

  it('evidence of a gateway', async () => {
    expect((await refusedWith({ claims: { role: 'gateway' } })).factors).toEqual(['role.expected'])
  })

  it('something that is no evidence at all', async () => {
    const { code, factors } = await refusedWith({
      bendJoin: (join) => ({ ...join, evidence: { format: 'x' } }),
    })
    expect(code).toBe('evidence')
    expect(factors.length).toBeGreaterThan(0)
  })

  it('a signature over another connection', async () => {
    const other = toBase64(new Uint8Array(32).fill(1))
    const { code } = await refusedWith({ bendJoin: (join) => ({ ...join, nonce: other }) })
    expect(code).toBe('signature')
  })

  it('a payout key that was put in, taken away or exchanged on the way', async () => {
    const [own, other] = ['aa', 'bb'].map((byte) => byte.repeat(32)) as [string, string]
    const bends: Partial<FakeWorkerOptions>[] = [
      { bendJoin: (join) => ({ ...join, payoutKey: other }) },
      { payoutKey: own, bendJoin: (join) => ({ ...join, payoutKey: other }) },
      { payoutKey: own, bendJoin: ({ payoutKey: _, ...join }) => join },
    ]
    for (const bend of bends) expect((await refusedWith(bend)).code).toBe('signature')
  })

  it('a claimed key that another key signs for', async () => {
    const stranger = await makeBoot(gateway.clock)
    const { code } = await refusedWith({ claims: { signingKey: toBase64(stranger.publicKey) } })
    expect(code).toBe('signature')
    stranger.epochs.close()
  })
})

describe('terms and versions', () => {
  it('refuses a worker whose models nobody wants at its prices', async () => {
    await gateway.close()
    gateway = await TestGateway.open({ quotesFor: () => [] })
    expect((await refusedWith({})).code).toBe('terms')
  })

  it('spends nothing on a worker that is not let in', async () => {
    let asked = 0
    const narrow = await TestGateway.open(
      {
        limits: { maxWorkers: 1 },
        paymentFor: async () => {
          asked += 1
          return { ledgerChannel: 'worker-channel', terms: null }
        },
      },
      { clock: gateway.clock, tee: gateway.tee },
    )
    const first = await narrow.join()
    expect((await (await narrow.dial()).hear('refused')).code).toBe('busy')
    const lease = narrow.pool.pick(MODEL.id)
    if (lease.kind === 'lease') lease.lease.worker.condemn('test')
    await first.closed
    expect((await (await narrow.dial({ boot: first.boot })).hear('refused')).code).toBe('busy')
    expect(asked).toBe(1)
    await narrow.close()
  })

  it.each([
    ['ERR_TREASURY_PAYOUT', 'terms', 'payoutAddress: not an address'],
    ['ERR_TREASURY_LIMIT', 'busy', 'no more channels: try again in 65 minutes'],
  ])('tells a worker why no channel can pay it: %s', async (treasury, code, reason) => {
    const strict = await TestGateway.open(
      {
        paymentFor: async () => {
          throw new ChrysalisError(treasury, reason)
        },
      },
      { clock: gateway.clock, tee: gateway.tee },
    )
    expect(await (await strict.dial()).hear('refused')).toMatchObject({ code, reason })
    await strict.close()
  })

  it.each([
    ['later ones only', 7, { min: 7, max: 9 }],
    ['the first one, without a signed welcome, only', 1, { min: 1, max: 1 }],
    ['more, but joined in another than the highest common one', 1, { min: 1, max: 5 }],
  ])('says so when the versions do not meet: %s', async (_name, version, versions) => {
    const { code, closed } = await refusedWith({ bendJoin: (join) => ({ ...join, version, versions }) })
    expect(code).toBe('version_unsupported')
    expect(closed).toBe(CLOSE.version_unsupported)
  })

  it('takes a worker that speaks more versions in the highest common one', async () => {
    const worker = await gateway.join({ bendJoin: (join) => ({ ...join, versions: { min: 1, max: 5 } }) })
    expect((await worker.hear('welcome')).version).toBe(2)
  })

  it('a fault of ours closes the link without a word about it', async () => {
    await gateway.close()
    gateway = await TestGateway.open({ paymentFor: () => Promise.reject(new Error('secret detail')) })
    const worker = await gateway.dial()
    expect(await worker.closed).toEqual({ code: CLOSE.internal, reason: 'internal' })
    expect(JSON.stringify(gateway.log)).not.toContain('secret detail')
  })
})

describe('one connection for each boot', () => {
  it('the same boot with the same key replaces its former connection', async () => {
    const first = await gateway.join()
    const second = await gateway.dial({ boot: first.boot })
    await second.hear('welcome')
    expect(await first.closed).toEqual({ code: CLOSE.replaced, reason: 'replaced' })
    expect(gateway.pool.workers()).toHaveLength(1)
  })

  it('the same boot with another key is refused, and the first one stays', async () => {
    const first = await gateway.join()
    const thief = await makeBoot(gateway.clock)
    const second = await gateway.dial({ boot: { ...thief, bootId: first.boot.bootId } })
    expect((await second.hear('refused')).code).toBe('signature')
    expect(gateway.pool.workers()[0]?.workerId).toBe(toHex(first.boot.publicKey))
  })
})

describe('epochs', () => {
  it('a worker attests its next epoch and goes on; without that it gets no work near the end', async () => {
    const worker = await gateway.join()
    const before = gateway.pool.workers()[0]
    gateway.clock.advance(0)
    const first = worker.boot.epochs.current().id
    await beat(569_000)
    // One second of margin left: still chosen.
    const early = gateway.pool.pick(MODEL.id)
    expect(early.kind).toBe('lease')
    if (early.kind === 'lease') early.lease.release()
    await beat(1_000)
    expect(gateway.pool.pick(MODEL.id)).toEqual({ kind: 'busy' })
    expect(gateway.pool.workers()[0]?.attested).toBe(false)

    await gateway.until(() => worker.boot.epochs.current().id !== first)
    worker.say({ type: 'attest-request' })
    const { epochId: attested } = await worker.hear('attested')
    expect(attested).toBe(worker.boot.epochs.current().id)
    const picked = gateway.pool.pick(MODEL.id)
    expect(picked.kind === 'lease' && picked.lease.epoch.id).toBe(attested)
    expect(gateway.pool.workers()[0]?.epochEnds).toBeGreaterThan(before?.epochEnds ?? Number.NaN)

    /** Moves time in steps that the heartbeat survives. */
    async function beat(ms: number): Promise<void> {
      for (let left = ms; left > 0; left -= 15_000) {
        gateway.clock.advance(Math.min(15_000, left))
        const mark = 1 + ((gateway.pool.workers()[0]?.queued ?? 0) % 1000)
        worker.say({ type: 'heartbeat', active: 0, queued: mark })
        await gateway.until(() => gateway.pool.workers()[0]?.queued === mark)
      }
    }
  })

  it('evidence that fails at re-attestation ends the link, and the log names the factor', async () => {
    let joined = false
    const worker = await gateway.join({
      bendEvidence: (bundle) =>
        joined ? bendClaims(bundle, (claims) => Object.assign(claims, { payoutAddress: 'bent' })) : bundle,
    })
    joined = true
    worker.say({ type: 'attest-request' })
    expect(await worker.hear('refused')).toMatchObject({ code: 'evidence', factors: ['reportdata.binding'] })
    expect((await worker.closed).code).toBe(CLOSE.refused)
    expect(gateway.logged('worker refused')[0]).toMatchObject({ factors: ['reportdata.binding'] })
  })

  it('another offer under a new epoch is refused', async () => {
    const claims: FakeWorkerOptions['claims'] = {}
    const worker = await gateway.join({ claims })
    claims.payoutAddress = `0:${'22'.repeat(32)}`
    // New claims need a new epoch.
    await worker.boot.epochs.close()
    Object.assign(worker.boot, { epochs: (await makeBoot(gateway.clock)).epochs })
    worker.say({ type: 'attest-request' })
    expect((await worker.hear('refused')).code).toBe('terms')
  })
})
