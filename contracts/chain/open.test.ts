import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { openChain } from './open.ts'
import { chainSettings } from './settings.ts'
import { FAKE_NETWORK } from './testing/network.ts'
import { World } from './testing/world.ts'
import { MAINNET, TESTNET } from './toncenter/networks.ts'

const NOW = Math.floor(Date.now() / 1000)
const KEY = 'd5a4ffb1c2e0496e'

let dir: string
let world: World
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'chrysalis-open-'))
  world = await World.start(NOW)
})
afterAll(async () => {
  await world.close()
  rmSync(dir, { recursive: true })
})

function file(name: string, content: string, mode = 0o600): string {
  const path = join(dir, name)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}
const networkFile = (network: unknown) => file('network.json', JSON.stringify(network))
const open = (settings: Record<string, unknown>, admit?: (globalId: number) => void) =>
  openChain(z.object(chainSettings).parse(settings), admit ? { admit } : {})
const providers = () => `${world.one.endpoint},${world.other.endpoint}`

describe('another network than the local one', () => {
  it('is reached through both providers, each with its key', async () => {
    const chainKeyFile = [file('one', `${KEY}1\n`), file('other', `${KEY}2`)].join()
    const network = networkFile(FAKE_NETWORK)
    const chain = await open({ network, chainProvider: providers(), chainKeyFile })
    expect(chain?.globalId).toBe(FAKE_NETWORK.globalId)
    expect(new Set(world.one.requests.map(({ apiKey }) => apiKey))).toEqual(new Set([`${KEY}1`]))
    expect(new Set(world.other.requests.map(({ apiKey }) => apiKey))).toEqual(new Set([`${KEY}2`]))
  })

  it('is that which the zero state says, at both', async () => {
    const wanted = expect.objectContaining({ code: 'ERR_CHAIN_NETWORK' })
    await expect(open({ network: 'testnet', chainProvider: providers() })).rejects.toThrow(wanted)
  })

  it.each([
    ['mainnet', MAINNET],
    ['testnet', TESTNET],
  ])('that is refused gets no request: %s', async (network, { globalId }) => {
    const before = world.one.requests.length
    const refuse = (id: number) => {
      throw new Error(`no ${id}`)
    }
    await expect(open({ network, chainProvider: providers() }, refuse)).rejects.toThrow(`no ${globalId}`)
    expect(world.one.requests).toHaveLength(before)
  })

  it.each([
    ['a public global_id', { ...FAKE_NETWORK, globalId: -3 }, /public testnet/],
    ['a public zero state', { ...FAKE_NETWORK, zeroState: MAINNET.zeroState }, /public mainnet/],
    ['another shape', { ...FAKE_NETWORK, zeroState: { rootHash: 'x' } }, /zeroState.*expected \{"name"/],
  ])('is no private one with %s', async (_, network, message) => {
    const settings = { network: networkFile(network), chainProvider: providers() }
    await expect(open(settings)).rejects.toMatchObject({
      code: 'ERR_CONFIG',
      message: expect.stringMatching(message),
    })
  })

  it.skipIf(process.platform === 'win32')('takes no key that others can read', async () => {
    const chainKeyFile = [file('one', KEY), file('open', KEY, 0o644)].join()
    const settings = { network: 'testnet', chainProvider: providers(), chainKeyFile }
    await expect(open(settings)).rejects.toThrow(
      /^setting chainKeyFile: \S*open can be read by others; chmod 600 it$/,
    )
  })
})

const LOCAL = { chainUrl: 'http://127.0.0.1:1', chainTokenFile: '/nowhere' }
it.each<[string, Record<string, unknown>]>([
  ['chainUrl', { chainTokenFile: 'x' }],
  ['chainTokenFile', { chainUrl: 'http://127.0.0.1:1' }],
  ['chainTokenFile', LOCAL],
  ['chainProvider', { ...LOCAL, chainProvider: 'https://a,https://b' }],
  ['chainKeyFile', { chainKeyFile: 'a,b' }],
  ['chainProvider', { network: 'mainnet' }],
  ['chainUrl', { network: 'mainnet', ...LOCAL }],
  ['network', { network: '/nowhere' }],
  ['chainKeyFile', { network: 'testnet', chainProvider: 'https://a,https://b', chainKeyFile: '/no,/where' }],
])('a fault of %s is said: %j', async (setting, settings) => {
  await expect(open(settings)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringMatching(new RegExp(`^setting ${setting}: `)),
  })
})

it('names none, and there is none', async () => expect(await open({})).toBeUndefined())

it.each(['https://a', 'https://a,https://b,https://c', ','])('%j are not two providers', (chainProvider) => {
  expect(z.object(chainSettings).safeParse({ chainProvider }).success).toBe(false)
})
