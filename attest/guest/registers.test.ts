import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../bytes.ts'
import { eventDigest, parseEventLog, replay } from '../eventlog/index.ts'
import { haveVectors, vectorBytes } from '../tdx/testing.ts'
import { CCEL_DATA, CCEL_TABLE } from './ccel.ts'
import { checkCcel } from './checks-tdx.ts'
import { extendRtmr3, readCcel, readMeasurements, TdxGuest } from './index.ts'
import { EVENTS, FakeGuest, failure, fakeExec, rtmr3After } from './testing.ts'

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

  it('is found by the preflight', async () => {
    const machine = { files: withLog(), exec: fakeExec({}), runtimeFolder: '/run/x' }
    expect(await checkCcel(machine)).toMatchObject({
      result: 'ok',
      finding: expect.stringMatching(/log of \d{5} bytes/),
    })
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
