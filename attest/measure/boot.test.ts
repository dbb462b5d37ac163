import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, toHex, u32le, utf8 } from '../bytes.ts'
import { haveVectors, vectorJson } from '../tdx/testing.ts'
import { authenticodeParts } from './authenticode.ts'
import { authenticodeDigest, type BootInputs, MeasureError, measureBoot, predictBootEvents } from './index.ts'
import { patchSetupHeader } from './setup-header.ts'
import { buildKernel, type KernelSpec, pattern } from './testing.ts'

const sha384 = (...parts: Uint8Array[]) => {
  const hash = createHash('sha384')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}
const digestOf = async (image: Uint8Array) => toHex(await authenticodeDigest(image))

/** The signature table of a signed image, with a certificate that may be anything. */
const CERTIFICATES = concat(u32le(0x18), Uint8Array.of(0, 2, 2, 0), pattern(16, 9))

describe('Authenticode digest', () => {
  it('covers header and sections, but neither checksum nor certificate entry', async () => {
    const image = buildKernel()
    const checksum = 0x40 + 24 + 64
    const entry = 0x40 + 24 + 112 + 32
    const parts = [
      image.subarray(0, checksum),
      image.subarray(checksum + 4, entry),
      image.subarray(entry + 8),
    ]
    expect(await digestOf(image)).toBe(sha384(...parts))
  })

  it('is the same with another checksum, and with a signature', async () => {
    const plain = await digestOf(buildKernel())
    expect(await digestOf(buildKernel({ checksum: 1 }))).toBe(plain)
    expect(await digestOf(buildKernel({ certificates: CERTIFICATES }))).toBe(plain)
    expect(await digestOf(buildKernel({ certificates: concat(CERTIFICATES, CERTIFICATES) }))).toBe(plain)
  })

  it('covers what lies between the sections and the signature', async () => {
    const plain = await digestOf(buildKernel({ certificates: CERTIFICATES }))
    const trailing = pattern(24, 5)
    const signed = await digestOf(buildKernel({ certificates: CERTIFICATES, trailing }))
    expect(signed).not.toBe(plain)
    expect(signed).toBe(await digestOf(buildKernel({ trailing })))
  })

  it('takes sections in the order of the file, not of the table', async () => {
    const [first, second] = [
      { at: 0x400, bytes: pattern(0x200, 1) },
      { at: 0x600, bytes: pattern(0x200, 2) },
    ]
    const image = buildKernel({ sections: [second, first] })
    const joined = concat(...authenticodeParts(image).slice(3))
    expect(toHex(joined)).toBe(toHex(concat(first.bytes, second.bytes)))
  })

  it('of PE32 and of images with few directories covers all but the checksum', async () => {
    for (const spec of [{ plus: false, directories: 4 }, { directories: 4 }]) {
      const image = buildKernel(spec)
      const checksum = 0x40 + 24 + 64
      expect(await digestOf(image)).toBe(sha384(image.subarray(0, checksum), image.subarray(checksum + 4)))
    }
    expect(await digestOf(buildKernel({ plus: false }))).toMatch(/^[0-9a-f]{96}$/)
  })

  it('changes with every other byte', async () => {
    const image = buildKernel()
    const plain = await digestOf(image)
    const sectionBytes = fc.integer({ min: 0x400, max: image.length - 1 })
    const check = fc.asyncProperty(sectionBytes, fc.integer({ min: 1, max: 255 }), async (at, xor) => {
      const changed = image.slice()
      changed[at] = (changed[at] ?? 0) ^ xor
      expect(await digestOf(changed)).not.toBe(plain)
    })
    await fc.assert(check, { numRuns: 50 })
  })

  const changed = (at: number, value: number, spec: KernelSpec = {}) => {
    const image = buildKernel(spec)
    new DataView(image.buffer).setUint32(at, value, true)
    return image
  }
  const OPTIONAL = 0x40 + 24
  const SECURITY = OPTIONAL + 112 + 32
  const TABLE = OPTIONAL + 112 + 48
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /outside the 0 bytes/],
    ['more than 256 MiB', new Uint8Array(2 ** 28 + 1), /more than/],
    ['an ELF file', concat(utf8('\x7fELF'), new Uint8Array(4096)), /bzImage/],
    ['no EFI stub', changed(0x40, 0), /CONFIG_EFI_STUB/],
    ['a PE header far away', changed(0x3c, 0xffff_fff0), /outside/],
    ['an unknown optional header', changed(OPTIONAL, 0x107), /unknown kind 0x107/],
    ['too many directories', changed(OPTIONAL + 108, 17), /17 directories/],
    ['directories outside their header', changed(OPTIONAL + 108, 7), /7 directories/],
    ['headers that end before they begin', changed(OPTIONAL + 60, 16), /headers of 16/],
    ['headers behind the end', changed(OPTIONAL + 60, 0x10_0000), /headers of/],
    ['a section behind the end', changed(TABLE + 16, 0x10_0000), /section at/],
    ['sections over each other', changed(TABLE + 20, 0x500), /overlaps/],
    ['a section over the headers', changed(TABLE + 20, 0x200), /overlaps/],
    [
      'certificates inside a section',
      changed(SECURITY, 0x700, { certificates: CERTIFICATES }),
      /not the end of the file/,
    ],
    ['certificates of no file', changed(SECURITY + 4, 8), /not the end of the file/],
  ])('%s is refused', async (_, image, message) => {
    await expect(authenticodeDigest(image)).rejects.toThrow(MeasureError)
    await expect(authenticodeDigest(image)).rejects.toThrow(message)
  })

  it('never fails with anything but a MeasureError', () => {
    const image = buildKernel({ certificates: CERTIFICATES })
    const tryIt = (bytes: Uint8Array) => {
      try {
        authenticodeParts(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(MeasureError)
      }
    }
    for (let cut = 0; cut < image.length; cut += 7) tryIt(image.subarray(0, cut))
    const flip = fc.tuple(fc.integer({ min: 0, max: 0x200 }), fc.integer({ min: 0, max: 255 }))
    const flips = fc.array(flip, { maxLength: 8 })
    fc.assert(
      fc.property(flips, (all) => {
        const bytes = image.slice()
        for (const [at, value] of all) bytes[at] = value
        tryIt(bytes)
      }),
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), tryIt))
  })
})

/** Signed images of Debian (shim-signed, linux-image), whose signature names the SHA-256 that we must find. */
const SIGNED = (process.env.CHRYSALIS_EFI ?? '/usr/lib/shim/shimx64.efi.signed').split(':').filter(existsSync)
if (SIGNED.length === 0)
  console.warn('SKIPPED: no signed EFI image here (install shim-signed, or set CHRYSALIS_EFI)')

describe.skipIf(SIGNED.length === 0)('a signed image', () => {
  it.each(SIGNED)('%s names the digest that is computed here', async (path) => {
    const image = new Uint8Array(readFileSync(path))
    // DigestInfo of SpcIndirectDataContent: SHA-256, then 32 bytes.
    const prefix = '300d06096086480165030402010500'
    const digest = toHex(await authenticodeDigest(image, 'SHA-256'))
    expect(Buffer.from(image).toString('hex')).toContain(`${prefix}0420${digest}`)
  })
})

const MACHINE = { memoryBytes: 8 * 2 ** 30 }
const INPUTS: BootInputs = {
  kernel: buildKernel(),
  cmdline: 'console=ttyS0 root=/dev/dm-0',
  initrd: pattern(5000, 4),
  setupHeader: 'as-is',
}

describe('the setup header that QEMU fills in', () => {
  const patch = (kernel: Uint8Array, memoryBytes: number, initrdBytes = 0x10_0000, cmdline = 'quiet') =>
    patchSetupHeader(kernel, { machine: { memoryBytes }, initrdBytes, cmdline })
  const field = (kernel: Uint8Array, at: number) => new DataView(kernel.buffer).getUint32(at, true)

  it('changes loader, heap, command line and initrd, and nothing else', () => {
    const kernel = buildKernel()
    const patched = patch(kernel, 2 ** 33)
    const places = [...patched.keys()].filter((at) => patched[at] !== kernel[at])
    const allowed = [0x210, 0x211, 0x218, 0x219, 0x21a, 0x21b, 0x21c, 0x21d, 0x21e, 0x21f, 0x224, 0x225]
    expect(places.every((at) => allowed.includes(at) || (at >= 0x228 && at < 0x22c))).toBe(true)
    expect(patched[0x210]).toBe(0xb0)
    expect(patched[0x211]).toBe(0x81)
    expect(field(patched, 0x224) & 0xffff).toBe(0xfe00)
    expect(field(patched, 0x228)).toBe(0x2_0000)
    expect(field(patched, 0x21c)).toBe(0x10_0000)
    // 2 GiB of low memory, less ACPI (0x28000), less 1, less the initrd, on a page.
    expect(field(patched, 0x218)).toBe(0x7fed_7000)
  })

  it('depends on memory only below the size at which low memory ends at 2 GiB', () => {
    const at = (memory: number) => field(patch(buildKernel(), memory), 0x218)
    expect(at(0xb000_0000)).toBe(at(2 ** 40))
    expect(at(0x8000_0000)).toBe(at(2 ** 40))
    expect(at(0xaffff000)).not.toBe(at(2 ** 40))
  })

  it('obeys a kernel that wants its initrd low', () => {
    const kernel = buildKernel()
    const view = new DataView(kernel.buffer)
    view.setUint16(0x236, 0, true)
    view.setUint32(0x22c, 0x37ff_ffff, true)
    expect(field(patch(kernel, 2 ** 33), 0x218)).toBe(0x37ef_f000)
  })

  it('leaves the initrd fields alone without an initrd', () => {
    const patched = patch(buildKernel(), 2 ** 33, 0)
    expect([field(patched, 0x218), field(patched, 0x21c)]).toEqual([0, 0])
  })

  it('is refused where it is not modelled', () => {
    const old = buildKernel()
    new DataView(old.buffer).setUint16(0x206, 0x201, true)
    expect(() => patch(old, 2 ** 33)).toThrow(/older than 2\.12/)
    const none = buildKernel()
    none[0x202] = 0
    expect(() => patch(none, 2 ** 33)).toThrow(/not a bzImage/)
    expect(() => patch(buildKernel(), 2 ** 33, 0, 'quiet vga=791')).toThrow(/vga=/)
    expect(() => patch(buildKernel(), 2 ** 20)).toThrow(/do not fit/)
    expect(() => patch(new Uint8Array(0x210), 2 ** 33)).toThrow(MeasureError)
  })
})

describe('RTMR1 and RTMR2', () => {
  it('are what the predicted events replay to', async () => {
    const events = await predictBootEvents(INPUTS)
    const replay = (rtmr: number) =>
      events
        .filter((event) => event.rtmr === rtmr)
        .reduce((value, { digest }) => {
          return createHash('sha384').update(value).update(digest).digest()
        }, Buffer.alloc(48))
        .toString('hex')
    expect(await measureBoot(INPUTS)).toEqual({ rtmr1: replay(1), rtmr2: replay(2) })
  })

  it('name kernel, command line in UTF-16 and initrd', async () => {
    const events = await predictBootEvents(INPUTS)
    const options = Buffer.from(`${INPUTS.cmdline} initrd=initrd\0`, 'utf16le')
    expect(events.map(({ rtmr, digest }) => [rtmr, toHex(digest)])).toEqual([
      [1, await digestOf(INPUTS.kernel)],
      [1, sha384(utf8('Calling EFI Application from Boot Option'))],
      [1, sha384(new Uint8Array(4))],
      [2, sha384(options)],
      [2, sha384(INPUTS.initrd ?? new Uint8Array(0))],
      [1, sha384(utf8('Exit Boot Services Invocation'))],
      [1, sha384(utf8('Exit Boot Services Returned with Success'))],
    ])
  })

  it('change with kernel, setup header, command line and initrd, each where it should', async () => {
    const plain = await measureBoot(INPUTS)
    const kernel = await measureBoot({ ...INPUTS, kernel: buildKernel({ trailing: pattern(8, 1) }) })
    const patched = await measureBoot({ ...INPUTS, setupHeader: MACHINE })
    const cmdline = await measureBoot({ ...INPUTS, cmdline: `${INPUTS.cmdline} ` })
    const initrd = await measureBoot({ ...INPUTS, initrd: pattern(5000, 5) })
    expect(new Set([plain, kernel, patched].map(({ rtmr1 }) => rtmr1)).size).toBe(3)
    expect(new Set([plain, cmdline, initrd].map(({ rtmr2 }) => rtmr2)).size).toBe(3)
    expect([kernel.rtmr2, patched.rtmr2]).toEqual([plain.rtmr2, plain.rtmr2])
    expect([cmdline.rtmr1, initrd.rtmr1]).toEqual([plain.rtmr1, plain.rtmr1])
  })

  it('without an initrd have one event less, and a plain command line', async () => {
    const events = await predictBootEvents({ ...INPUTS, initrd: undefined })
    const measured = events.filter(({ rtmr }) => rtmr === 2)
    expect(measured.map(({ digest }) => toHex(digest))).toEqual([
      sha384(Buffer.from(`${INPUTS.cmdline}\0`, 'utf16le')),
    ])
  })

  it.each<[string, Partial<BootInputs>, RegExp]>([
    ['an empty command line', { cmdline: '' }, /not empty/],
    ['a command line with a line break', { cmdline: 'a\nb' }, /printable/],
    ['a command line beyond ASCII', { cmdline: 'root=/dev/ß' }, /printable/],
    ['a long command line', { cmdline: 'x'.repeat(2048) }, /fewer than 2048/],
    ['an empty initrd', { initrd: new Uint8Array(0) }, /empty/],
  ])('%s is refused', async (_, change, message) => {
    await expect(measureBoot({ ...INPUTS, ...change })).rejects.toThrow(message)
  })
})

interface RealEvent {
  imr: number
  digest: string
}

describe.skipIf(!haveVectors())('a real log of a directly booted TD', () => {
  it.each(['dstack/quote-report.json', 'dstack/rtmr3-report.json', 'dstack/tdx-lite-getquote.json'])(
    '%s has our events of RTMR1 around its kernel, and as many of RTMR2',
    async (path) => {
      const text = vectorJson<{ event_log: string | RealEvent[] }>(path).event_log
      const events: RealEvent[] = typeof text === 'string' ? JSON.parse(text) : text
      const real = (imr: number) => events.filter((event) => event.imr === imr).map(({ digest }) => digest)
      const ours = await predictBootEvents(INPUTS)
      const predicted = (rtmr: number) =>
        ours.filter((event) => event.rtmr === rtmr).map(({ digest }) => toHex(digest))
      expect(real(1).slice(1)).toEqual(predicted(1).slice(1))
      expect(real(2)).toHaveLength(predicted(2).length)
    },
  )
})
