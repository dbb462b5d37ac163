import { describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../bytes.ts'
import { NVIDIA_DEVICE_ROOT } from '../policy/presets.ts'
import { haveVectors, vectorBytes } from '../tdx/testing.ts'
import { type Certificate, der, derNumber, derOid, encodePem, parseChain, TAG } from '../x509/index.ts'
import { checkDeviceChain, parseDeviceChain } from './chain.ts'
import { certificateFwid } from './fwid.ts'
import { parseReport } from './spdm.ts'
import { deviceOf, GPU_NOW, type GpuCase, gpuCases } from './testing.ts'

const ROOTS = [{ sha256: NVIDIA_DEVICE_ROOT, kind: 'nvidia' as const }]
const chainError = expect.objectContaining({ code: 'ERR_GPU_CHAIN' })
const chainOf = (entry: GpuCase): readonly Certificate[] =>
  parseDeviceChain(new Uint8Array(Buffer.from(deviceOf(entry).certificate, 'base64')))

describe.skipIf(!haveVectors())('device chains', () => {
  const cases = gpuCases()
  const read = (name: string) =>
    haveVectors() ? parseDeviceChain(vectorBytes(`nvidia/evidence/${name}.chain.pem`)) : []
  const [certificates, blackwell] = [read('hopper_580'), read('blackwell_575')]
  const swap = (at: number, change: Partial<Certificate>): Certificate[] =>
    certificates.map((certificate, i) => (i === at ? { ...certificate, ...change } : certificate))

  it.each(cases.filter(({ name }) => !name.startsWith('chain_BAD')))('$name: accepted', async (entry) => {
    const { arch, deviceId, kind } = await checkDeviceChain(chainOf(entry), ROOTS, GPU_NOW)
    expect([arch, kind]).toEqual([deviceOf(entry).arch, 'nvidia'])
    expect(deviceId).toMatch(/^[0-9a-f]{16}$/)
  })

  it.each(cases.filter(({ name }) => name.startsWith('chain_BAD')))('$name: refused', async (entry) => {
    await expect(checkDeviceChain(chainOf(entry), ROOTS, GPU_NOW)).rejects.toThrow(chainError)
  })

  it('name the device: a switch says the same id itself', async () => {
    const entry = cases.find(({ name }) => name === 'nvswitch_ls10')
    if (entry === undefined) throw new Error('no such case')
    const { deviceId, chip } = await checkDeviceChain(chainOf(entry), ROOTS, GPU_NOW)
    const report = parseReport(new Uint8Array(Buffer.from(deviceOf(entry).evidence, 'base64')))
    expect([chip, deviceId]).toEqual(['LS_10', toHex(report.opaque.get(22) ?? new Uint8Array())])
  })

  it('end in a pinned root of the right kind', async () => {
    await expect(checkDeviceChain(certificates, [], GPU_NOW)).rejects.toThrow('does not pin')
    const simulated = [{ sha256: NVIDIA_DEVICE_ROOT, kind: 'simulated' as const }]
    await expect(checkDeviceChain(certificates, simulated, GPU_NOW)).rejects.toThrow('names of their roles')
  })

  it('are in date', async () => {
    await expect(checkDeviceChain(certificates, ROOTS, Date.UTC(2019, 0, 1))).rejects.toThrow('not yet valid')
    await checkDeviceChain(certificates, ROOTS, Date.UTC(9999, 0, 1))
  })

  it('keep roles, constraints, path lengths and signatures', async () => {
    const [leaf, rom, ica, identity, root] = certificates
    if (!leaf || !rom || !ica || !identity || !root) throw new Error('not five')
    const refused = (chain: readonly Certificate[], why: string) =>
      expect(checkDeviceChain(chain, ROOTS, GPU_NOW), why).rejects.toThrow(why)
    await refused([leaf, rom, ica, identity], '4 certificates')
    await refused([leaf, rom, ica, identity, root, root], '6 certificates')
    await refused([rom, leaf, ica, identity, root], 'known device')
    await refused(swap(2, { commonName: 'NVIDIA GH100 Provisioner ICA x' }), 'names of their roles')
    await refused(swap(1, { commonName: 'GH101 A01 GSP BROM' }), 'names of their roles')
    await refused(swap(3, { commonName: 'NVIDIA GB100 Identity' }), 'names of their roles')
    await refused(swap(4, { commonName: 'NVIDIA CoRIM signing Root CA' }), 'names of their roles')
    await refused(swap(0, { ca: true }), 'end-entity')
    await refused(swap(0, { keyUsage: 0x84 }), 'end-entity')
    await refused(swap(0, { keyUsage: undefined }), 'end-entity')
    await refused(swap(1, { ca: false }), 'not a CA')
    await refused(swap(1, { keyUsage: 0x80 }), 'may not sign')
    await refused(swap(3, { pathLength: 1 }), 'path length')
    await refused(swap(0, { signature: leaf.signature.with(0, 1) }), 'does not verify')
    await refused(swap(1, { curve: 'P-256' }), 'does not verify')
    await refused([...certificates.slice(0, 4), ...blackwell.slice(4)].with(3, blackwell[3] ?? leaf), 'roles')
    const nameless = { ...rom, subject: identity.subject }
    await refused([{ ...leaf, issuer: identity.subject }, nameless, ica, identity, root], 'no attribute')
  })

  it('are P-384: nothing reads them as the chain of a quote', () => {
    const pem = encodePem(certificates.slice(0, 3).map((certificate) => certificate.der))
    expect(() => parseChain(pem)).toThrow('not ecdsa-with-SHA256')
  })

  it('are canonical PEM but for newlines at the end', () => {
    const text = Buffer.from(vectorBytes('nvidia/evidence/hopper_580.chain.pem')).toString()
    expect(parseDeviceChain(utf8(`${text}\n\n\n`))).toEqual(certificates)
    expect(() => parseDeviceChain(utf8(`${text}x`))).toThrow(chainError)
    expect(() => parseDeviceChain(utf8(` ${text}`))).toThrow(chainError)
    expect(() => parseDeviceChain(Uint8Array.of(0xff))).toThrow(chainError)
    expect(() => parseDeviceChain(new Uint8Array())).toThrow(chainError)
  })
})

describe.skipIf(!haveVectors())('firmware ids', () => {
  it.each(gpuCases().filter(({ chain }) => chain === 'ok'))('$name', (entry) => {
    const device = deviceOf(entry)
    const { facts } = parseReport(new Uint8Array(Buffer.from(device.evidence, 'base64')))
    const [leaf] = chainOf(entry)
    if (leaf === undefined || facts.fwid === undefined || entry.name.includes('BAD')) return
    const found = certificateFwid(leaf, device.arch === 'BLACKWELL' ? 'BLACKWELL' : 'HOPPER')
    expect(found && toHex(found)).toBe(toHex(facts.fwid))
  })
})

describe('the FWID extension', () => {
  const sha384 = derOid('2.16.840.1.101.3.4.2.2')
  const fwid = (length: number, oid = sha384) =>
    der(TAG.sequence, oid, der(TAG.octetString, new Uint8Array(length).fill(5)))
  const read = (arch: 'HOPPER' | 'BLACKWELL', value: Uint8Array) => {
    const oid = arch === 'HOPPER' ? '2.23.133.5.4.1' : '2.23.133.5.4.1.1'
    const extensions = new Map([[oid, { critical: false, value }]])
    return certificateFwid({ extensions } as unknown as Certificate, arch)
  }
  const composite = (...parts: Uint8Array[]) => der(TAG.sequence, ...parts)
  const error = expect.objectContaining({ code: 'ERR_GPU_FWID' })

  it('is read on Hopper and on Blackwell', () => {
    const expected = new Uint8Array(48).fill(5)
    expect(read('HOPPER', composite(derNumber(1), der(TAG.sequence), fwid(48)))).toEqual(expected)
    expect(read('BLACKWELL', composite(der(0x80), der(0xa6, fwid(48)), der(0x87)))).toEqual(expected)
    expect(certificateFwid({ extensions: new Map() } as unknown as Certificate, 'LS10')).toBeUndefined()
  })

  it.each([
    ['another version', 'HOPPER', composite(derNumber(2), der(TAG.sequence), fwid(48))],
    ['bytes after it', 'HOPPER', composite(derNumber(1), der(TAG.sequence), fwid(48), der(TAG.null))],
    ['a short digest', 'HOPPER', composite(derNumber(1), der(TAG.sequence), fwid(47))],
    ['another hash', 'HOPPER', composite(derNumber(1), der(TAG.sequence), fwid(48, derOid('1.2.3')))],
    ['no FWID', 'BLACKWELL', composite(der(0x80))],
    ['fields out of order', 'BLACKWELL', composite(der(0xa6, fwid(48)), der(0x80))],
    ['a field twice', 'BLACKWELL', composite(der(0xa6, fwid(48)), der(0xa6, fwid(48)))],
    ['no DER at all', 'BLACKWELL', Uint8Array.of(0x30, 5)],
  ] as const)('is refused with %s', (_name, arch, value) => {
    expect(() => read(arch, value)).toThrow(error)
  })
})
