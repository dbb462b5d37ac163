import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromBase64, fromHex, toBase64 } from '../bytes.ts'
import { makeCase } from '../simulate/cases.ts'
import { parseCertificate } from '../x509/index.ts'
import { digestOf, VerdictCache } from './cache.ts'
import { NONCE, NOW, sampleClaims, sampleEvidence, sampleTee, simulatedWithoutLog } from './testing.ts'
import type { Verdict } from './verdict.ts'
import { type VerifyOptions, verifyEvidence } from './verify.ts'

const tee = sampleTee()
const policy = simulatedWithoutLog(tee.rootSha256)
const bundle = await sampleEvidence(tee)
const accepting = await verifyEvidence(bundle, { policy, nonce: NONCE, now: () => NOW })

/** A cache that counts how often it had to judge. */
function counting(options = {}, judge = verifyEvidence) {
  const calls: VerifyOptions[] = []
  const cache = new VerdictCache(options, (input, given) => {
    calls.push(given)
    return judge(input, given)
  })
  const ask = (time = NOW, changes: Partial<VerifyOptions> = {}, input: unknown = bundle) =>
    cache.verify(input, { policy, nonce: NONCE, now: () => time, ...changes })
  return { cache, calls, ask }
}

describe('VerdictCache', () => {
  it('judges evidence once, and gives everyone an answer of their own', async () => {
    const { calls, ask } = counting()
    const first = await ask()
    expect(first.verdict).toBe('accept')
    expect(first).toEqual(await verifyEvidence(bundle, { policy, nonce: NONCE, now: () => NOW }))
    first.factors.length = 0
    const again = await ask(NOW + 1000)
    expect(again.factors.length).toBeGreaterThan(50)
    expect(again.claims).toEqual(sampleClaims())
    again.factors.length = 0
    expect((await ask()).factors.length).toBeGreaterThan(50)
    expect(calls).toHaveLength(1)
  })

  it('does not remember refusals', async () => {
    const { cache, calls, ask } = counting()
    for (let i = 0; i < 2; i++) expect((await ask(NOW, { nonce: new Uint8Array(32) })).verdict).toBe('refuse')
    expect(calls).toHaveLength(2)
    expect(cache.size).toBe(0)
  })

  it('lets those who ask at once wait for one answer, good or bad', async () => {
    const { calls, ask } = counting()
    const good = await Promise.all(Array.from({ length: 5 }, () => ask()))
    expect(good.map(({ verdict }) => verdict)).toEqual(Array(5).fill('accept'))
    expect(calls).toHaveLength(1)
    const bad = await Promise.all([0, 1, 999].map((late) => ask(NOW + late, { nonce: new Uint8Array(32) })))
    expect(bad.map(({ verdict }) => verdict)).toEqual(Array(3).fill('refuse'))
    expect(calls).toHaveLength(2)
  })

  it('gives nobody the verdict of another time', async () => {
    const { calls, ask } = counting()
    const [good, late] = await Promise.all([ask(NOW), ask(NOW + 3_600_000)])
    expect([good.verdict, late.verdict]).toEqual(['accept', 'refuse'])
    calls.length = 0
    const other = { clockSkewMs: 1 }
    const early = ask(NOW - 3_600_000, { policy: { ...policy, ...other } })
    const now = ask(NOW, { policy: { ...policy, ...other } })
    expect([(await early).verdict, (await now).verdict]).toEqual(['refuse', 'accept'])
    expect(calls).toHaveLength(2)
  })

  it('passes on that a policy is malformed, and judges anew after that', async () => {
    const { ask } = counting()
    const broken = { policy: { ...policy, roots: [] } }
    await expect(Promise.all([ask(NOW, broken), ask(NOW, broken)])).rejects.toMatchObject({
      code: 'ERR_POLICY',
    })
    expect((await ask()).verdict).toBe('accept')
  })

  it('keeps the verdicts that were used last', async () => {
    const { cache, calls, ask } = counting({ maxEntries: 2 })
    const skews = [1, 2, 3].map((clockSkewMs) => ({ policy: { ...policy, clockSkewMs } }))
    const [a = {}, b = {}, c = {}] = skews
    for (const options of [a, b, a, c]) await ask(NOW, options)
    expect(cache.size).toBe(2)
    expect(calls).toHaveLength(3)
    await ask(NOW, a)
    expect(calls).toHaveLength(3)
    await ask(NOW, b)
    expect(calls).toHaveLength(4)
  })

  it('loses to endless writings of one evidence nothing but that evidence', async () => {
    const { cache, calls, ask } = counting({ maxEntries: 8 })
    const other = await sampleEvidence(tee, sampleClaims({ payoutAddress: 'other' }))
    await ask()
    const padded = (zeros: number) => {
      const quote = new Uint8Array([...fromBase64(other.quote), ...new Uint8Array(zeros)])
      return { ...other, quote: toBase64(quote) }
    }
    for (let zeros = 0; zeros < 20; zeros++) {
      expect((await ask(NOW, {}, padded(zeros))).verdict).toBe('accept')
      expect(cache.size).toBeLessThanOrEqual(5)
    }
    expect(calls).toHaveLength(21)
    await ask()
    await ask(NOW, {}, padded(19))
    expect(calls).toHaveLength(21)
  })

  it('judges anew what it cannot hash: a client that asks others', async () => {
    const { cache, calls, ask } = counting()
    class Client {
      ask(): void {}
    }
    const gpuTools = { ocsp: new Client() } as VerifyOptions['gpuTools'] & object
    for (let i = 0; i < 2; i++) await ask(NOW, { gpuTools })
    expect(calls).toHaveLength(2)
    expect(calls[0]?.gpuTools).toBe(gpuTools)
    expect(cache.size).toBe(0)
  })

  it('judges what it hashed, whatever the caller does to it meanwhile', async () => {
    const { ask } = counting({}, async (input, given) => {
      await Promise.resolve()
      return verifyEvidence(input, given)
    })
    const nonce = NONCE.slice()
    const input = { ...bundle }
    const answer = ask(NOW, { nonce }, input)
    nonce.fill(0)
    input.quote = 'AAAA'
    expect((await answer).verdict).toBe('accept')
    expect((await ask(NOW, { nonce })).verdict).toBe('refuse')
  })
})

describe('the end of a verdict', () => {
  /** Whether a verdict with these ends, made at NOW, is still given at a time. */
  async function kept(changes: Partial<Verdict>, time: number, options = {}): Promise<boolean> {
    const { calls, ask } = counting(options, async () => ({ ...accepting, ...changes }))
    await ask(NOW)
    await ask(time)
    return calls.length === 1
  }
  const epochEnd = sampleClaims().epoch.notAfter
  const fields = (validUntil: number): Partial<Verdict> => ({ fields: { ...accepting.fields, validUntil } })

  it('is the end of the epoch', async () => {
    expect(await kept({}, epochEnd - 1)).toBe(true)
    expect(await kept({}, epochEnd)).toBe(false)
  })

  it('is the end of the first thing that it rests on', async () => {
    expect(await kept(fields(NOW + 5000), NOW + 5000)).toBe(true)
    expect(await kept(fields(NOW + 5000), NOW + 5001)).toBe(false)
  })

  it('is its age, and a clock that goes back', async () => {
    expect(await kept({}, NOW + 1000, { maxAgeMs: 1000 })).toBe(true)
    expect(await kept({}, NOW + 1001, { maxAgeMs: 1000 })).toBe(false)
    expect(await kept({}, NOW - 1)).toBe(false)
  })

  it('is at once where nothing says when', async () => {
    expect(await kept({ fields: {} }, NOW)).toBe(false)
  })

  it('is what the documents, lists, certificates and the floor say', async () => {
    const ends = async (name: string, changes: Partial<VerifyOptions['policy']> = {}) => {
      const made = await makeCase(name, { now: NOW })
      const { fields: found } = await verifyEvidence(made.bundle, {
        policy: { ...made.policy, ...changes },
        nonce: made.nonce,
        now: () => made.now,
      })
      return found.validUntil ?? 0
    }
    const day = 86_400_000
    expect(await ends('good')).toBe(NOW - 3_600_000 + 30 * day)
    expect(await ends('root-crl-expired')).toBe(NOW - 3_600_000)
    const leaf = parseCertificate(tee.platform.certificates.leaf)
    expect(leaf.notAfter).toBeGreaterThan(NOW + 30 * day)
    expect(await ends('pck-expired')).toBe(NOW - day / 2)
    expect(await ends('tcb-signer-expired')).toBe(NOW - 3_600_000)
  })
})

describe('the key of a verdict', () => {
  type Change = readonly [string, (input: { bundle: typeof bundle; options: VerifyOptions }) => unknown]
  const options: VerifyOptions = {
    policy: { ...policy, revokedPlatforms: ['00'.repeat(16)], tcb: { statuses: [], advisories: [] } },
    nonce: NONCE,
    now: () => NOW,
    beacons: [NONCE],
    gpuTools: { rims: [Uint8Array.of(1, 2)], jwks: { keys: [] } },
  }
  const changes: Change[] = [
    ...Object.keys(bundle.collateral ?? {}).map(
      (name): Change => [`collateral.${name}`, ({ bundle: changed }) => edit(changed.collateral, name)],
    ),
    ...(['format', 'tee', 'nonce', 'claims', 'quote'] as const).map(
      (name): Change => [name, ({ bundle: changed }) => edit(changed, name)],
    ),
    ['an event log', ({ bundle: changed }) => Object.assign(changed, { eventLog: toBase64(fromHex('00')) })],
    ['GPU evidence', ({ bundle: changed }) => Object.assign(changed, { gpu: toBase64(fromHex('00')) })],
    ['an unknown member', ({ bundle: changed }) => Object.assign(changed, { more: undefined })],
    ['the caller’s nonce', ({ options: o }) => Object.assign(o, { nonce: NONCE.with(31, 0) })],
    ['no nonce', ({ options: o }) => Object.assign(o, { nonce: undefined })],
    ['a beacon', ({ options: o }) => Object.assign(o, { beacons: [NONCE.with(0, 9)] })],
    [
      'beacons divided otherwise',
      ({ options: o }) => Object.assign(o, { beacons: [NONCE.subarray(0, 16), NONCE.subarray(16)] }),
    ],
    [
      'a RIM',
      ({ options: o }) => Object.assign(o, { gpuTools: { ...o.gpuTools, rims: [Uint8Array.of(1)] } }),
    ],
    ['keys', ({ options: o }) => Object.assign(o, { gpuTools: { ...o.gpuTools, jwks: { keys: [1] } } })],
    ['an anchor', ({ options: { policy: p } }) => edit(p.roots[0], 'sha256')],
    ['an anchor’s kind', ({ options: { policy: p } }) => Object.assign(p.roots[0] ?? {}, { kind: 'intel' })],
    [
      'one more anchor',
      ({ options: { policy: p } }) => p.roots.push({ sha256: '00'.repeat(32), kind: 'intel' }),
    ],
    ['roles', ({ options: { policy: p } }) => p.roles.pop()],
    ['freshness', ({ options: { policy: p } }) => p.freshness.push('none')],
    ['a skip', ({ options: { policy: p } }) => p.skip.push('td.debug')],
    ['a refused platform', ({ options: { policy: p } }) => p.revokedPlatforms?.pop()],
    ['a status', ({ options: { policy: p } }) => p.tcb?.statuses.push('OutOfDate')],
    ['an advisory', ({ options: { policy: p } }) => p.tcb?.advisories.push('OutOfDate')],
    ['models', ({ options: { policy: p } }) => Object.assign(p, { models: {} })],
    ['measurements', ({ options: { policy: p } }) => Object.assign(p, { measurements: [] })],
    ['a floor', ({ options: { policy: p } }) => Object.assign(p, { evaluationFloor: 0 })],
    [
      'the registry',
      ({ options: { policy: p } }) => Object.assign(p, { registry: { globalId: 1, address: '' } }),
    ],
    ['its name', ({ options: { policy: p } }) => edit(p, 'name')],
  ]

  /** Changes the last character of a text member. */
  function edit(object: object | undefined, name: string): void {
    const holder = object as Record<string, string>
    const text = holder[name] ?? ''
    holder[name] = `${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}`
  }

  it.each(changes)('is another with another %s', async (_name, change) => {
    const { calls, ask } = counting({}, async () => accepting)
    await ask(NOW, options)
    const { now: _now, ...data } = options
    const changed = { bundle: structuredClone(bundle), options: structuredClone(data) as VerifyOptions }
    change(changed)
    await ask(NOW, changed.options, changed.bundle)
    expect(calls).toHaveLength(2)
    await ask(NOW, structuredClone(data) as VerifyOptions, structuredClone(bundle))
    expect(calls).toHaveLength(2)
  })
  it('never reads the same for different data', () => {
    const data = fc.anything({
      withNullPrototype: true,
      withTypedArray: false,
      values: [fc.string(), fc.integer(), fc.boolean(), fc.uint8Array({ maxLength: 4 }), fc.constant(null)],
      maxDepth: 3,
    })
    fc.assert(
      fc.property(data, data, (a, b) => {
        const same = digestOf(a) === digestOf(b)
        expect(same).toBe(canonical(a) === canonical(b))
        expect(digestOf(structuredClone(a))).toBe(digestOf(a))
      }),
      { numRuns: 500 },
    )
  })

  it('frames what lies side by side', () => {
    const all = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['abc'],
      [['ab'], 'c'],
      { ab: 'c' },
      'abc',
      Uint8Array.of(97, 98, 99),
      ['1'],
      [1],
      [],
      {},
      null,
      undefined,
      'null',
      false,
      0,
      -0,
      Number.NaN,
      [[], []],
      [[[]]],
    ]
    expect(new Set(all.map(digestOf)).size).toBe(all.length)
    expect(() => digestOf('\ud800')).toThrow(TypeError)
    expect(() => digestOf(new Map())).toThrow(TypeError)
  })

  /** Another way to tell data apart. */
  function canonical(value: unknown): string {
    if (value instanceof Uint8Array) return `bytes:${[...value].join()}`
    if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
    if (typeof value !== 'object' || value === null)
      return Object.is(value, -0) ? '-0' : typeof value === 'string' ? JSON.stringify(value) : String(value)
    const names = Object.keys(value).sort()
    return `{${names.map((name) => `${JSON.stringify(name)}:${canonical((value as never)[name])}`).join()}}`
  }
})
