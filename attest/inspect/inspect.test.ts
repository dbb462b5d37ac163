import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromBase64, fromHex, toBase64, toHex, utf8 } from '../bytes.ts'
import { reportText } from '../cli/inspect.ts'
import { encodeClaims } from '../evidence/claims.ts'
import { NONCE, NOW, sampleClaims, sampleEvidence, sampleTee } from '../evidence/testing.ts'
import { encodePolicy } from '../policy/policy.ts'
import { platform } from '../policy/presets.ts'
import { haveVectors, vectorBytes } from '../tdx/testing.ts'
import { encodePem } from '../x509/index.ts'
import { attributesInWords, featuresInWords } from './bits.ts'
import { allProblems, inspect, type Report } from './index.ts'

const tee = sampleTee()
const bundle = await sampleEvidence(tee)
const quote = fromBase64(bundle.quote)
const see = (bytes: Uint8Array | string, now = NOW + 1): Promise<Report> =>
  inspect(typeof bytes === 'string' ? utf8(bytes) : bytes, { now })
const page = (report: Report): string => reportText(report, 'file', { colour: false })

describe('a file is known by what it is', () => {
  const { root, leaf, ca } = tee.platform.certificates
  const receipt = { payload: Buffer.from('{}').toString('base64url'), signature: 'A'.repeat(86) }
  const jwt = `${Buffer.from('{"alg":"ES384"}').toString('base64url')}.${Buffer.from('{"iss":"x"}').toString('base64url')}.AAAA`
  it.each<[Report['kind'], Uint8Array | string]>([
    ['tdx-quote', quote],
    ['tdx-quote', toHex(quote)],
    ['tdx-quote', `${toHex(quote).toUpperCase().replace(/.{64}/g, '$&\r\n')}\n`],
    ['tdx-quote', bundle.quote],
    ['tdx-quote', JSON.stringify(bundle.quote)],
    ['bundle', JSON.stringify(bundle)],
    [
      'attestation-answer',
      JSON.stringify({ object: 'chrysalis.attestation', gateway: null, workers: [{ evidence: bundle }] }),
    ],
    ['claims', encodeClaims(sampleClaims())],
    ['collateral', JSON.stringify(bundle.collateral)],
    [
      'pcs-answer',
      `{"tcbInfo":${bundle.collateral?.tcb_info},"signature":"${bundle.collateral?.tcb_info_signature}"}`,
    ],
    ['certificates', encodePem([leaf, ca, root])],
    ['certificates', root],
    ['crl', fromHex(bundle.collateral?.pck_crl ?? '')],
    ['policy', encodePolicy(platform())],
    ['receipt', JSON.stringify(receipt)],
    ['receipt', JSON.stringify({ object: 'receipt', id: 'x', receipt })],
    ['eat', jwt],
    ['eat', JSON.stringify([['JWT', jwt], { 'GPU-0': jwt }])],
    ['jwks', '{"keys":[{"kid":"a","kty":"EC","crv":"P-384"}]}'],
    ['rim', '<SoftwareIdentity name="GH100" tagId="x"><Meta colloquialVersion="1"/></SoftwareIdentity>'],
    ['event-log', '{"format":"chrysalis/event-log/1","events":[]}'],
    ['measurements', '{"format":"chrysalis/measurements/1","name":"x","sets":[]}'],
    ['bundle', '{"format":"chrysalis/evidence/2"}'],
    ['unknown', ''],
    ['unknown', 'hello'],
    ['unknown', '{'],
    ['unknown', '{"a":1}'],
  ])('%s', async (kind, bytes) => {
    const report = await see(bytes)
    expect(report.kind).toBe(kind)
    expect(page(report)).toContain('Inspection is not verification')
  })
})

describe('a bundle', () => {
  it('is explained with all its parts, and has nothing wrong', async () => {
    const report = await see(JSON.stringify(bundle))
    expect(allProblems(report)).toEqual([])
    expect(report.parts.map(({ kind }) => kind).slice(0, 3)).toEqual(['claims', 'tdx-quote', 'collateral'])
    const text = page(report)
    for (const part of ['MRTD', 'RTMR3', 'FMSPC', toHex(NONCE), 'SEPT_VE_DISABLE', 'Simulated SGX', 'tiny'])
      expect(text).toContain(part)
    expect(text).not.toMatch(/\bvalid\b(?!ity)/)
  })

  it.each<[string, (b: typeof bundle) => unknown, number, RegExp]>([
    [
      'other claims',
      (b) => ({ ...b, claims: toBase64(encodeClaims(sampleClaims({ bootId: '0'.repeat(32) }))) }),
      1,
      /REPORTDATA: the quote was made for other claims/,
    ],
    ['another nonce', (b) => ({ ...b, nonce: toBase64(new Uint8Array(32)) }), 1, /REPORTDATA/],
    [
      'a log of another boot',
      (b) => ({ ...b, eventLog: toBase64(utf8('{"format":"chrysalis/event-log/1","events":[]}')) }),
      1,
      /does not add up to RTMR0/,
    ],
    ['a field that is missing', ({ claims: _, ...b }) => b, 1, /bundle: claims/],
    ['an epoch that is over', (b) => b, 700_000, /epoch: is over/],
    ['collateral that has run out', (b) => b, 40 * 86_400_000, /TCB info: has expired/],
  ])('with %s says so', async (_, change, later, problem) => {
    const report = await see(JSON.stringify(change(bundle)), NOW + later)
    expect(allProblems(report).join('\n')).toMatch(problem)
  })
})

describe('a quote', () => {
  const changed = (at: number, xor: number): Uint8Array => quote.with(at, (quote[at] ?? 0) ^ xor)
  it.each<[string, Uint8Array, RegExp]>([
    ['debug', changed(48 + 120, 0x01), /can be debugged/],
    ['migratable', changed(48 + 123, 0x20), /can be migrated/],
    ['changed', changed(48 + 140, 0x01), /^signature: /m],
    ['of another key', changed(700, 0x01), /does not name this attestation key/],
    ['without its chain', quote.subarray(0, 2000), /too short/],
    ['with something after it', Uint8Array.of(...quote, 1), /padding is not zero/],
  ])('that is %s says so', async (_, bytes, problem) => {
    const report = await see(bytes)
    expect(report.kind).toBe('tdx-quote')
    expect(allProblems(report).join('\n')).toMatch(problem)
  })

  it('with something after it is still explained', async () => {
    expect(page(await see(Uint8Array.of(...quote, 1)))).toContain('MRTD')
  })

  it('of SGX is called one', async () => {
    expect((await see(changed(4, 0x81))).kind).toBe('sgx-quote')
  })
})

describe('bits', () => {
  it('have their names, and unknown ones their numbers', () => {
    expect(attributesInWords(fromHex('0100001000000080'))).toBe('DEBUG, SEPT_VE_DISABLE, PERFMON')
    expect(attributesInWords(fromHex('0001000000000000'))).toBe('1 unknown bit: 8')
    expect(attributesInWords(new Uint8Array(8))).toBe('no bit set')
    expect(featuresInWords(fromHex('0300000000000000'))).toBe('x87, SSE')
  })
})

describe('whatever a file holds', () => {
  it('it is explained without an exception, and nothing of it reaches the terminal as a command', async () => {
    const shape = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ unit: 'binary' }).map(utf8),
      fc.json().map(utf8),
      fc.uint8Array({ maxLength: 300 }).map((tail) => Uint8Array.of(...quote.subarray(0, 48), ...tail)),
      fc.tuple(fc.nat(quote.length - 1), fc.nat(255)).map(([at, value]) => quote.with(at, value)),
      fc.nat(quote.length).map((length) => quote.subarray(0, length)),
      fc
        .dictionary(fc.constantFrom(...KEYS), fc.anything())
        .map((value) => utf8(JSON.stringify(value) ?? '')),
    )
    await fc.assert(
      fc.asyncProperty(shape, async (bytes) => {
        const text = page(await see(bytes))
        expect(text).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Cs}]/u)
      }),
      { numRuns: 150 },
    )
  })
})

const KEYS = [
  ...['format', 'object', 'roots', 'skip', 'keys', 'payload', 'signature', 'receipt', 'gateway', 'workers'],
  ...['tcb_info', 'qe_identity', 'tcbInfo', 'enclaveIdentity', 'role', 'bootId', 'epoch', 'detached_eat'],
  ...['certificate', 'evidence', 'devices', 'quote', 'event_log', 'GPU-0'],
]

describe.skipIf(!haveVectors())('real files', () => {
  const june = Date.UTC(2026, 5, 9)
  it.each<[string, Report['kind'], RegExp | undefined]>([
    ['tdx/quotes/azure_2026_v4.bin', 'tdx-quote', undefined],
    ['tdx/quotes/trustee_v4_DEBUG_TD.bin', 'tdx-quote', /can be debugged/],
    ['tdx/quotes/alibaba_v5_td15_mrservicetd.bin', 'tdx-quote', /MRSERVICETD/],
    ['tdx/quotes/sgx_v3_NOT_TDX.bin', 'sgx-quote', /version 3/],
    ['tdx/collateral/90c06f_2026-06-08.json', 'collateral', undefined],
    ['tdx/collateral/50806f_2023-06-18.json', 'collateral', /TCB info: has expired/],
    ['roots/intel_sgx_root_ca.der', 'certificates', undefined],
    ['roots/nvidia_rim_root.pem', 'certificates', undefined],
    ['nvidia/evidence/multi_gpu_hopper.json', 'gpu-evidence', undefined],
    ['nvidia/evidence/hopper_580.report.hex', 'gpu-report', undefined],
    ['nvidia/evidence/chain_BAD_case3.pem', 'certificates', /do not chain/],
    ['nvidia/rim/1010_0200_882_96005E0001_PROD.swidtag', 'rim', undefined],
    ['nvidia/eat/hopperClaimsv3_detached_eat.json', 'eat', /expired/],
    ['nvidia/eat/hopperClaimsv3_decoded.json', 'eat', /nobody signed them/],
    ['ccel/gcp_cos113_ccel_data.bin', 'event-log', undefined],
    ['ccel/gcp_cos113_ccel_table.bin', 'ccel-table', undefined],
    ['dstack/quote-report.json', 'dstack-answer', undefined],
  ])('%s: %s', async (path, kind, problem) => {
    const report = await see(vectorBytes(path), june)
    expect(report.kind).toBe(kind)
    const problems = allProblems(report).join('\n')
    if (problem === undefined) expect(problems).toBe('')
    else expect(problems).toMatch(problem)
    expect(page(report)).toContain(report.title)
  })
})
