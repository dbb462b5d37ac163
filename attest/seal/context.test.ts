import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../bytes.ts'
import { contextHash, encodeContext, parseContext, type SealContext } from './context.ts'
import { SealError } from './errors.ts'

const context: SealContext = {
  v: 1,
  requestId: 'req-1',
  sealId: '00'.repeat(16),
  epochId: '11'.repeat(16),
  claimsDigest: '22'.repeat(32),
  tee: 'simulated-tdx',
  gateway: 'gateway-1',
  method: 'POST',
  path: '/v1/chat/completions',
  model: { id: 'm', sha256: '33'.repeat(32) },
  payer: { kind: 'channel', key: Buffer.alloc(32, 1).toString('base64'), channel: 'EQ', account: '' },
  quoteDigest: '44'.repeat(32),
  maxCharge: '12',
  maxPromptTokens: 1,
  maxOutputTokens: 2,
  n: 1,
  responseMode: { stream: true, padding: 'bucket', cadence: 0 },
  deadline: 5,
}

function refusal(text: string): string {
  try {
    parseContext(utf8(text))
  } catch (error) {
    if (error instanceof SealError) return error.message
    throw error
  }
  throw new Error('the context was accepted')
}

const text = fromUtf8(encodeContext(context))

describe('the context', () => {
  it('is RFC 8785 when made: sorted names, no spaces', () => {
    expect(text.startsWith('{"claimsDigest":"2222')).toBe(true)
    expect(text).not.toMatch(/\s/)
    expect(parseContext(utf8(text))).toEqual(context)
  })

  it('need not be canonical when read, and is hashed as received', () => {
    const spaced = utf8(JSON.stringify(context, null, 2))
    expect(parseContext(spaced)).toEqual(context)
    expect(contextHash(spaced)).not.toEqual(contextHash(utf8(text)))
  })

  it('is refused with an unknown name at any level', () => {
    expect(refusal(text.replace('{', '{"zz":1,'))).toMatch(/zz/)
    expect(refusal(text.replace('"cadence":0', '"cadence":0,"zz":1'))).toMatch(/responseMode.*zz/)
    expect(refusal(text.replace('{', '{"__proto__":{"a":1},'))).toMatch(/context/)
  })

  it('is refused with a repeated name, also one that is escaped differently', () => {
    expect(refusal(text.replace('{', '{"maxCharge":"1",'))).toMatch(/distinct/)
    expect(refusal(text.replace('{', '{"maxCharg\\u0065":"1",'))).toMatch(/distinct/)
    expect(refusal(text.replace('"cadence":0', '"cadence":0,"stream":false'))).toMatch(/distinct/)
  })

  it('is refused without a name, whichever it is', () => {
    for (const name of Object.keys(context)) {
      const { [name as keyof SealContext]: _, ...rest } = context
      expect(refusal(JSON.stringify(rest))).toMatch(new RegExp(name))
    }
  })

  it('is refused with a value out of range, naming the field', () => {
    const bad: [keyof SealContext, unknown][] = [
      ['v', 2],
      ['sealId', 'AA'.repeat(16)],
      ['epochId', '11'],
      ['tee', 'sgx'],
      ['maxCharge', '01'],
      ['maxCharge', 1],
      ['maxCharge', '-1'],
      ['maxPromptTokens', 1.5],
      ['n', 0],
      ['deadline', -1],
      ['path', 'v1'],
      ['requestId', 'a b'],
      ['requestId', ''],
      ['method', 'post'],
    ]
    for (const [name, value] of bad) {
      expect(refusal(JSON.stringify({ ...context, [name]: value }))).toMatch(new RegExp(name))
    }
    const payer = { ...context.payer, key: 'AAAA' }
    expect(refusal(JSON.stringify({ ...context, payer }))).toMatch(/payer\.key/)
  })

  it('is refused when it is not JSON in UTF-8, or over 16 KiB', () => {
    expect(refusal('{')).toMatch(/JSON/)
    expect(refusal(`\ufeff${text}`)).toMatch(/JSON/)
    expect(() => parseContext(new Uint8Array([0xff]))).toThrow(SealError)
    expect(() => parseContext(new Uint8Array(16_385))).toThrow(/16384/)
  })

  it('never makes the parser throw anything but SealError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (input) => {
        expect(() => parseContext(utf8(input))).toThrow(SealError)
      }),
      { numRuns: 200 },
    )
  })
})
