import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Role } from './supervisor.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-role-'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** A role whose whole program is `source`. */
function role(name: string, source: string): Role {
  const path = join(dir, `${name}.mjs`)
  writeFileSync(path, source)
  return new Role({ name, main: pathToFileURL(path), args: () => [], onLog: () => {} })
}

const READY = `console.log('{"event":"ready"}')`

describe('a role', () => {
  it('stops by the message alone, as on Windows, where no signal can be caught', async () => {
    const deaf = `process.on('SIGTERM', () => {})
      process.on('message', ({ type }) => process.exit(type === 'stop' ? 0 : 1))`
    const tested = role('deaf', `${deaf}; ${READY}`)
    await tested.start()
    const pid = tested.pid ?? 0
    await tested.stop()
    // Gone before the 40 s after which it would be killed: the time limit below tells.
    expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  }, 30_000)

  it('that keeps dying is given up', async () => {
    const tested = role('dying', `${READY}; process.exitCode = 3; process.disconnect()`)
    let deaths = 0
    tested.on('died', (how) => {
      expect(how).toBe('exited with code 3')
      deaths++
    })
    const failed = once(tested, 'failed')
    await tested.start()
    expect((await failed)[0]).toMatchObject({ code: 'ERR_ROLE_CRASH_LOOP' })
    expect(deaths).toBe(5)
  })

  it('that ends before it is ready says so, and one that was stopped is not started', async () => {
    const early = role('early', 'process.exit(7)')
    await expect(early.start()).rejects.toThrow('early did not start: exited with code 7')
    const retired = role('retired', READY)
    retired.retire()
    await expect(retired.start()).rejects.toMatchObject({ code: 'ERR_ROLE_FAILED' })
    expect(retired.pid).toBeUndefined()
  })
})
