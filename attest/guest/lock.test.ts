import { describe, expect, it } from 'vitest'
import { LOCK_FILE, RUNTIME_FOLDER } from './tdx-guest.ts'
import { FakeGuest, failure, open } from './testing.ts'

const LOCK = `${RUNTIME_FOLDER}/${LOCK_FILE}`

describe('the lock of a guest', () => {
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

  it('gives back a lock that another process took while the dead one was looked at', async () => {
    const guest = new FakeGuest()
    guest.text(LOCK, '{"pid":7,"start":"1"}')
    const rename = guest.rename.bind(guest)
    guest.rename = async (from, to) => {
      guest.text(LOCK, '{"pid":200,"start":"20000"}')
      await rename(from, to)
    }
    expect((await failure(open(guest))).message).toContain('process 200')
    expect(Buffer.from(guest.tree.get(LOCK) ?? []).toString()).toBe('{"pid":200,"start":"20000"}')
  })

  it('takes a lock that vanishes while it is looked at, and gives up on one that keeps coming back', async () => {
    const vanishing = new FakeGuest()
    vanishing.text(LOCK, '{"pid":7,"start":"1"}')
    const rename = vanishing.rename.bind(vanishing)
    vanishing.rename = async (from, to) => {
      vanishing.tree.delete(LOCK)
      await rename(from, to)
    }
    await open(vanishing)
    const unseen = new FakeGuest()
    unseen.faults.push({ match: /^create/, code: 'EEXIST' })
    expect((await failure(open(unseen))).message).toContain('keep taking the lock')
  })

  it('passes on what the disk says of its lock and of its record', async () => {
    for (const match of [/^create/, /^rename/, /^read .*measured/]) {
      const guest = new FakeGuest()
      await (await open(guest)).close()
      if (match.source === '^rename') guest.text(LOCK, '{"pid":7,"start":"1"}')
      guest.faults.push({ match, code: 'EIO' })
      await expect(open(guest)).rejects.toMatchObject({ code: 'EIO' })
    }
  })

  it('needs the name of the boot', async () => {
    const guest = new FakeGuest()
    guest.without('/proc/sys/kernel/random/boot_id')
    expect((await failure(open(guest))).message).toContain('boot_id: cannot be read')
  })

  it('of two processes that find a dead lock, one gets it', async () => {
    const guest = new FakeGuest()
    guest.text(LOCK, '{"pid":7,"start":"1"}')
    const results = await Promise.allSettled([open(guest, { pid: 100 }), open(guest, { pid: 200 })])
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
  })
})
