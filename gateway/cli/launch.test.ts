import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

type Machine = { platform: string; version: string; glibc: boolean }
interface Obstacles {
  obstacle(machine: Machine): string | undefined
  installObstacle(machine: Machine): string | undefined
  thisMachine(): Machine
}

// Plain JavaScript, so it has no types of its own.
const { obstacle, installObstacle, thisMachine }: Obstacles = await import(
  new URL('./obstacle.mjs', import.meta.url).href
)

const ok = { platform: 'linux', version: '24.21.0', glibc: true }

describe('what keeps Chrysalis from running', () => {
  it.each([
    ok,
    { ...ok, version: '24.14.0' },
    { ...ok, version: '26.0.0' },
    { platform: 'darwin', version: '24.14.0', glibc: false },
    { platform: 'win32', version: '24.14.0', glibc: false },
  ])('nothing on %j', (machine) => expect(obstacle(machine)).toBeUndefined())

  it.each([
    [{ ...ok, glibc: false }, /^Chrysalis needs a Linux with glibc .*musl \(Alpine\)\.$/],
    [
      { ...ok, version: '20.19.4' },
      /^Chrysalis needs Node 24\.14 or newer, and this is Node 20\.19\.4\. .*npm ci/,
    ],
    [{ ...ok, version: '24.13.1' }, /this is Node 24\.13\.1\. Start it with npm/],
    [{ platform: 'win32', version: '22.1.0', glibc: false }, /this is Node 22\.1\.0\. Start it with npm/],
    [
      { platform: 'darwin', version: '22.1.0', glibc: false },
      /On macOS please install Node 24 from nodejs\.org/,
    ],
  ])('a sentence on %j', (machine, sentence) => expect(obstacle(machine)).toMatch(sentence))

  it('is told before the install only where npm brings no Node', () => {
    expect(installObstacle({ ...ok, version: '20.0.0' })).toBeUndefined()
    expect(installObstacle({ platform: 'win32', version: '20.0.0', glibc: false })).toBeUndefined()
    expect(installObstacle({ ...ok, glibc: false })).toContain('Alpine')
    expect(installObstacle({ platform: 'darwin', version: '20.0.0', glibc: false })).toContain('On macOS')
    const check = fileURLToPath(new URL('./preinstall.mjs', import.meta.url))
    expect(spawnSync(process.execPath, [check]).status).toBe(0)
  })

  it('is nothing here, and the launcher goes on to the command', () => {
    expect(obstacle(thisMachine())).toBeUndefined()
    const launcher = fileURLToPath(new URL('./launch.mjs', import.meta.url))
    const { status, stdout } = spawnSync(process.execPath, [launcher, '--help'], { encoding: 'utf8' })
    expect(status).toBe(0)
    expect(stdout).toContain('Usage: npm run chrysalis')
  })
})
