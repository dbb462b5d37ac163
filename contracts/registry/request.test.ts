/** Requests as files: they say what is signed, and nothing else gets through. */

import { readFileSync } from 'node:fs'
import { Address } from '@ton/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { generateKey, privateKeyFromSeed, rawPublicKey } from '../voucher/keys.ts'
import { gatewayEntry, measurementEntry, modelEntry } from './entries.ts'
import {
  parseText,
  parseWith,
  registryParamsFromJson,
  stepFromJson,
  stepsSchema,
  stepToJson,
} from './json.ts'
import {
  type Asked,
  formatRequest,
  parseRequest,
  requestHash,
  type SigningRequest,
  signRequest,
} from './request.ts'
import { type Step, stepsCell } from './steps.ts'
import { describeRequest, quoted, span, widens } from './words.ts'

const where = { globalId: -217, registry: new Address(0, Buffer.alloc(32, 7)), epoch: 3 }
const asOf = { version: 5, threshold: 2, delaySeconds: 86_400, minSoftware: '1.0.0' }
const request = (asked: Asked): SigningRequest => ({ domain: where, asked, asOf, signatures: new Map() })

const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((raw) => Buffer.from(raw).toString('hex'))
const register = fc.option(hex(48))
const price = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })
const number = fc.nat(0xffffffff)
const text = fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }).filter((each) => each.isWellFormed())
const step: fc.Arbitrary<Step> = fc.oneof(
  fc
    .record({
      mrTd: hex(48),
      rtmr: fc.tuple(register, register, register, register),
      mrConfigId: register,
      mrOwner: register,
    })
    .map((set) => measurementEntry({ ...set, roles: ['worker'], mrOwnerConfig: null }))
    .map((entry): Step => ({ kind: 'put', entry })),
  fc
    .tuple(
      hex(32),
      fc.record({ id: text, prompt: price, cached: price, completion: price, reasoning: price }),
    )
    .map(([key, model]): Step => ({ kind: 'put', entry: modelEntry(key, model) })),
  fc
    .tuple(
      hex(32),
      fc.webUrl({ validSchemes: ['https'] }).filter((url) => url.length <= 120),
    )
    .map(([key, endpoint]): Step => ({ kind: 'put', entry: gatewayEntry(key, { endpoint }) })),
  fc.record({
    kind: fc.constant('remove' as const),
    table: fc.constantFrom('measurements', 'models', 'gateways'),
    key: hex(32),
  }),
  fc.record({ kind: fc.constant('unrevoke' as const), key: hex(32) }),
  number.map((policyVersion): Step => ({ kind: 'policy', policyVersion, minSoftware: '1.2.3' })),
  number.map((expiresAt): Step => ({ kind: 'renew', expiresAt })),
  number.map((dropped): Step => ({ kind: 'drop', number: dropped })),
  fc.integer({ min: 1, max: 10 }).map((count): Step => {
    const owners = Array.from({ length: count }, (_, index) =>
      rawPublicKey(privateKeyFromSeed(Buffer.alloc(32, index))),
    )
    return { kind: 'owners', owners, threshold: count, delaySeconds: 3600 }
  }),
)
const asked: fc.Arbitrary<Asked> = fc.oneof(
  fc.record({
    kind: fc.constant('proposal' as const),
    number,
    validUntil: number,
    steps: fc.array(step, { minLength: 1, maxLength: 16 }),
  }),
  fc.record({ kind: fc.constant('revoke' as const), owner: fc.nat(255), acts: number, key: hex(32) }),
  fc.record({ kind: fc.constant('cancel' as const), owner: fc.nat(255), acts: number, number }),
)

describe('a request', () => {
  it('comes back from its file with the same hash and signatures, and every step can be read', () => {
    const keys = [generateKey(), generateKey()]
    fc.assert(
      fc.property(asked, (what) => {
        const signed = keys.reduce(signRequest, request(what))
        const back = parseRequest(formatRequest(signed))
        expect(requestHash(back)).toEqual(requestHash(signed))
        expect(back.signatures).toEqual(signed.signatures)
        // Nothing that a terminal obeys, or does not show, is in what an owner reads.
        expect(describeRequest(back).join('')).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
      }),
      { numRuns: 100 },
    )
  })

  it('is refused, with a typed error, when anything in its file is another', () => {
    const steps: Step[] = [{ kind: 'policy', policyVersion: 2, minSoftware: '1.2.3' }]
    const file = formatRequest(
      signRequest(request({ kind: 'proposal', number: 4, validUntil: 99, steps }), generateKey()),
    )
    const changed = (change: (json: { asked?: { steps: object[] }; signatures?: object }) => unknown) => {
      const json = JSON.parse(file)
      change(json)
      return () => parseRequest(JSON.stringify(json))
    }
    const tampered = [
      changed((json) => Object.assign(json, { epoch: 4 })),
      changed((json) => Object.assign(json, { globalId: -239 })),
      changed((json) => Object.assign(json, { registry: `0:${'0'.repeat(64)}` })),
      changed((json) => Object.assign(json.asked ?? {}, { number: 5 })),
      changed((json) => Object.assign(json.asked ?? {}, { validUntil: 100 })),
      changed(({ asked }) =>
        Object.assign((asked ?? { steps: [] }).steps[0] ?? {}, { minSoftware: '1.2.4' }),
      ),
    ]
    for (const parse of tampered) expect(parse).toThrow('somebody changed the file')
    const other = rawPublicKey(generateKey()).toString('hex')
    const borrowed = changed((json) =>
      Object.assign(json, { signatures: { [other]: Object.values(json.signatures ?? {})[0] } }),
    )
    expect(borrowed).toThrow(`signatures.${other}: not a signature of this request`)
    expect(changed((json) => Object.assign(json, { more: 1 }))).toThrow(
      expect.objectContaining({ code: 'ERR_REGISTRY_JSON' }),
    )
    expect(() => parseRequest('no')).toThrow('request: not JSON')
  })
})

describe('words', () => {
  it('spell out what a terminal would obey or hide', () => {
    expect(quoted('a\u001b[2J\u202eb"\u00a0ü c')).toBe('"a\\u{1b}[2J\\u{202e}b\\u{22}\\u{a0}ü c"')
  })

  it('say what loosens, and what only narrows', () => {
    const policy = (minSoftware: string): Step => ({ kind: 'policy', policyVersion: 9, minSoftware })
    expect(widens(policy('0.9.9'), '1.0.0')).toBe(true)
    expect(widens(policy('1.0.0'), '1.0.0')).toBe(false)
    const loosening = request({ kind: 'proposal', number: 1, validUntil: 9, steps: [policy('0.1.0')] })
    expect(describeRequest(loosening).join('\n')).toContain('loosens: it waits 1 d in public')
    const narrowing = request({ kind: 'proposal', number: 1, validUntil: 9, steps: [policy('1.1.0')] })
    expect(describeRequest(narrowing).join('\n')).toContain('narrows')
    expect([0, 59, 3661, 90_000].map(span)).toEqual(['0 s', '59 s', '1 h 1 min 1 s', '1 d 1 h'])
  })
})

describe('JSON of owners', () => {
  it('becomes the same steps again', () => {
    fc.assert(
      fc.property(step, (each) => {
        expect(stepsCell([stepFromJson(stepToJson(each))]).equals(stepsCell([each]))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('is what the README shows', () => {
    const readme = readFileSync(new URL('README.md', import.meta.url), 'utf8')
    const block = (name: string) => {
      const [, text = ''] = new RegExp(`\n\`\`\`json ${name}\n([^\`]*)\`\`\``).exec(readme) ?? []
      return parseText(text.replaceAll('REGISTER', 'ab'.repeat(48)), name)
    }
    expect(registryParamsFromJson(block('registry')).entries).toHaveLength(1)
    const kinds = parseWith(stepsSchema, block('steps'), 'steps').map((each) => stepFromJson(each).kind)
    expect(new Set(kinds)).toEqual(new Set(['put', 'remove', 'unrevoke', 'policy', 'renew', 'drop']))
  })

  it('names the field at fault', () => {
    const beginning = {
      owners: [],
      threshold: 1,
      delaySeconds: 3600,
      expiresAt: '2027-01-01T00:00:00Z',
      minSoftware: '0.1.0',
    }
    const prices = { prompt: '1', cached: '1', completion: '1.5', reasoning: '1' }
    const model = { sha256: 'a'.repeat(64), id: 'tiny', prices }
    const bad = (value: unknown) => () => registryParamsFromJson(value)
    expect(bad({ ...beginning, models: [model] })).toThrow(
      'registry.models.0.prices.completion: expected a decimal',
    )
    expect(bad({ ...beginning, expiresAt: 'tomorrow' })).toThrow('registry.expiresAt: expected a moment')
    expect(bad({ ...beginning, gateways: [{ wallet: 'mine', endpoint: 'https://a' }] })).toThrow(
      'registry.gateways.0.wallet: ',
    )
    expect(bad({ ...beginning, extra: 1 })).toThrow('registry: ')
    expect(
      bad({ ...beginning, gateways: [{ wallet: `0:${'a'.repeat(64)}`, endpoint: 'http://plain' }] }),
    ).toThrow('https')
  })
})
