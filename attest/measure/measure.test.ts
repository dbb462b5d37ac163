import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MeasureError, measureFirmware, type PageOrder, parseTdvf } from './index.ts'
import { buildFirmware, type FirmwareSpec, guidEntry, pattern, type SectionSpec } from './testing.ts'

/** The shape of OVMF: a measured volume, variables that are added only, memory for the start. */
const SECTIONS: readonly SectionSpec[] = [
  {
    type: 'BFV',
    dataOffset: 0x2000,
    dataSize: 0x3000,
    address: 0xffff_d000,
    memorySize: 0x3000,
    attributes: 1,
  },
  { type: 'CFV', dataOffset: 0, dataSize: 0x2000, address: 0xfff0_0000, memorySize: 0x2000, attributes: 0 },
  { type: 'TempMem', address: 0x81_0000, memorySize: 0x2000, attributes: 0 },
  { type: 'TD_HOB', address: 0x80_9000, memorySize: 0x1000, attributes: 0 },
  { type: 'PermMem', address: 0x1000_0000, memorySize: 0x10_0000, attributes: 2 },
]
const CONTENT = pattern(0x5000, 3)
const firmware = (change: Partial<FirmwareSpec> = {}) =>
  buildFirmware({ sections: SECTIONS, content: CONTENT, ...change })
const withSection = (index: number, change: Partial<SectionSpec>) =>
  firmware({ sections: SECTIONS.map((one, i) => (i === index ? { ...one, ...change } : one)) })

/** The same measurement once more, written from the specification with node:crypto and nothing shared. */
function secondOpinion(sections: readonly SectionSpec[], image: Uint8Array, order: PageOrder): string {
  const calls: { name: string; gpa: number; data?: Buffer }[] = []
  for (const { address, memorySize, attributes, dataOffset = 0 } of sections) {
    if (attributes === 2) continue
    const adds: typeof calls = []
    const extends_: typeof calls = []
    for (let page = 0; page < memorySize; page += 4096) {
      const own: typeof calls = []
      for (let chunk = page; chunk < page + 4096 && attributes === 1; chunk += 256) {
        const data = Buffer.from(image.slice(dataOffset + chunk, dataOffset + chunk + 256))
        own.push({ name: 'MR.EXTEND', gpa: address + chunk, data })
      }
      const add = { name: 'MEM.PAGE.ADD', gpa: address + page }
      if (order === 'per-page') adds.push(add, ...own)
      else {
        adds.push(add)
        extends_.push(...own)
      }
    }
    calls.push(...adds, ...extends_)
  }
  const hash = createHash('sha384')
  for (const { name, gpa, data } of calls) {
    const block = Buffer.alloc(128)
    block.write(name, 'ascii')
    block.writeUInt32LE(gpa % 2 ** 32, 16)
    block.writeUInt32LE(Math.floor(gpa / 2 ** 32), 20)
    hash.update(block)
    if (data) hash.update(data)
  }
  return hash.digest('hex')
}

describe('MRTD of a firmware', () => {
  it.each(['per-page', 'two-pass'] as const)('agrees with a second computation, %s', (order) => {
    const image = firmware()
    expect(measureFirmware(image, { order }).mrTd).toBe(secondOpinion(SECTIONS, image, order))
  })

  it('differs between the two orders', () => {
    const image = firmware()
    expect(measureFirmware(image, { order: 'per-page' })).not.toEqual(
      measureFirmware(image, { order: 'two-pass' }),
    )
  })

  it('is one page added, as the specification writes it', () => {
    const image = buildFirmware({
      sections: [{ type: 'TempMem', address: 0x1_2345_6000, memorySize: 0x1000, attributes: 0 }],
      content: new Uint8Array(0),
    })
    const block = `4d454d2e504147452e41444400000000${'0060452301000000'}${'00'.repeat(104)}`
    const expected = createHash('sha384').update(Buffer.from(block, 'hex')).digest('hex')
    expect(measureFirmware(image, { order: 'per-page' }).mrTd).toBe(expected)
    expect(measureFirmware(image, { order: 'two-pass' }).mrTd).toBe(expected)
  })

  it('changes with each byte of measured content, and with no other', () => {
    const image = firmware()
    const { mrTd } = measureFirmware(image, { order: 'per-page' })
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: CONTENT.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, xor) => {
          const changed = image.slice()
          changed[at] = (changed[at] ?? 0) ^ xor
          const measured = at >= 0x2000
          expect(measureFirmware(changed, { order: 'per-page' }).mrTd === mrTd).toBe(!measured)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('depends on where a section goes, and not on pages that come later', () => {
    const { mrTd } = measureFirmware(firmware(), { order: 'per-page' })
    const moved = withSection(2, { address: 0x82_0000 })
    expect(measureFirmware(moved, { order: 'per-page' }).mrTd).not.toBe(mrTd)
    const later = withSection(4, { memorySize: 0x20_0000 })
    expect(measureFirmware(later, { order: 'per-page' }).mrTd).toBe(mrTd)
  })
})

describe('TDVF metadata', () => {
  it('is read', () => {
    expect(parseTdvf(firmware()).map(({ type, extend, augment }) => [type, extend, augment])).toEqual([
      ['BFV', true, false],
      ['CFV', false, false],
      ['TempMem', false, false],
      ['TD_HOB', false, false],
      ['PermMem', false, true],
    ])
  })

  it('is found behind other entries of the GUID table', () => {
    const others = [guidEntry('00'.repeat(16), pattern(40, 1)), guidEntry('11'.repeat(16), new Uint8Array(0))]
    expect(parseTdvf(firmware({ others }))).toHaveLength(SECTIONS.length)
  })

  const unsigned = firmware()
  unsigned[CONTENT.length] = 0x55
  const longTable = firmware()
  new DataView(longTable.buffer).setUint16(longTable.length - 50, 0xffff, true)
  const shortTable = firmware()
  new DataView(shortTable.buffer).setUint16(shortTable.length - 50, 17, true)
  // Six bytes of data instead of four, before the GUID that leads to the metadata.
  const wideEntry = guidEntry('35657ae44a989847865e4685a7bf8ec2', new Uint8Array(6))
  const zeroEntry = guidEntry('00'.repeat(16), new Uint8Array(0))
  zeroEntry[0] = 0
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /no OVMF GUID table/],
    ['more than 64 MiB', new Uint8Array(2 ** 26 + 1), /more than/],
    ['another signature', unsigned, /"TDVF"/],
    ['a table longer than the file', longTable, /65535 bytes is impossible/],
    ['a table shorter than its end', shortTable, /17 bytes is impossible/],
    ['an entry of six bytes', firmware({ others: [wideEntry] }), /24 bytes instead of 22/],
    ['no table', new Uint8Array(4096), /no OVMF GUID table/],
    ['a build without TDX', firmware({ withoutTdx: true }), /cannot start a TD/],
    ['an entry of length 0', firmware({ withoutTdx: true, others: [zeroEntry] }), /claims 0 bytes/],
    ['version 2', firmware({ version: 2 }), /version 2 is not 1/],
    ['no section', firmware({ sections: [] }), /0 TDVF sections/],
    ['a count without sections', firmware({ count: 4_000_000_000 }), /4000000000 TDVF sections/],
    ['a length that disagrees', firmware({ length: 48 }), /cannot hold/],
    ['an unknown type', withSection(0, { type: 9 }), /unknown type 9/],
    ['unknown attributes', withSection(0, { attributes: 4 }), /attributes 0x4/],
    ['measured pages that come later', withSection(0, { attributes: 3 }), /attributes 0x3/],
    ['half a page', withSection(2, { memorySize: 0x800 }), /whole pages/],
    ['no page', withSection(2, { memorySize: 0 }), /whole pages/],
    ['an address inside a page', withSection(2, { address: 0x81_0800 }), /whole pages/],
    ['an address of 53 bits', withSection(2, { address: 2 ** 52 }), /2\^52/],
    ['content behind the end', withSection(0, { dataOffset: 0x7fff_0000 }), /whole image/],
    ['more content than memory', withSection(1, { dataSize: 0x3000 }), /more content/],
    ['measured memory without content', withSection(2, { attributes: 1 }), /does not hold all/],
    ['sections over each other', withSection(2, { address: 0x80_8000 }), /overlap/],
    ['terabytes', withSection(2, { memorySize: 2 ** 41, address: 2 ** 45 }), /pages before the start/],
  ])('%s is refused', (_, image, message) => {
    expect(() => parseTdvf(image)).toThrow(MeasureError)
    expect(() => parseTdvf(image)).toThrow(message)
  })

  it('of one half of a firmware is refused with the cure', () => {
    expect(() => parseTdvf(firmware({ content: CONTENT.subarray(0x2000) }))).toThrow(/OVMF\.fd/)
  })

  it('never fails with anything but a MeasureError', () => {
    const image = firmware()
    const tryIt = (bytes: Uint8Array) => {
      try {
        parseTdvf(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(MeasureError)
      }
    }
    for (let cut = 1; cut < 400; cut++) {
      tryIt(image.subarray(0, image.length - cut))
      tryIt(image.subarray(image.length - cut))
    }
    const tail = image.length - 330
    const flip = fc.tuple(fc.integer({ min: tail, max: image.length - 1 }), fc.integer({ min: 0, max: 255 }))
    fc.assert(
      fc.property(fc.array(flip, { maxLength: 6 }), (flips) => {
        const changed = image.slice()
        for (const [at, value] of flips) changed[at] = value
        tryIt(changed)
      }),
    )
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), tryIt))
  })
})

/**
 * MRTDs of firmware that is packaged, by the SHA-256 of the file. Debian's were computed here and by a second program;
 * Ubuntu's is what the tests of virtee/tdx-measure publish.
 */
const PUBLISHED: Record<string, { package: string; mrTd: Partial<Record<PageOrder, string>> }> = {
  '7b456907dd0786d415999e801a1ac4637b8ed4d7cf5378cfc6edbe5e574dd773': {
    package: 'Debian ovmf 2022.11-6+deb12u2',
    mrTd: {
      'per-page':
        '4c7206f0f483c524f12c366c711e9049030a8d47c471ee5aa9c4999a08de4057fb887fed0744d5631a212967fb231c47',
      'two-pass':
        'acccbcc870a381adab0d3919d90a7f268ac3b0364771f202ed4bb4e892d045b33db3b32e6924cba830a724eed443f7e1',
    },
  },
  '0fb6249cc7a38acdbc461df56c2b3553f25ff0cef9d7febfecf3acff0a7c8650': {
    package: 'Debian ovmf 2022.11-6+deb12u1',
    mrTd: {
      'per-page':
        '64341045e47844ac247e8c8e9d3a3a4a0275d237fdcb11b8d1e90b8c86fd64026c8eb40e2756b26e89676f8cf1ee7235',
      'two-pass':
        '7ba5571e3e2c2ab9d80ee24a8cb51ecdcdcd9814e835e48d58bef58570bb867a23d87324737050427e46d07d3bc686c0',
    },
  },
  '9e807cb2cd4313406a3aa4becc0836671a5c64ca7bdc08a45e15260184b446bf': {
    package: 'Ubuntu ovmf 2025.02-3ubuntu2',
    mrTd: {
      'per-page':
        '7357a10d2e2724dffe68813e3cc4cfcde6814d749f2fb62e3953e54f6e0b50a219786afe2cd478f684b52c61837e1114',
    },
  },
}

const OVMF = process.env.CHRYSALIS_OVMF ?? '/usr/share/ovmf/OVMF.fd'
const haveOvmf = existsSync(OVMF)
if (!haveOvmf) {
  if ((process.env.CHRYSALIS_REQUIRE ?? '').includes('ovmf'))
    throw new Error('CHRYSALIS_REQUIRE asks for an OVMF image, but there is none: set CHRYSALIS_OVMF')
  console.warn('SKIPPED: no OVMF image here (install the ovmf package, or set CHRYSALIS_OVMF)')
}

describe.skipIf(!haveOvmf)('a packaged OVMF', () => {
  const image = haveOvmf ? new Uint8Array(readFileSync(OVMF)) : new Uint8Array(0)

  it('has the pinned MRTD', () => {
    const digest = createHash('sha256').update(image).digest('hex')
    const known = PUBLISHED[digest]
    if (known === undefined && process.env.CHRYSALIS_OVMF === undefined) {
      console.warn(`SKIPPED: no MRTD is pinned for ${OVMF} with SHA-256 ${digest}`)
      return
    }
    expect(known, `${OVMF} (SHA-256 ${digest}) is of no version that is pinned here`).toBeDefined()
    for (const [order, mrTd] of Object.entries(known?.mrTd ?? {}))
      expect(measureFirmware(image, { order: order as PageOrder }).mrTd).toBe(mrTd)
  })

  it.each(['per-page', 'two-pass'] as const)('agrees with a second computation, %s', (order) => {
    const sections = parseTdvf(image).map(({ extend, augment, ...section }) => ({
      ...section,
      attributes: extend ? 1 : augment ? 2 : 0,
    }))
    expect(measureFirmware(image, { order }).mrTd).toBe(secondOpinion(sections, image, order))
  })

  it('measures a volume that ends with the reset vector at 4 GiB', () => {
    const [volume] = parseTdvf(image)
    expect(volume).toMatchObject({ type: 'BFV', extend: true })
    expect((volume?.address ?? 0) + (volume?.memorySize ?? 0)).toBe(2 ** 32)
  })
})
