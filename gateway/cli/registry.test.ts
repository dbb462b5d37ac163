/** `chrysalis registry` as owners use it: files, offline signatures, and a real chain behind a socket. */

import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Address } from '@ton/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLocalChainServer } from '../../contracts/chain/local/server.ts'
import { connectLocalChain, type LocalChain, platformKey, Wallet } from '../../contracts/index.ts'
import { registry as command } from './registry.ts'
import { chrysalis, runHere } from './testing/command.ts'

const TOKEN = 'a token of the local chain for these tests'
const dir = mkdtempSync(join(tmpdir(), 'chrysalis-registry-'))
const at = (name: string) => join(dir, name)
const GATEWAY = new Address(0, Buffer.alloc(32, 0xcd))
const SHA = 'ab'.repeat(32)
const prices = { prompt: '50000000', cached: '25000000', completion: '200000000', reasoning: '200000000' }
const model = { sha256: SHA, id: 'chrysalis/tiny', prices }

let server: Awaited<ReturnType<typeof startLocalChainServer>>
let chain: LocalChain
let onChain: string[]
/** Public keys of the owners ann, bob and cleo, and what finds the registry. */
const owners: Record<string, string> = {}
let registry: string
let there: string[]

beforeAll(async () => {
  server = await startLocalChainServer({ dir: at('chain'), port: 0, token: TOKEN })
  writeFileSync(at('token'), TOKEN, { mode: 0o600 })
  onChain = ['--chain-url', server.url, '--chain-token-file', at('token')]
  chain = await connectLocalChain({ url: server.url, token: TOKEN })
  const wallet = await Wallet.open(at('wallet'), chain.globalId)
  await chain.fund(wallet.address, 100_000_000_000n)
})
afterAll(async () => {
  await server.close()
  rmSync(dir, { recursive: true, force: true })
})

/** A command that succeeds. @returns its output */
async function ok(...argv: string[]): Promise<string> {
  const { status, stdout, stderr } = await runHere(command, ...argv)
  expect(stderr).toBe('')
  expect(status).toBe(0)
  return stdout
}

async function refused(because: string, ...argv: string[]): Promise<void> {
  const { status, stderr } = await runHere(command, ...argv)
  expect(stderr).toContain(because)
  expect(status).not.toBe(0)
}

function write(name: string, value: unknown): string {
  writeFileSync(at(name), JSON.stringify(value))
  return at(name)
}

const paying = () => ['--wallet', at('wallet')]
const shown = async () => JSON.parse(await ok('show', ...there, '--json'))

/** Reads what a file asks as an owner does, then signs exactly that. */
async function sign(owner: string, file: string, ...more: string[]): Promise<string> {
  const read = await ok('sign', file, '--key', at(owner), ...more)
  const [, hash = ''] = /--hash ([0-9a-f]{64})/.exec(read) ?? []
  await ok('sign', file, '--key', at(owner), '--hash', hash, ...more)
  return read
}

it('says what it can do, to a stranger too', async () => {
  const { status, stdout } = await chrysalis('registry', '--help')
  expect(status).toBe(0)
  const verbs = [
    'show',
    'keygen',
    'deploy',
    'propose',
    'renew',
    'sign',
    'submit',
    'execute',
    'revoke',
    'cancel',
    'top-up',
  ]
  for (const verb of verbs) expect(stdout).toMatch(new RegExp(`^  ${verb} `, 'm'))
  await refused("not 'sing'", 'sing')
  expect((await chrysalis('registry', 'revoke', '--help')).stdout).toContain(
    'chrysalis registry revoke KIND KEY',
  )
})

it('keygen makes a key that only its owner can read, and replaces none', async () => {
  for (const name of ['ann', 'bob', 'cleo']) owners[name] = (await ok('keygen', '--key', at(name))).trim()
  expect(owners.ann).toMatch(/^[0-9a-f]{64}$/)
  if (process.platform !== 'win32') expect(statSync(at('ann')).mode & 0o777).toBe(0o600)
  expect(readFileSync(at('ann'), 'utf8')).not.toContain(owners.ann)
  await refused('never replaced', 'keygen', '--key', at('ann'))
})

it('deploy, twice the same; show says what stands there', async () => {
  const expiresAt = new Date(((await chain.now()) + 30 * 86_400) * 1000).toISOString()
  const rules = { owners: Object.values(owners), threshold: 2, delaySeconds: 3600 }
  const file = write('registry.json', { ...rules, expiresAt, minSoftware: '0.1.0', models: [model] })
  const first = await ok('deploy', file, ...paying(), ...onChain)
  expect(await ok('deploy', file, ...paying(), ...onChain)).toBe(first)
  registry = /registry (\S+)/.exec(first)?.[1] ?? ''
  there = ['--registry', registry, ...onChain]
  const state = await shown()
  expect(first).toContain(`pin ${state.pin}`)
  expect(state).toMatchObject({
    version: 1,
    threshold: 2,
    models: [{ key: SHA, ...model }],
    revoked: {},
    coming: [],
  })
  expect(state.owners.map(({ key }: { key: string }) => key).sort()).toEqual(Object.values(owners).sort())
  const text = await ok('show', ...there)
  for (const part of ['"chrysalis/tiny"', '0.050000000 TON', '2 of 3 owners decide', owners.bob ?? '-'])
    expect(text).toContain(part)
})

describe('a proposal', () => {
  const endpoint = 'https://gateway.example'

  it('is signed apart and offline, submitted, waits, and is carried out', async () => {
    const steps = write('steps.json', [{ do: 'put-gateway', wallet: GATEWAY.toString(), endpoint }])
    const file = at('proposal.json')
    await ok('propose', steps, ...there, '--out', file)
    await refused('is there already', 'propose', steps, ...there, '--out', file)
    copyFileSync(file, at('copy.json'))
    const read = await sign('ann', file)
    for (const part of [endpoint, 'loosens: it waits 1 h', 'was not asked', 'a local chain'])
      expect(read).toContain(part)
    await refused('1 of the 2', 'submit', file, ...paying(), ...onChain)
    expect(await sign('bob', at('copy.json'), ...onChain)).toContain('could take it now')
    const sent = await ok('submit', file, at('copy.json'), ...paying(), ...onChain)
    expect(sent).toContain('proposal 1 waits until')
    await refused('the next proposal is 2', 'submit', file, at('copy.json'), ...paying(), ...onChain)
    expect(await ok('show', ...there)).toMatch(/proposal 1, from .*\n.*"https:\/\/gateway.example"/)
    await refused('waits until', 'execute', '1', ...there, ...paying())
    await chain.advanceTime(3600)
    expect(await ok('execute', '1', ...there, ...paying())).toContain('carried out')
    expect(await shown()).toMatchObject({
      version: 2,
      gateways: [{ wallet: GATEWAY.toRawString(), endpoint }],
      coming: [],
    })
  })

  it('signs nothing but what was read', async () => {
    const steps = write('policy.json', [{ do: 'policy', policyVersion: 2, minSoftware: '0.2.0' }])
    const file = at('policy-proposal.json')
    await ok('propose', steps, ...there, '--out', file)
    const hash = JSON.parse(readFileSync(file, 'utf8')).hash
    expect(await ok('sign', file, '--key', at('ann'))).toContain(`--hash ${hash}`)
    expect(JSON.parse(readFileSync(file, 'utf8')).signatures).toEqual({})
    const honest = readFileSync(file, 'utf8')
    writeFileSync(file, honest.replace('"0.2.0"', '"0.0.1"'))
    await refused('somebody changed the file', 'sign', file, '--key', at('ann'), '--hash', hash)
    rmSync(file)
    write('other.json', [{ do: 'policy', policyVersion: 2, minSoftware: '0.0.1' }])
    await ok('propose', at('other.json'), ...there, '--out', file)
    await refused('read it again', 'sign', file, '--key', at('ann'), '--hash', hash)
    writeFileSync(file, honest)
    await sign('ann', file)
    await sign('cleo', file)
    expect(await ok('submit', file, ...paying(), ...onChain)).toContain('done, as the chain shows it')
    expect(await shown()).toMatchObject({ policyVersion: 2, minSoftware: '0.2.0' })
  })

  it('is refused early where the registry would refuse it, with the field', async () => {
    const out = ['--out', at('never.json')]
    await refused('policyVersion: has to be above 2', 'propose', at('policy.json'), ...there, ...out)
    await refused('steps.0.do', 'propose', write('bad.json', [{ do: 'trust-me' }]), ...there, ...out)
    await refused('FILE', 'propose', at('nowhere.json'), ...there, ...out)
    await refused('say FILE', 'propose', ...there, ...out)
    await refused('an address of TON', 'propose', at('policy.json'), '--registry', 'mine', ...onChain, ...out)
  })

  it('renew moves the end', async () => {
    await ok('renew', ...there, '--days', '60', '--out', at('renewal.json'))
    for (const owner of ['bob', 'cleo']) await sign(owner, at('renewal.json'))
    await ok('submit', at('renewal.json'), ...paying(), ...onChain)
    expect((await shown()).expiresAt).toBeGreaterThan((await chain.now()) + 59 * 86_400)
  })
})

describe('one owner alone', () => {
  const alone = () => [...there, '--key', at('cleo'), ...paying()]

  it('revokes a model and a platform at once, and nothing by mistake', async () => {
    expect(await ok('revoke', 'model', SHA, ...alone())).toContain('done, as the chain shows it')
    await refused('is revoked', 'revoke', 'model', SHA, ...alone())
    await refused('no measurement has this key', 'revoke', 'measurement', SHA, ...alone())
    await refused("not 'person'", 'revoke', 'person', SHA, ...alone())
    const id = '0123456789abcdef0123456789abcdef'
    await ok('revoke', 'platform', id, ...alone())
    const { revoked } = await shown()
    expect(Object.keys(revoked).sort()).toEqual([SHA, platformKey(id)].sort())
    expect(await ok('show', ...there)).toContain('REVOKED: trust the model "chrysalis/tiny"')
  })

  it('with the key on another machine: a file, signed there', async () => {
    const file = at('act.json')
    const gateway = ['revoke', 'gateway', GATEWAY.toString(), ...there]
    await refused('--owner KEY and --out FILE', ...gateway, '--key', at('ann'), '--out', file)
    await refused('not an owner', ...gateway, '--owner', 'ef'.repeat(32), '--out', file)
    await ok(...gateway, '--owner', owners.ann ?? '', '--out', file)
    await refused('0 of the 1 of owner', 'sign', file, '--key', at('bob'), ...onChain)
    expect(await sign('ann', file)).toContain(`revoke     ${'cd'.repeat(32)}`)
    await ok('submit', file, ...paying(), ...onChain)
    expect(Object.keys((await shown()).revoked)).toContain('cd'.repeat(32))
  })

  it('cancels what waits', async () => {
    const steps = write('unrevoke.json', [{ do: 'unrevoke', key: SHA }])
    await ok('propose', steps, ...there, '--out', at('unrevoke-proposal.json'))
    for (const owner of ['ann', 'bob']) await sign(owner, at('unrevoke-proposal.json'))
    await ok('submit', at('unrevoke-proposal.json'), ...paying(), ...onChain)
    const [{ number }] = (await shown()).coming
    await ok('cancel', String(number), ...alone())
    expect((await shown()).coming).toEqual([])
    await refused(`no proposal ${number} waits`, 'cancel', String(number), ...alone())
  })
})

it.skipIf(process.platform === 'win32')('takes no key that others can read', async () => {
  copyFileSync(at('ann'), at('open'))
  chmodSync(at('open'), 0o640)
  await refused(
    'other users of this machine can read it',
    'sign',
    at('policy-proposal.json'),
    '--key',
    at('open'),
  )
  await refused('cannot be read (ENOENT)', 'sign', at('policy-proposal.json'), '--key', at('nobody'))
})

it('top-up pays rent', async () => {
  const before = BigInt((await shown()).balance)
  await ok('top-up', '--amount', '2', ...there, ...paying())
  expect(BigInt((await shown()).balance) - before).toBeGreaterThan(1_990_000_000n)
})
