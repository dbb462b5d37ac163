import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex, utf8 } from '../bytes.ts'
import {
  DerReader,
  der,
  derNumber,
  derOid,
  derTime,
  oidText,
  smallInteger,
  TAG,
  timeValue,
  unsignedInteger,
} from './der.ts'

describe('DER', () => {
  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70_000 }), (content) => {
        const reader = new DerReader(der(TAG.octetString, content), 'test')
        expect(toHex(reader.next(TAG.octetString).value)).toBe(toHex(content))
        reader.end()
      }),
    )
    fc.assert(
      fc.property(fc.nat(), (value) => {
        expect(smallInteger(new DerReader(derNumber(value), 'test').next().value, 'test')).toBe(value)
      }),
    )
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 33 }), (seconds) => {
        expect(timeValue(new DerReader(derTime(seconds * 1000), 'test').next(), 'test')).toBe(seconds * 1000)
      }),
    )
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 200_000 }), { maxLength: 8 }), (arcs) => {
        const dotted = ['1', '2', ...arcs].join('.')
        expect(oidText(new DerReader(derOid(dotted), 'test').next().value)).toBe(dotted)
      }),
    )
  })

  it.each([
    ['a length in two bytes that fits in one', '04810100'],
    ['a length with a leading zero', `0482007f${'00'.repeat(127)}`],
    ['an indefinite length', '30800000'],
    ['a length beyond the end', '040200'],
    ['nothing', ''],
    ['a tag alone', '30'],
    ['a multi-byte tag', '1f810100'],
  ])('refuses %s', (_name, hex) => {
    expect(() => new DerReader(fromHex(hex), 'test').next()).toThrow('test')
  })

  it('refuses numbers, names and times in other than their one form', () => {
    expect(() => unsignedInteger(fromHex('0001'), 'n')).toThrow('shortest')
    expect(() => unsignedInteger(fromHex('80'), 'n')).toThrow('negative')
    expect(() => unsignedInteger(fromHex(''), 'n')).toThrow('empty')
    expect(() => oidText(fromHex('2a8001'))).toThrow('shortest')
    expect(() => oidText(fromHex('2a86'))).toThrow('cut short')
    const time = (text: string): number =>
      timeValue(new DerReader(der(TAG.utcTime, utf8(text)), 't').next(), 't')
    expect(time('491231235959Z')).toBe(Date.UTC(2049, 11, 31, 23, 59, 59))
    expect(time('500101000000Z')).toBe(Date.UTC(1950, 0, 1))
    for (const bad of [
      '260230000000Z',
      '261301000000Z',
      '260101240000Z',
      '260101006000Z',
      '2601010000Z',
      '260101000000+',
    ])
      expect(() => time(bad), bad).toThrow('t:')
    const general = (text: string): number =>
      timeValue(new DerReader(der(TAG.generalizedTime, utf8(text)), 't').next(), 't')
    expect(general('20500101000000Z')).toBe(Date.UTC(2050, 0, 1))
    for (const bad of [
      '00500101000000Z',
      '20500101000000',
      '2050010100000/Z',
      '205001010000:0Z',
      '500101000000Z',
    ])
      expect(() => general(bad), bad).toThrow('t:')
  })
})
