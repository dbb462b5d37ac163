/** `chrysalis registry` on a network that is only reached through two providers. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FAKE_NETWORK } from '../../contracts/chain/testing/network.ts'
import { World } from '../../contracts/chain/testing/world.ts'
import { createOwnerKey, platformKey, rawPublicKey, registryCode, Wallet } from '../../contracts/index.ts'
import { registry as command } from './registry.ts'
import { runHere } from './testing/command.ts'

const dir = mkdtempSync(join(tmpdir(), 'chrysalis-registry-network-'))
const at = (name: string) => join(dir, name)
const PLATFORM = '0123456789abcdef0123456789abcdef'
let world: World
let stopLife: () => void

beforeAll(async () => {
  writeFileSync(at('network.json'), JSON.stringify(FAKE_NETWORK))
  for (const name of ['one', 'other']) writeFileSync(at(name), `key-of-${name}`, { mode: 0o600 })
  world = await World.start(Math.floor(Date.now() / 1000))
  stopLife = world.live(50)
})
afterAll(async () => {
  stopLife()
  await world.close()
  rmSync(dir, { recursive: true, force: true })
})

const onChain = () => [
  ...['--network', at('network.json'), '--chain-provider', `${world.one.endpoint},${world.other.endpoint}`],
  ...['--chain-key-file', `${at('one')},${at('other')}`],
]

async function ok(...argv: string[]): Promise<string> {
  const { stdout, stderr } = await runHere(command, ...argv, ...onChain())
  expect(stderr).toBe('')
  return stdout
}

it('deploys, revokes and shows what both providers say; a revocation that one of them hides is an error', async () => {
  const owner = rawPublicKey(await createOwnerKey(at('owner'))).toString('hex')
  const expiresAt = new Date((world.network.time + 30 * 86_400) * 1000).toISOString()
  const rules = { owners: [owner], threshold: 1, delaySeconds: 3600, expiresAt, minSoftware: '0.1.0' }
  writeFileSync(at('registry.json'), JSON.stringify(rules))
  const wallet = await Wallet.open(at('wallet'), FAKE_NETWORK.globalId)
  await world.network.fund(wallet.address, 20_000_000_000n)
  const deployed = await ok('deploy', at('registry.json'), '--wallet', at('wallet'))
  const there = ['--registry', /registry (\S+)/.exec(deployed)?.[1] ?? '']

  // One provider goes on showing the registry as it is now.
  const code = registryCode().toBoc().toString('base64')
  let shown: object | undefined
  world.one.lie = (method, result) => {
    if (method !== 'getAddressInformation' || (result as { code: string }).code !== code) return result
    shown ??= { data: (result as { data: string }).data }
    return { ...(result as object), ...shown }
  }
  const revoke = ['revoke', 'platform', PLATFORM, ...there, '--key', at('owner'), '--wallet', at('wallet')]
  const hidden = await runHere(command, ...revoke, ...onChain())
  expect(hidden.stderr).toContain('show different states of an account; neither is believed')
  expect(hidden.stdout).not.toContain('done')

  world.one.lie = undefined
  const again = await runHere(command, ...revoke, ...onChain())
  expect(again.stderr).toContain('is revoked')
  expect(Object.keys(JSON.parse(await ok('show', ...there, '--json')).revoked)).toEqual([
    platformKey(PLATFORM),
  ])
}, 120_000)
