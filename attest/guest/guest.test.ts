import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { concat, toHex, utf8 } from '../bytes.ts'
import { eventDigest, type MeasuredEvent, parseEventLog, replay } from '../eventlog/index.ts'
import { createEvidence } from '../evidence/bundle.ts'
import { parseQuote } from '../tdx/quote.ts'
import { haveVectors, vectorBytes } from '../tdx/testing.ts'
import { CCEL_DATA, CCEL_TABLE } from './ccel.ts'
import { extendRtmr3, GuestError, quoteFromConfigfs, readCcel, readMeasurements, TdxGuest } from './index.ts'
import { LOCK_FILE, RECORD_FILE, RUNTIME_FOLDER, type TdxGuestOptions } from './tdx-guest.ts'
import { FakeGuest, FakeTime, fakeExec } from './testing.ts'

const DATA = Uint8Array.from({ length: 64 }, (_, i) => i)
const LOCK = `${RUNTIME_FOLDER}/${LOCK_FILE}`
const RECORD = `${RUNTIME_FOLDER}/${RECORD_FILE}`
const REPORTS = '/sys/kernel/config/tsm/report'

const EVENTS: readonly MeasuredEvent[] = [
  { name: 'chrysalis.software', payload: utf8('{"version":"1"}') },
  { name: 'chrysalis.configuration', payload: utf8('{}') },
  { name: 'chrysalis.model', payload: utf8('{"id":"m"}') },
]

/** RTMR3 after the first `count` events, computed apart. */
function rtmr3After(events: readonly MeasuredEvent[], count = events.length): string {
  let value = Buffer.alloc(48)
  for (const { name, payload } of events.slice(0, count)) {
    const bytes = concat(utf8(`chrysalis/event/1\0${name}\0`), payload)
    const digest = createHash('sha384').update(bytes).digest()
    value = createHash('sha384').update(value).update(digest).digest()
  }
  return value.toString('hex')
}

async function failure(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  try {
    await work
  } catch (error) {
    expect(error).toBeInstanceOf(GuestError)
    return error as GuestError
  }
  throw new Error('it did not fail')
}

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
      'a generation that is no number',
      (g) => g.faults.push({ match: /generation/, code: 'EINVAL' }),
      'ERR_GUEST_QUOTE',
      /generation: EINVAL/,
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
      expect((await failure(ask(guest, new FakeTime(), new Uint8Array(length)))).message).toContain('64')
  })
})

describe('measurement registers', () => {
  it('are read', async () => {
    const guest = new FakeGuest()
    const { mrTd, mrConfigId, rtmr } = await readMeasurements(guest)
    expect([mrTd[0], mrConfigId[0], ...rtmr.map(([first]) => first)]).toEqual([11, 10, 1, 2, 3, 0])
  })

  it('are found where the class link is missing', async () => {
    const guest = new FakeGuest()
    const other = '/sys/devices/virtual/misc/tdx_guest/measurements'
    for (const [path, bytes] of [...guest.tree])
      if (path.includes('/measurements/')) guest.tree.set(`${other}/${path.split('/').at(-1)}`, bytes)
    for (const i of [0, 1, 2, 3]) guest.tree.set(`${other}/rtmr${i}:sha384`, new Uint8Array(48).fill(9))
    guest.without('/sys/class/misc/tdx_guest/measurements')
    guest.folders.add(other)
    expect((await readMeasurements(guest)).rtmr[3][0]).toBe(9)
  })

  it('RTMR3 is extended as the TDX module does', async () => {
    const guest = new FakeGuest()
    const digest = eventDigest('a', utf8('b'))
    const expected = createHash('sha384').update(new Uint8Array(48)).update(digest).digest('hex')
    expect(toHex(await extendRtmr3(guest, digest))).toBe(expected)
    expect(toHex(guest.rtmr[3])).toBe(expected)
  })

  it.each<[string, (guest: FakeGuest) => void, string, RegExp]>([
    [
      'an old kernel',
      (g) =>
        g
          .without('/sys/class/misc/tdx_guest/measurements')
          .text('/proc/sys/kernel/osrelease', '6.12.0-amd64\n'),
      'ERR_NOT_TDX_GUEST',
      /6\.12\.0-amd64 is too old.*6\.16/,
    ],
    [
      'a kernel without them',
      (g) => g.without('/sys/class/misc/tdx_guest/measurements'),
      'ERR_NOT_TDX_GUEST',
      /CONFIG_TSM_MEASUREMENTS/,
    ],
    ['no rights', (g) => g.faults.push({ match: /^write/, code: 'EACCES' }), 'ERR_GUEST_PERMISSION', /root/],
    [
      'a refusing kernel',
      (g) => g.faults.push({ match: /^write/, code: 'EINVAL' }),
      'ERR_GUEST_REGISTER',
      /EINVAL/,
    ],
    [
      'another program that extends as well',
      (g) => {
        const write = g.write.bind(g)
        g.write = async (path, bytes) => {
          await write(path, bytes)
          g.extend(3, bytes)
        }
      },
      'ERR_GUEST_REGISTER',
      /another program extends it/,
    ],
  ])('with %s it is refused', async (_, change, code, message) => {
    const guest = new FakeGuest()
    change(guest)
    const error = await failure(extendRtmr3(guest, new Uint8Array(48)))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })

  it('of another length, and digests of another length, are refused', async () => {
    const guest = new FakeGuest()
    expect((await failure(extendRtmr3(guest, new Uint8Array(32)))).message).toContain('32 bytes')
    guest.tree.set('/sys/class/misc/tdx_guest/measurements/mrowner', new Uint8Array(47))
    expect((await failure(readMeasurements(guest))).message).toContain('47 bytes')
  })
})

describe.skipIf(!haveVectors())('the event log of the firmware', () => {
  const withLog = (): FakeGuest => {
    const guest = new FakeGuest()
    guest.tree.set(CCEL_TABLE, vectorBytes('ccel/gcp_cos113_ccel_table.bin'))
    guest.tree.set(CCEL_DATA, vectorBytes('ccel/gcp_cos113_ccel_data.bin'))
    return guest
  }

  it('is read without its padding, and replays as it did', async () => {
    const log = await readCcel(withLog())
    const whole = vectorBytes('ccel/gcp_cos113_ccel_data.bin')
    expect(log?.length).toBeLessThan(100_000)
    expect(replay(parseEventLog(log ?? new Uint8Array(0))).map(toHex)).toEqual(
      replay(parseEventLog(whole)).map(toHex),
    )
  })

  it('goes into our log together with our events', async () => {
    const guest = withLog()
    const tee = await TdxGuest.open({ files: guest, pid: 100, events: EVENTS })
    const log = parseEventLog(await tee.eventLog())
    const boot = replay(parseEventLog(vectorBytes('ccel/gcp_cos113_ccel_data.bin'))).map(toHex)
    expect(replay(log).map(toHex)).toEqual([...boot.slice(0, 3), rtmr3After(EVENTS)])
  })

  it('of a guest of another kind is refused', async () => {
    const guest = withLog()
    const table = vectorBytes('ccel/gcp_cos113_ccel_table.bin').slice()
    table[36] = 1
    table[9] = ((table[9] ?? 0) + 1) & 255
    guest.tree.set(CCEL_TABLE, table)
    expect((await failure(readCcel(guest))).message).toMatch(/^not a TDX guest: .*type 1/)
  })

  it('that is damaged is a typed error, and one that may not be read names the right', async () => {
    const guest = withLog()
    guest.tree.set(CCEL_TABLE, new Uint8Array(56))
    await expect(readCcel(guest)).rejects.toThrow(/CCEL/)
    guest.faults.push({ match: /CCEL/, code: 'EACCES' })
    expect((await failure(readCcel(guest))).code).toBe('ERR_GUEST_PERMISSION')
  })
})

describe('a TDX guest', () => {
  const open = (files: FakeGuest, change: Partial<TdxGuestOptions> = {}) =>
    TdxGuest.open({ files, pid: 100, events: EVENTS, sleep: new FakeTime().sleep, ...change })

  it('measures its events once, and its log replays to its quotes', async () => {
    const guest = new FakeGuest()
    const tee = await open(guest)
    const { body } = parseQuote(await tee.quote(DATA))
    expect(toHex(body.rtmr[3])).toBe(rtmr3After(EVENTS))
    const [, , , replayed] = replay(parseEventLog(await tee.eventLog()))
    expect(toHex(replayed)).toBe(rtmr3After(EVENTS))
    expect(tee.kind).toBe('tdx')
  })

  it('goes on in the same boot after a restart, without extending again', async () => {
    const guest = new FakeGuest()
    await (await open(guest)).close()
    const before = toHex(guest.rtmr[3])
    const again = await open(guest, { pid: 200 })
    expect(toHex(guest.rtmr[3])).toBe(before)
    await again.quote(DATA)
  })

  it.each([0, 1, 2, 3])('finishes what a crash after %i extensions left', async (count) => {
    const guest = new FakeGuest()
    let writes = 0
    const write = guest.write.bind(guest)
    guest.write = async (path, bytes) => {
      if (writes++ === count) throw new Error('killed')
      await write(path, bytes)
    }
    await open(guest).catch(() => {})
    expect(toHex(guest.rtmr[3])).toBe(rtmr3After(EVENTS, count))
    guest.write = write
    guest.without('/proc/100')
    const tee = await open(guest, { pid: 200 })
    await tee.quote(DATA)
    expect(toHex(guest.rtmr[3])).toBe(rtmr3After(EVENTS))
  })

  it('refuses what this boot did not measure: another configuration, more events, fewer', async () => {
    const guest = new FakeGuest()
    await (await open(guest)).close()
    const [software, , model] = EVENTS
    const other = { name: 'chrysalis.configuration', payload: utf8('{"debug":true}') }
    const changed = [software, other, model] as MeasuredEvent[]
    const wrong = await failure(open(guest, { events: changed }))
    expect(wrong.code).toBe('ERR_GUEST_REGISTER')
    expect(wrong.message).toMatch(/another chrysalis\.configuration \(event 2 of 3\)\. Reboot/)
    for (const events of [EVENTS.slice(0, 2), [...EVENTS, ...EVENTS.slice(2)]])
      expect((await failure(open(guest, { events }))).message).toContain(`now there are ${events.length}`)
    await open(guest)
  })

  it('refuses an RTMR3 that somebody else extended: before, and after a restart', async () => {
    const foreign = new FakeGuest()
    foreign.extend(3, new Uint8Array(48))
    expect((await failure(open(foreign))).message).toMatch(/nothing of this boot says/)
    const later = new FakeGuest()
    await (await open(later)).close()
    later.extend(3, new Uint8Array(48))
    expect((await failure(open(later))).message).toMatch(/is not what the events in .* replay to/)
  })

  it('refuses to quote when RTMR3 was extended behind its back', async () => {
    const guest = new FakeGuest()
    const tee = await open(guest)
    guest.extend(3, new Uint8Array(48))
    expect((await failure(tee.quote(DATA))).message).toContain('another program extended it after we did')
  })

  it('starts anew after a reboot, also where the runtime folder was kept', async () => {
    for (const keepRun of [false, true]) {
      const guest = new FakeGuest()
      await open(guest)
      guest.reboot({ keepRun })
      guest.process(100, '5')
      const events = EVENTS.slice(0, 1)
      const tee = await open(guest, { events, pid: 200 })
      expect(toHex(parseQuote(await tee.quote(DATA)).body.rtmr[3])).toBe(rtmr3After(events))
    }
  })

  it.each<[string, string]>([
    ['of another boot', 'other boot'],
    ['that is no JSON', '{'],
    ['of another form', '{"format":"chrysalis/measured/1","bootId":1,"events":[]}'],
  ])('does not believe a record %s', async (what, text) => {
    const guest = new FakeGuest()
    await (await open(guest)).close()
    const record = Buffer.from(guest.tree.get(RECORD) ?? []).toString()
    guest.text(RECORD, what === 'of another boot' ? record.replace('0001"', '0009"') : text)
    expect((await failure(open(guest))).message).toMatch(/nothing of this boot says/)
  })

  it('does not believe a record with names that cannot be measured', async () => {
    const guest = new FakeGuest()
    await (await open(guest)).close()
    const record = Buffer.from(guest.tree.get(RECORD) ?? []).toString()
    guest.text(RECORD, record.replace('chrysalis.model', 'Model!'))
    expect((await failure(open(guest))).message).toMatch(/nothing of this boot says/)
  })

  it('makes one quote at a time', async () => {
    const guest = new FakeGuest()
    const tee = await open(guest)
    guest.calls.length = 0
    const data = [1, 2, 3].map((value) => new Uint8Array(64).fill(value))
    const quotes = await Promise.all(data.map((one) => tee.quote(one)))
    expect(quotes.map((quote) => parseQuote(quote).body.reportData[0])).toEqual([1, 2, 3])
    const folders = guest.calls.filter((call) => /dir /.test(call)).map((call) => call.split(' ')[0])
    expect(folders).toEqual(['mkdir', 'rmdir', 'mkdir', 'rmdir', 'mkdir', 'rmdir'])
  })

  it('goes on after a quote that failed', async () => {
    const guest = new FakeGuest()
    const tee = await open(guest)
    guest.faults.push({ match: /outblob/, code: 'EIO', times: 1 })
    await failure(tee.quote(DATA))
    await tee.quote(DATA)
  })

  it('is open in one process', async () => {
    const guest = new FakeGuest()
    const first = await open(guest)
    const refused = await failure(open(guest, { pid: 200 }))
    expect(refused.code).toBe('ERR_GUEST_LOCKED')
    expect(refused.message).toContain('process 100')
    await first.close()
    await (await open(guest, { pid: 200 })).close()
    expect(guest.tree.has(LOCK)).toBe(false)
  })

  it('takes over the lock of a process that is gone, or whose number another has now', async () => {
    for (const kill of [(g: FakeGuest) => g.without('/proc/100'), (g: FakeGuest) => g.process(100, '99')]) {
      const guest = new FakeGuest()
      await open(guest)
      kill(guest)
      await open(guest, { pid: 200 })
      expect(JSON.parse(Buffer.from(guest.tree.get(LOCK) ?? []).toString())).toEqual({
        pid: 200,
        start: '20000',
      })
      expect([...guest.tree.keys()].filter((path) => path.includes('stale'))).toEqual([])
    }
  })

  it('takes over a lock file that says nothing', async () => {
    const guest = new FakeGuest()
    guest.text(LOCK, '')
    await open(guest)
    expect(guest.tree.get(LOCK)?.length).toBeGreaterThan(0)
  })

  it('gives the lock back when it cannot be opened, and never that of another', async () => {
    const guest = new FakeGuest()
    guest.extend(3, new Uint8Array(48))
    await failure(open(guest))
    expect(guest.tree.has(LOCK)).toBe(false)
    guest.reboot()
    const tee = await open(guest)
    guest.text(LOCK, '{"pid":200,"start":"20000"}')
    await tee.close()
    expect(guest.tree.has(LOCK)).toBe(true)
  })

  it('of two processes that find a dead lock, one gets it', async () => {
    const guest = new FakeGuest()
    guest.text(LOCK, '{"pid":7,"start":"1"}')
    const results = await Promise.allSettled([open(guest, { pid: 100 }), open(guest, { pid: 200 })])
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  it.each<[string, (guest: FakeGuest) => void, RegExp]>([
    [
      'an ordinary machine',
      (g) => g.without('/sys/class/misc/tdx_guest').text('/proc/cpuinfo', 'flags\t: fpu vmx\n'),
      /^not a TDX guest: there is neither \/sys\/class\/misc\/tdx_guest nor the flag.*simulated TEE$/,
    ],
    [
      'a TD without its driver',
      (g) => g.without('/sys/class/misc/tdx_guest'),
      /^not a TDX guest: the processor is in a TD.*modprobe tdx_guest/,
    ],
    ['no quotes', (g) => g.without(REPORTS), /^not a TDX guest: .*CONFIG_TSM_REPORTS/],
  ])('on %s says what is missing', async (_, change, message) => {
    const guest = new FakeGuest()
    change(guest)
    const error = await failure(open(guest))
    expect(error.code).toBe('ERR_NOT_TDX_GUEST')
    expect(error.message).toMatch(message)
    expect(guest.calls.filter((call) => /^(write|create|replace|ensure)/.test(call))).toEqual([])
  })

  it('names the right that is missing for its runtime folder', async () => {
    const guest = new FakeGuest()
    guest.faults.push({ match: /^ensure/, code: 'EACCES' })
    expect((await failure(open(guest))).message).toMatch(/^\/run\/chrysalis: EACCES: run this as root/)
  })

  it('makes evidence: GPU first, then a quote that binds it, then log and collateral', async () => {
    const guest = new FakeGuest()
    const exec = fakeExec({})
    const seen: string[] = []
    const collateral = {
      collateral: async (quote: Uint8Array) => {
        seen.push(toHex(parseQuote(quote).body.reportData))
        throw new Error('no network')
      },
    }
    const tee = await open(guest, { exec, collateral })
    const evidence = createEvidence({ tee, nonce: new Uint8Array(32), claims: utf8('{}') })
    await expect(evidence).rejects.toThrow('no network')
    expect(seen).toHaveLength(1)
    const plain = new FakeGuest()
    const bundle = await createEvidence({
      tee: await open(plain),
      nonce: new Uint8Array(32),
      claims: utf8('{}'),
    })
    expect(Object.keys(bundle).sort()).toEqual(['claims', 'eventLog', 'format', 'nonce', 'quote', 'tee'])
    expect(bundle.tee).toBe('tdx')
  })
})
