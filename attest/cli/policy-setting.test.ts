import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { encodePolicy, type Policy } from '../policy/policy.ts'
import { INTEL_ROOT, platform, simulated, strict } from '../policy/presets.ts'
import { ConfigError } from './config.ts'
import { readPolicySetting } from './policy-setting.ts'

const ROOT = 'ab'.repeat(32)
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'chrysalis-policy-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const read = (value: string | undefined, role: 'worker' | 'gateway' = 'worker') =>
  readPolicySetting(value, { setting: 'policy', role, simulatedRoot: async () => ROOT })

async function file(content: string | Policy): Promise<string> {
  const path = join(dir, `${Math.random()}.json`)
  await writeFile(path, typeof content === 'string' ? content : encodePolicy(content))
  return path
}

const measurements = [{ mrTd: 'ab'.repeat(48), rtmr: [null, null, null, null] as [null, null, null, null] }]

it('takes the simulated TEE of this installation by default, presets by name, and files', async () => {
  const own = { ...simulated(ROOT), roles: ['worker'] }
  expect(await read(undefined)).toEqual(own)
  expect(await read('simulated')).toEqual(own)
  expect(await read(await file(strict({ measurements })))).toMatchObject({ roots: [{ sha256: INTEL_ROOT }] })
  const path = await file({ ...simulated('cd'.repeat(32)), name: 'mine', roles: ['gateway', 'worker'] })
  expect(await read(path, 'gateway')).toMatchObject({ name: 'mine', roles: ['gateway'] })
})

it.each([
  ['a file that is not there', async () => join(dir, 'nowhere.json'), /ENOENT/],
  ['a preset that does not exist', async () => 'lenient', /neither a preset \(platform/],
  ['a folder', async () => dir, /EISDIR/],
  ['what is not JSON', () => file('policy: {}'), /not JSON/],
  ['a file of another format', () => file('{"name":"x"}'), /format/],
  ['a policy with an unknown factor', () => file(`{"format":"chrysalis/policy/1","skip":["x"]}`), /policy: /],
  ['a policy about gateways only', () => file({ ...simulated(ROOT), roles: ['gateway'] }), /role gateway/],
  ['hardware without pins', async () => 'platform', /anybody's TD would pass/],
  ['hardware without a set', () => file(strict({ measurements: [] })), /pin measurements/],
  [
    'pins that need not be met',
    () => file({ ...platform(), measurements }),
    /out of its skip: claims\.format, .*measurement\.complete, eventlog\.format/,
  ],
  [
    'a configuration that nobody has to show',
    () => file({ ...strict({ measurements }), skip: ['configuration.allowed'] }),
    /out of its skip: configuration\.allowed$/,
  ],
  [
    'hardware that is called simulated',
    () => file({ ...simulated(INTEL_ROOT), name: 'mine' }),
    /anybody's TD would pass/,
  ],
  ['strict as it is', async () => 'strict', /pin measurements/],
  ['a policy without caller-nonce', () => file({ ...simulated(ROOT), freshness: ['none'] }), /caller-nonce/],
])('refuses %s in one sentence that names the setting', async (_, make, words) => {
  const failed = read(await make())
  await expect(failed).rejects.toThrow(ConfigError)
  await expect(failed).rejects.toThrow(words)
  await expect(failed).rejects.toThrow(/^setting policy: /)
})
