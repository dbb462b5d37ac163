import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { FakeGuest } from '../attest/guest/testing.ts'
import { encodePolicy, simulated, strictNoGpu } from '../attest/policy/index.ts'
import { simulatedGpuRoots, simulatedRoot } from '../attest/simulate/index.ts'
import { type GatewayConfig, gatewaySchema } from './config.ts'
import { measuredConfiguration, readTrust } from './trust.ts'

let dir: string
let pinned: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'chrysalis-trust-'))
  pinned = join(dir, 'pinned.json')
  await writeFile(
    pinned,
    encodePolicy({
      ...strictNoGpu({ measurements: [{ mrTd: 'ab'.repeat(48), rtmr: [null, null, null, null] }] }),
      name: 'mine',
      models: { m: ['ab'.repeat(32)] },
    }),
  )
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const config = (changes: Partial<GatewayConfig> = {}): GatewayConfig => ({
  ...gatewaySchema.parse({
    chainUrl: 'http://127.0.0.1:1',
    chainTokenFile: 'x',
    teeDir: dir,
    tee: 'simulated',
  }),
  ...changes,
})
const guest = { files: new FakeGuest() }

describe('what a gateway trusts', () => {
  it('is by default the simulated TEE of its folder, and with the flag its simulated GPUs', async () => {
    const { kind, policy, real } = await readTrust(config({ pinModels: `m=${'ab'.repeat(32)}` }), {})
    const root = await simulatedRoot(dir)
    expect([kind, real]).toEqual(['simulated-tdx', false])
    expect(policy).toEqual({ ...simulated(root), roles: ['worker'], models: { m: ['ab'.repeat(32)] } })
    const { gpu } = (await readTrust(config({ simulatedGpus: true }), {})).policy
    expect(gpu?.roots).toEqual([{ sha256: (await simulatedGpuRoots(dir)).rootSha256, kind: 'simulated' }])
  })

  it('is real only in a TDX guest whose policy takes hardware alone', async () => {
    const inGuest = await readTrust(config({ tee: 'auto', policy: pinned }), guest)
    expect(inGuest).toMatchObject({ kind: 'tdx', real: true, policy: { name: 'mine', roles: ['worker'] } })
    expect((await readTrust(config({ tee: 'auto', policy: 'simulated' }), guest)).real).toBe(false)
    expect((await readTrust(config({ policy: pinned }), guest)).real).toBe(false)
  })

  it.each([
    ['no policy in a TDX guest', { tee: 'tdx' as const }, /^setting policy: needed/],
    ['pins beside a policy that has its own', { pinModels: `m=${'ab'.repeat(32)}` }, /^setting pinModels: /],
    ['a folder of reference measurements that is not there', { rims: '/nowhere' }, /^setting rims: .*ENOENT/],
    ['simulated GPUs beside a policy', { simulatedGpus: true }, /^setting simulatedGpus: /],
  ])('refuses %s', async (what, changes, words) => {
    const policy = what.startsWith('no ') ? undefined : pinned
    await expect(readTrust({ ...config(changes), policy }, guest)).rejects.toThrow(words)
  })

  it('has the reference measurements of a folder', async () => {
    await writeFile(join(dir, 'driver.swidtag'), '<a/>')
    const { rims } = await readTrust(config({ rims: dir }), {})
    expect(rims.map((rim) => Buffer.from(rim).toString())).toEqual(['<a/>'])
  })

  it('is measured, with the limits, by digest', async () => {
    const { policy } = await readTrust(config(), {})
    const first = measuredConfiguration(config(), policy)
    expect(first).toMatchObject({ role: 'gateway', limits: { bodyBytes: 1_000_000 } })
    expect(measuredConfiguration(config(), { ...policy, evaluationFloor: 2 })).not.toEqual(first)
    expect(JSON.stringify(first)).not.toContain(dir)
  })
})
