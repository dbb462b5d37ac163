import { describe, expect, it } from 'vitest'
import { concat, toHex } from '../bytes.ts'
import { parseQuote } from '../tdx/quote.ts'
import { quoteFromConfigfs } from './index.ts'
import { FakeGuest, FakeTime, failure } from './testing.ts'

const DATA = Uint8Array.from({ length: 64 }, (_, i) => i)
const REPORTS = '/sys/kernel/config/tsm/report'

describe('quotes through configfs-tsm', () => {
  const ask = (files: FakeGuest, time = new FakeTime(), data = DATA) =>
    quoteFromConfigfs({ files, sleep: time.sleep }, data)

  it('are over the report data, without padding, and leave no report behind', async () => {
    const guest = new FakeGuest()
    guest.outblob = (quote) => concat(quote, new Uint8Array(3000))
    const quote = await ask(guest)
    const parsed = parseQuote(quote)
    expect(toHex(parsed.body.reportData)).toBe(toHex(DATA))
    expect(parsed.length).toBe(quote.length)
    expect(guest.reports).toEqual([])
  })

  it('clear away the report that a crash left', async () => {
    const guest = new FakeGuest()
    await guest.makeFolder(`${REPORTS}/chrysalis`)
    await guest.write(`${REPORTS}/chrysalis/inblob`, new Uint8Array(64))
    expect(toHex(parseQuote(await ask(guest)).body.reportData)).toBe(toHex(DATA))
    expect(guest.reports).toEqual([])
  })

  it.each<[string, (guest: FakeGuest) => void, number[]]>([
    ['a busy write', (g) => g.faults.push({ match: /^write .*inblob/, code: 'EBUSY', times: 1 }), [250]],
    ['a busy read', (g) => g.faults.push({ match: /outblob/, code: 'EBUSY', times: 2 }), [250, 1000]],
    ['a broken read', (g) => g.faults.push({ match: /outblob/, code: 'EINTR', times: 1 }), [250]],
    [
      'a slow host',
      (g) => g.faults.push({ match: /outblob/, code: 'ETIMEDOUT', times: 3 }),
      [250, 1000, 4000],
    ],
    [
      'report data that the kernel dropped',
      (g) => {
        g.drops = 1
      },
      [250],
    ],
    [
      'another writer before the read',
      (g) => {
        g.races = 1
      },
      [250],
    ],
    [
      'another writer during the read',
      (g) => {
        g.races = 1
        g.raceAfterRead = true
      },
      [250],
    ],
  ])('try again after %s', async (_, change, waited) => {
    const guest = new FakeGuest()
    change(guest)
    const time = new FakeTime()
    expect(toHex(parseQuote(await ask(guest, time)).body.reportData)).toBe(toHex(DATA))
    expect(time.waited).toEqual(waited)
    expect(guest.reports).toEqual([])
  })

  it.each<[string, (guest: FakeGuest) => void, string]>([
    ['busy', (g) => g.faults.push({ match: /outblob/, code: 'EBUSY' }), 'outblob: EBUSY'],
    [
      'raced',
      (g) => {
        g.races = 99
      },
      'another program',
    ],
    [
      'deaf',
      (g) => {
        g.drops = 99
      },
      'did not take',
    ],
  ])('give up after five tries on a kernel that stays %s', async (_, change, message) => {
    const guest = new FakeGuest()
    change(guest)
    const time = new FakeTime()
    const error = await failure(ask(guest, time))
    expect(error.code).toBe('ERR_GUEST_QUOTE')
    expect(error.message).toContain('no quote after 5 tries')
    expect(error.message).toContain(message)
    expect(time.waited).toEqual([250, 1000, 4000, 10_000])
    expect(guest.reports).toEqual([])
  })

  it.each<[string, (guest: FakeGuest) => void, string, RegExp]>([
    ['no TSM', (g) => g.without(REPORTS), 'ERR_NOT_TDX_GUEST', /modprobe tdx_guest/],
    [
      'no configfs',
      (g) => g.without(REPORTS).text('/proc/mounts', 'sysfs /sys sysfs rw 0 0\n'),
      'ERR_NOT_TDX_GUEST',
      /mount -t configfs/,
    ],
    [
      'an old kernel',
      (g) => g.without(REPORTS).text('/proc/sys/kernel/osrelease', '6.6.1\n'),
      'ERR_NOT_TDX_GUEST',
      /6\.6\.1 is too old.*6\.7/,
    ],
    [
      'AMD',
      (g) => {
        g.provider = 'sev_guest\n'
      },
      'ERR_NOT_TDX_GUEST',
      /^not a TDX guest: .*"sev_guest"/,
    ],
    [
      'no provider',
      (g) => g.faults.push({ match: /^mkdir/, code: 'ENXIO' }),
      'ERR_NOT_TDX_GUEST',
      /no driver makes reports/,
    ],
    [
      'no rights',
      (g) => g.faults.push({ match: /^mkdir/, code: 'EACCES' }),
      'ERR_GUEST_PERMISSION',
      /as root/,
    ],
    [
      'no right to write',
      (g) => g.faults.push({ match: /^write/, code: 'EPERM' }),
      'ERR_GUEST_PERMISSION',
      /inblob: EPERM/,
    ],
    [
      'a read-only tree',
      (g) => g.faults.push({ match: /^mkdir/, code: 'EROFS' }),
      'ERR_GUEST_PERMISSION',
      /read-write/,
    ],
    [
      'a failing host',
      (g) => g.faults.push({ match: /outblob/, code: 'EIO' }),
      'ERR_GUEST_QUOTE',
      /log of QGS/,
    ],
    [
      'a kernel whose answer is too large',
      (g) => g.faults.push({ match: /outblob/, code: 'EFBIG' }),
      'ERR_GUEST_QUOTE',
      /larger than 16384/,
    ],
    [
      'an answer that is too large',
      (g) => {
        g.outblob = (quote) => concat(quote, new Uint8Array(16_384))
      },
      'ERR_GUEST_QUOTE',
      /EFBIG/,
    ],
    [
      'an empty answer',
      (g) => {
        g.outblob = () => new Uint8Array(0)
      },
      'ERR_GUEST_QUOTE',
      /quote generation service.*QGS/,
    ],
    [
      'an answer that is no quote',
      (g) => {
        g.outblob = () => new Uint8Array(5000).fill(7)
      },
      'ERR_GUEST_QUOTE',
      /no TDX quote/,
    ],
    [
      'a quote that is cut',
      (g) => {
        g.outblob = (quote) => quote.subarray(0, 4000)
      },
      'ERR_GUEST_QUOTE',
      /no TDX quote/,
    ],
    [
      'a generation that cannot be read',
      (g) => g.faults.push({ match: /generation/, code: 'EINVAL' }),
      'ERR_GUEST_QUOTE',
      /generation: EINVAL/,
    ],
    [
      'a generation that is no number',
      (g) => {
        g.generation = 'many\n'
      },
      'ERR_GUEST_QUOTE',
      /generation: not a number/,
    ],
    [
      'no room for a report',
      (g) => g.faults.push({ match: /^mkdir/, code: 'ENOMEM' }),
      'ERR_GUEST_QUOTE',
      /report folder: ENOMEM/,
    ],
  ])('with %s fail at once, with the cure', async (_, change, code, message) => {
    const guest = new FakeGuest()
    change(guest)
    const time = new FakeTime()
    const error = await failure(ask(guest, time))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
    expect(time.waited).toEqual([])
    expect(guest.reports).toEqual([])
  })

  it('over other report data, or over data of another length, are refused', async () => {
    const other = new FakeGuest()
    const foreign = await ask(other, new FakeTime(), new Uint8Array(64))
    const guest = new FakeGuest()
    guest.outblob = () => foreign
    expect((await failure(ask(guest))).message).toContain('other report data')
    for (const length of [0, 32, 63, 65])
      expect((await failure(ask(guest, new FakeTime(), new Uint8Array(length)))).message).toContain(
        `${length} bytes instead of 64`,
      )
  })
})
