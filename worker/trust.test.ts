import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodePolicy, simulated, strictNoGpu } from '../attest/policy/index.ts'
import { simulatedRoot } from '../attest/simulate/index.ts'
import { readSettings } from './config.ts'
import { measuredConfiguration, readGatewayPolicy } from './trust.ts'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'worker-trust-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const settings = (...argv: string[]) => readSettings({ argv, env: {} })
const ROOT = '0a'.repeat(32)

test('a gateway is trusted by default by the simulated TEE of this installation', async () => {
  const policy = await readGatewayPolicy(settings(), 'simulated-tdx', dir)
  expect(policy).toEqual({ ...simulated(await simulatedRoot(dir)), roles: ['gateway'] })
})

test('or by the root or the policy that is named, also in a TDX guest', async () => {
  const byRoot = await readGatewayPolicy(settings('--gateway-root', ROOT), 'tdx', dir)
  expect(byRoot).toMatchObject({ roots: [{ sha256: ROOT, kind: 'simulated' }], roles: ['gateway'] })
  const pinned = strictNoGpu({ measurements: [{ mrTd: 'ab'.repeat(48), rtmr: [null, null, null, null] }] })
  await writeFile(join(dir, 'policy.json'), encodePolicy(pinned))
  const byFile = await readGatewayPolicy(settings('--gateway-policy', join(dir, 'policy.json')), 'tdx', dir)
  expect(byFile).toEqual({ ...pinned, roles: ['gateway'] })
})

test.each([
  [[], 'tdx', /^setting gatewayPolicy: needed in a TDX guest/],
  [['--gateway-policy', 'strict'], 'tdx', /^setting gatewayPolicy: .*role worker/],
  [['--gateway-policy', 'strict-no-gpu'], 'tdx', /^setting gatewayPolicy: .*anybody's TD would pass/],
  [['--gateway-policy', 'platform', '--gateway-root', ROOT], 'simulated-tdx', /^setting gatewayRoot: /],
] as const)('%j on %s is refused', async (argv, kind, words) => {
  await expect(readGatewayPolicy(settings(...argv), kind, dir)).rejects.toThrow(words)
})

test('what is measured changes with what changes behaviour, and with nothing else', () => {
  const measure = (...argv: string[]) => measuredConfiguration(settings(...argv), simulated(ROOT))
  const plain = measure()
  for (const flag of [
    ['--gpu', 'auto'],
    ['--sequences', '2'],
    ['--context-length', '64'],
    ['--log-level', 'debug'],
  ]) {
    expect(measure(...flag)).not.toEqual(plain)
  }
  expect(measuredConfiguration(settings(), simulated('0b'.repeat(32)))).not.toEqual(plain)
  expect(measure('--data', '/elsewhere', '--threads', '3', '--price-prompt', '9')).toEqual(plain)
})
