import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../bytes.ts'
import { NVIDIA_RIM_ROOT } from '../policy/presets.ts'
import { haveVectors, vectorBytes } from '../tdx/testing.ts'
import { GpuError } from './errors.ts'
import { checkRim, compareRim, overlap, parseRim, rimIds } from './rim.ts'
import { MAX_RIM } from './rim-xml.ts'
import { parseReport } from './spdm.ts'
import { reportBytes } from './testing.ts'

const ROOTS = [{ sha256: NVIDIA_RIM_ROOT, kind: 'nvidia' as const }]
/** While the signers of all vectors were in date. */
const THEN = Date.UTC(2024, 5, 1)
const FILES = {
  '96.00.5e.00.01': '1010_0200_882_96005E0001_PROD.swidtag',
  '96.00.74.00.1a': '1010_0200_882_960074001A_PROD.swidtag',
  '96.00.74.00.20': '1010_0205_862_9600740020_PROD.swidtag',
  '545.00': 'Driver_RIM_test_no_gpu.swidtag',
}
const rimError = expect.objectContaining({ code: 'ERR_GPU_RIM' })
const bytesOf = (version: keyof typeof FILES) => vectorBytes(`nvidia/rim/${FILES[version]}`)
const prove = async (text: string) => checkRim(await parseRim(utf8(text)), ROOTS, THEN)

describe.skipIf(!haveVectors())('reference measurements', () => {
  it.each(Object.keys(FILES) as (keyof typeof FILES)[])('%s: read and proven', async (version) => {
    const rim = await parseRim(bytesOf(version))
    expect([rim.chip, rim.version]).toEqual(['GH100', version])
    expect(rim.values.size).toBe(version === '545.00' ? 21 : 12)
    expect(await checkRim(rim, ROOTS, THEN)).toBe('nvidia')
  })

  it('match a real report, 12 of 12 values', async () => {
    const report = parseReport(reportBytes('hopper_535.report.hex'))
    const match = compareRim(await parseRim(bytesOf('96.00.5e.00.01')), report)
    expect(match).toEqual({ compared: 12, matched: 12, mismatched: [] })
  })

  it('tell a report that differs, 11 of 12 values', async () => {
    const report = parseReport(reportBytes('hopper_580.report.hex'))
    const match = compareRim(await parseRim(bytesOf('96.00.74.00.20')), report)
    expect(match).toEqual({ compared: 12, matched: 11, mismatched: [9] })
  })

  it('leave out index 35 while NVDEC0 is off, and only then', async () => {
    const rim = await parseRim(bytesOf('96.00.5e.00.01'))
    const report = parseReport(reportBytes('hopper_535.report.hex'))
    const more = { ...rim, values: new Map([[35, new Set(['ff'])], ...rim.values]) }
    expect(compareRim(more, report).compared).toBe(12)
    const on = { ...report, facts: { ...report.facts, nvdec0: true } }
    expect(compareRim(more, on)).toEqual({ compared: 13, matched: 12, mismatched: [35] })
    const { nvdec0: _, ...unsaid } = report.facts
    expect(compareRim(more, { ...report, facts: unsaid }).mismatched).toEqual([35])
  })

  it('take an index that the report lacks for a mismatch', async () => {
    const rim = await parseRim(bytesOf('96.00.5e.00.01'))
    const report = parseReport(reportBytes('hopper_535.report.hex'))
    const short = { ...report, measurements: report.measurements.filter(({ index }) => index !== 1) }
    expect(compareRim(rim, short).mismatched).toEqual([0])
  })

  it('of driver and VBIOS have no index in common', async () => {
    const [vbios, driver] = [await parseRim(bytesOf('96.00.5e.00.01')), await parseRim(bytesOf('545.00'))]
    expect(overlap(vbios, driver)).toBe(false)
    expect(overlap(vbios, vbios)).toBe(true)
  })

  it('come from a pinned root, in date', async () => {
    const rim = await parseRim(bytesOf('545.00'))
    await expect(checkRim(rim, [], THEN)).rejects.toThrow('does not pin')
    const simulated = [{ sha256: NVIDIA_RIM_ROOT, kind: 'simulated' as const }]
    await expect(checkRim(rim, simulated, THEN)).rejects.toThrow('names of their roles')
    await expect(checkRim(rim, ROOTS, Date.UTC(2026, 5, 9))).rejects.toThrow('expired')
    await expect(checkRim(rim, ROOTS, Date.UTC(2023, 0, 1))).rejects.toThrow('not yet valid')
    const [, ...rest] = rim.chain
    await expect(checkRim({ ...rim, chain: rest }, ROOTS, THEN)).rejects.toThrow('names of their roles')
  })

  it('are named as NVIDIA names them', () => {
    const { facts } = parseReport(reportBytes('hopper_535.report.hex'))
    expect(rimIds(facts, 'HOPPER', 'GH100')).toEqual([
      'NV_GPU_DRIVER_GH100_535.86.09',
      'NV_GPU_VBIOS_1010_0200_882_96005E0001',
    ])
    const blackwell = parseReport(reportBytes('blackwell_575.report.hex'))
    expect(rimIds(blackwell.facts, 'BLACKWELL', 'GB100')[0]).toBe('NV_GPU_CC_DRIVER_GB100_575.32')
    const { facts: bios } = parseReport(reportBytes('nvswitch_ls10.report.hex'))
    expect(rimIds(bios, 'LS10', 'LS_10')).toEqual(['NV_SWITCH_BIOS_5612_0002_890_9610550001'])
  })
})

describe.skipIf(!haveVectors())('tampered reference measurements', () => {
  const text = haveVectors() ? fromUtf8(bytesOf('96.00.5e.00.01')) : ''
  const [, signature = ''] = /(<ds:Signature .*<\/ds:Signature>)/s.exec(text) ?? []
  const [, certificate = ''] = /<ds:X509Certificate>(.*?)<\/ds:X509Certificate>/s.exec(text) ?? []
  const resource = '<ns0:Resource type="Measurement" index="1"'

  it.each([
    ['a changed value', 'does not verify', text.replace('c3f65ef79a19', 'c3f65ef79a18')],
    [
      'a value switched off',
      'does not verify',
      text.replace(`${resource} active="True"`, `${resource} active="False"`),
    ],
    ['another version', 'does not verify', text.replace('96.00.5E.00.01', '96.00.5E.00.02')],
    [
      'another product',
      'does not verify',
      text.replaceAll('GH100" revision', 'GH101" revision').replace('name="GH100"', 'name="GH101"'),
    ],
    ['whitespace more', 'does not verify', text.replace('    <ns0:Meta', '     <ns0:Meta')],
    [
      'a value less',
      'does not verify',
      text.replace(/ {8}<ns0:Resource type="Measurement" index="1" [^\n]*\n/, ''),
    ],
    ['a namespace more', 'does not verify', text.replace('<ns0:Entity', '<ns0:Entity xmlns:x="y"')],
    ['another signature method', 'of another form', text.replace('#ecdsa-sha384', '#ecdsa-sha256')],
    [
      'another digest method',
      'of another form',
      text.replace('more#sha384"/><ds:DigestValue', 'more#sha224"/><ds:DigestValue'),
    ],
    [
      'another canonical form',
      'of another form',
      text.replace(
        '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2006/12/xml-c14n11"',
        '<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"',
      ),
    ],
    [
      'a transform less',
      'of another form',
      text.replace('<ds:Transform Algorithm="http://www.w3.org/2006/12/xml-c14n11"/>', ''),
    ],
    [
      'a transform more',
      'of another form',
      text.replace(
        '</ds:Transforms>',
        '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"/></ds:Transforms>',
      ),
    ],
    [
      'a reference to a part',
      'of another form',
      text.replace('<ds:Reference URI=""', '<ds:Reference URI="#part"'),
    ],
    ['a reference more', 'of another form', text.replace(/(<ds:Reference .*<\/ds:Reference>)/s, '$1$1')],
    ['no reference', 'of another form', text.replace(/<ds:Reference .*<\/ds:Reference>/s, '')],
    ['an id on the signature', 'of another form', text.replace('<ds:Signature ', '<ds:Signature Id="a" ')],
    [
      'an object in the signature',
      'of another form',
      text.replace('</ds:Signature>', '<ds:Object></ds:Object></ds:Signature>'),
    ],
    [
      'a key value in place of certificates',
      'of another form',
      text.replace(/<ds:X509Data>.*<\/ds:X509Data>/s, '<ds:KeyValue></ds:KeyValue>'),
    ],
    ['a damaged digest', 'does not verify', text.replace('<ds:DigestValue>D3', '<ds:DigestValue>D4')],
    [
      'a damaged signature value',
      'does not verify',
      text.replace('<ds:SignatureValue>s5', '<ds:SignatureValue>s4'),
    ],
    [
      'an empty signature value',
      'does not verify',
      text.replace(/<ds:SignatureValue>[^<]*/, '<ds:SignatureValue>'),
    ],
    ['no signature', 'exactly one signature', text.replace(signature, '')],
    ['the signature twice', 'exactly one signature', text.replace(signature, signature + signature)],
    [
      'a signature of another namespace beside it',
      'exactly one signature',
      text.replace(signature, `<Signature/>${signature}`),
    ],
    [
      'the signature first',
      'exactly one signature',
      text.replace(signature, '').replace('    <ns0:Entity', `${signature}    <ns0:Entity`),
    ],
    [
      'something after the signature',
      'exactly one signature',
      text.replace(signature, `${signature}<ns0:Payload/>`),
    ],
    [
      'the signed document inside another',
      'exactly one signature',
      `<SoftwareIdentity xmlns="http://standards.iso.org/iso/19770/-2/2015/schema.xsd" name="GH100">${text}</SoftwareIdentity>`,
    ],
    [
      'the original hidden in the signature',
      'exactly one signature',
      text
        .replace('c3f65ef79a19', 'c3f65ef79a18')
        .replace('</ds:Signature>', `<ds:Object>${text}</ds:Object></ds:Signature>`),
    ],
    ['a second payload', 'in this order', text.replace('<ns0:Payload', '<ns0:Payload/><ns0:Payload')],
    ['a comment', 'comments and sections', text.replace('<ns0:Payload', '<!-- --><ns0:Payload')],
    [
      'a comment that splits the digest',
      'comments and sections',
      text.replace('<ds:DigestValue>D3', '<ds:DigestValue>D3<!---->'),
    ],
    ['a comment before the root', 'comments and sections', `<!-- -->${text}`],
    ['a comment after the root', 'comments and sections', `${text}<!-- -->`],
    ['a document type', 'comments and sections', `<!DOCTYPE x [<!ENTITY e "1">]>${text}`],
    ['an external entity', 'comments and sections', `<!DOCTYPE x SYSTEM "file:///etc/passwd">${text}`],
    ['an entity', 'entities', text.replace('corpus="false"', 'corpus="&e;"')],
    ['a character reference', 'entities', text.replace('corpus="false"', 'corpus="fals&#101;"')],
    [
      'a CDATA section',
      'comments and sections',
      text.replace('<ds:DigestValue>', '<ds:DigestValue><![CDATA[]]>'),
    ],
    ['an instruction', 'instructions', text.replace('<ns0:Payload', '<?x?><ns0:Payload')],
    ['an instruction before the root', 'instructions', `<?xml-stylesheet href="x"?>${text}`],
    ['a carriage return', 'control characters', text.replace('\n', '\r\n')],
    ['an attribute xml:base', 'named xml', text.replace('corpus=', 'xml:base="x" corpus=')],
    ['a NUL', 'control characters', text.replace('\n', '\0')],
    ['a byte order mark', 'does not begin', `\ufeff${text}`],
    ['a text between the elements', 'text between', text.replace('    <ns0:Meta', '  x <ns0:Meta')],
    ['an attribute twice', 'not well-formed', text.replace('corpus="false"', 'corpus="false" corpus="true"')],
    ['two roots', 'not well-formed', text + text],
    [
      'a certificate less',
      'names of their roles',
      text.replace(`<ds:X509Certificate>${certificate}</ds:X509Certificate>`, ''),
    ],
    [
      'a certificate damaged',
      'past the end',
      text.replace(certificate, certificate.replace('MIICkTCC', 'MIICkTCD')),
    ],
    [
      'another digit in an index',
      'not a number',
      text.replace(`${resource}`, '<ns0:Resource type="Measurement" index="01"'),
    ],
    [
      'an index twice',
      'index 0 twice',
      text.replace(`${resource}`, '<ns0:Resource type="Measurement" index="0"'),
    ],
    [
      'a value of another kind',
      'kind that is unknown',
      text.replace(`${resource}`, '<ns0:Resource type="MinSvn" index="1"'),
    ],
    [
      'an alternative more than it says',
      'attributes that are unknown',
      text.replace('alternatives="4"', 'alternatives="3"'),
    ],
    [
      'an alternative less than it says',
      'alternative 4',
      text.replace('alternatives="4"', 'alternatives="5"'),
    ],
    ['an attribute more', 'attributes that are unknown', text.replace(`${resource}`, `${resource} max="3"`)],
    [
      'bytes of another size',
      'not 48 bytes',
      text.replace('name="Measurement_9" size="48"', 'name="Measurement_9" size="32"'),
    ],
    [
      'an attribute in disguise',
      'named xml',
      text.replace('corpus=', 'xmlns:axmlns="u" axmlns:b="c" corpus='),
    ],
  ])('%s: refused, %s', async (_name, why, changed) => {
    expect(changed, 'the change took place').not.toBe(text)
    const refusal: unknown = await prove(changed).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(GpuError)
    expect(String(refusal)).toContain(why)
  })

  it('cut short, or anything else: a typed error', async () => {
    await expect(prove(text)).resolves.toBe('nvidia')
    const attempt = async (changed: string): Promise<void> => {
      await expect(prove(changed)).rejects.toThrow(GpuError)
    }
    for (let length = 0; length < text.length; length += 311) await attempt(text.slice(0, length))
    await expect(parseRim(Uint8Array.of(0xff))).rejects.toThrow(rimError)
    await expect(parseRim(new Uint8Array(MAX_RIM + 1))).rejects.toThrow(rimError)
    await attempt('<a>'.repeat(20_000) + '</a>'.repeat(20_000))
    await fc.assert(fc.asyncProperty(fc.string(), attempt), { numRuns: 50 })
  })

  it('with any one byte changed are refused', async () => {
    const bytes = utf8(text)
    const spot = fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.constantFrom(0x01, 0x20, 0x80))
    const check = async ([at, mask]: readonly [number, number]): Promise<void> => {
      const changed = bytes.map((byte, i) => (i === at ? byte ^ mask : byte))
      const judged = (async () => checkRim(await parseRim(changed), ROOTS, THEN))()
      await expect(judged, `byte ${at} ^ ${mask}`).rejects.toThrow(GpuError)
    }
    await fc.assert(fc.asyncProperty(spot, check), { numRuns: 60, seed: 7 })
  })
})
