import { describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../bytes.ts'
import { type MeasuredEvent, parseEventLog, replay } from '../eventlog/index.ts'
import { createEvidence } from '../evidence/bundle.ts'
import { parseQuote } from '../tdx/quote.ts'
import { RECORD_FILE, RUNTIME_FOLDER } from './tdx-guest.ts'
import { EVENTS, FakeGuest, failure, fakeExec, open, rtmr3After } from './testing.ts'

const DATA = Uint8Array.from({ length: 64 }, (_, i) => i)
const RECORD = `${RUNTIME_FOLDER}/${RECORD_FILE}`
const REPORTS = '/sys/kernel/config/tsm/report'

describe('a TDX guest', () => {
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
