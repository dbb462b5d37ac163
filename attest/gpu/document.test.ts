import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { haveVectors, vectorBytes, vectorJson } from '../tdx/testing.ts'
import { ARCHITECTURES } from './chain.ts'
import { encodeGpuDocument, GPU_EVIDENCE_FORMAT, MAX_GPU_DOCUMENT, parseGpuDocument } from './document.ts'
import { GpuError } from './errors.ts'

const documentError = expect.objectContaining({ code: 'ERR_GPU_DOCUMENT' })
const device = { arch: 'HOPPER', certificate: 'AAAA', evidence: 'AAAA', nonce: 'ab'.repeat(32) }
const own = { format: GPU_EVIDENCE_FORMAT, devices: [device] }
const parse = (json: unknown) => parseGpuDocument(utf8(JSON.stringify(json)))

describe('files of GPU evidence', () => {
  it('are ours, a list, one device, or what a tool wraps around a list', () => {
    for (const json of [own, [device], device, { evidences: [device], result_code: 0 }]) {
      const [only, more] = parse(json).devices
      expect(only).toEqual({
        arch: 'HOPPER',
        certificate: new Uint8Array(3),
        evidence: new Uint8Array(3),
        nonce: new Uint8Array(32).fill(0xab),
      })
      expect(more).toBeUndefined()
    }
    expect(parse([{ ...device, arch: 'hopper', driver_version: '1', version: '1.0' }]).devices).toHaveLength(
      1,
    )
    const eat = [['JWT', 'a.b.c'], { 'GPU-0': 'a.b.c' }]
    expect(parse(eat)).toEqual({ devices: [], rims: [], eats: [{ bundle: eat }], ocsp: [] })
    expect(parse({ ...own, devices: [], eat: { bundle: eat, jwks: { keys: [] } } }).eats).toHaveLength(1)
  })

  it('read back as they were written', () => {
    const bytes = fc.uint8Array({ maxLength: 60 })
    const one = fc.record({
      arch: fc.constantFrom(...ARCHITECTURES),
      certificate: bytes,
      evidence: bytes,
      nonce: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    })
    const eats = fc.array(fc.record({ bundle: fc.constant([1, 'x']), jwks: fc.constant({ keys: [] }) }), {
      maxLength: 2,
    })
    const shape = { rims: fc.array(bytes), ocsp: fc.array(bytes), eats }
    const document = fc.record({ devices: fc.array(one, { minLength: 1, maxLength: 4 }), ...shape })
    fc.assert(
      fc.property(document, (value) => {
        expect(parseGpuDocument(encodeGpuDocument(value))).toEqual(value)
      }),
    )
  })

  it.each([
    ['no object', 1],
    ['nothing', null],
    ['an empty list', []],
    ['no devices and no token', { ...own, devices: [] }],
    ['another format', { ...own, format: 'chrysalis/gpu-evidence/2' }],
    ['an unknown field', { ...own, more: 1 }],
    ['an unknown field of a device', { ...own, devices: [{ ...device, more: 1 }] }],
    ['an unknown architecture', [{ ...device, arch: 'AMPERE' }]],
    ['an architecture in small letters', { ...own, devices: [{ ...device, arch: 'hopper' }] }],
    ['a short nonce', [{ ...device, nonce: 'ab' }]],
    ['a nonce in capitals', { ...own, devices: [{ ...device, nonce: 'AB'.repeat(32) }] }],
    ['no base64', [{ ...device, evidence: '?' }]],
    ['a report too large', [{ ...device, evidence: 'AAAA'.repeat(3000) }]],
    ['a device without a report', [{ arch: 'HOPPER' }]],
    ['too many devices', Array.from({ length: 65 }, () => device)],
  ])('are refused: %s', (_name, json) => {
    expect(() => parse(json)).toThrow(documentError)
  })

  it('are refused when they are no JSON, or too large', () => {
    for (const bytes of [new Uint8Array(), utf8('{'), Uint8Array.of(0xff), utf8('{"format":1,"format":2}')])
      expect(() => parseGpuDocument(bytes)).toThrow(documentError)
    expect(() => parseGpuDocument(new Uint8Array(MAX_GPU_DOCUMENT + 1))).toThrow(documentError)
  })

  it('end in a typed error at every other length, and whatever the JSON', () => {
    const bytes = encodeGpuDocument(parse(own))
    for (let length = 0; length < bytes.length; length++) {
      expect(() => parseGpuDocument(bytes.subarray(0, length))).toThrow(documentError)
    }
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          parseGpuDocument(utf8(text))
        } catch (error) {
          if (!(error instanceof GpuError)) throw error
        }
      }),
    )
  })
})

describe.skipIf(!haveVectors())('real files of GPU evidence', () => {
  it.each([
    ['hopper_evidence.json', 1],
    ['hopper_590_12.evidence.json', 1],
    ['multi_gpu_hopper.json', 4],
    ['hopper_evidence_cert_hold.json', 1],
    ['switch_evidence_ls10.json', 1],
  ])('%s', (file, count) => {
    const found = parseGpuDocument(vectorBytes(`nvidia/evidence/${file}`))
    expect(found.devices).toHaveLength(count)
    expect(parseGpuDocument(encodeGpuDocument(found))).toEqual(found)
  })

  it('a token bundle alone', () => {
    const bundle = vectorJson('nvidia/eat/hopperClaimsv3_detached_eat.json')
    expect(parse(bundle)).toEqual({ devices: [], rims: [], eats: [{ bundle }], ocsp: [] })
  })
})
