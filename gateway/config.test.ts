import { describe, expect, it } from 'vitest'
import { loadConfig } from '../attest/cli/config.ts'
import { dispatchLimits, gatewaySchema, treasuryTerms, unchargedRates } from './config.ts'

const spec = { name: 'chrysalis gateway', summary: 'Serves.', schema: gatewaySchema }
const CHAIN = ['--chain-url', 'http://127.0.0.1:1', '--chain-token-file', 'token']
const load = (argv: string[], env: Record<string, string> = {}) =>
  loadConfig(spec, { argv: [...CHAIN, ...argv], env })

describe('names of models', () => {
  it('are read from a flag or the environment', () => {
    const alias = { 'gpt-4o': 'chrysalis/tiny', 'gpt-4o-mini': 'chrysalis/tiny' }
    const text = 'gpt-4o=chrysalis/tiny,gpt-4o-mini=chrysalis/tiny'
    expect(load(['--alias', text]).alias).toEqual(alias)
    expect(load([], { CHRYSALIS_ALIAS: text, CHRYSALIS_DEFAULT_MODEL: 'a/b' })).toMatchObject({
      alias,
      defaultModel: 'a/b',
    })
  })

  it.each(['gpt-4o', '=x', 'a=', 'a=b,', 'a=b=c', 'a b=c'])('%j are none', (text) => {
    expect(() => load(['--alias', text])).toThrow(/--alias/)
  })
})

it.each(['page.example', 'https://page.example/', '*,https://a.example', 'null', ''])(
  '%j is no origin',
  (text) => {
    expect(() => load(['--cors-origin', text])).toThrow(/--cors-origin/)
  },
)

it.each(['10.0.0.0/33', '0.0.0.0/0', '10.0.0.0/8,', 'proxy.example'])('%j is no proxy to trust', (text) => {
  expect(() => load(['--trusted-proxy', text])).toThrow(/--trusted-proxy/)
})

it('gives every phase its time', () => {
  const argv = ['--queue-seconds', '1', '--first-token-seconds', '2', '--silence-seconds', '3']
  expect(dispatchLimits(load([...argv, '--stall-seconds', '4', '--max-queued', '10']))).toEqual({
    queueMs: 1000,
    firstFrameMs: 2000,
    idleMs: 3000,
    stallMs: 4000,
    maxQueued: 10,
    maxQueuedPerKey: 3,
    maxActivePerKey: 128,
  })
})

it('gives workers that are gone their days', () => {
  expect(treasuryTerms(load([])).workerIdleSeconds).toBe(7 * 86_400)
  expect(treasuryTerms(load(['--worker-channel-idle-days', '30'])).workerIdleSeconds).toBe(30 * 86_400)
  for (const days of ['0', '0.5', '366', 'never'])
    expect(() => load(['--worker-channel-idle-days', days])).toThrow(/--worker-channel-idle-days/)
})

it('lets a hundredth of the rate come to nothing', () => {
  const argv = ['--requests-per-minute', '1000', '--max-active-per-key', '10']
  expect(unchargedRates(load(argv))).toEqual({ burst: 40, perMinute: 10 })
  expect(unchargedRates(load(['--requests-per-minute', '10'])).perMinute).toBe(1)
  expect(unchargedRates(load([...argv, '--price-prompt', '0'])).burst).toBeGreaterThan(1e12)
})

it('is explained in full by --help', () => {
  let help = ''
  const onHelp = (text: string): never => {
    help = text
    throw new Error('help')
  }
  expect(() => loadConfig(spec, { argv: ['--help'], env: {}, onHelp })).toThrow('help')
  for (const flag of [
    '--alias',
    '--default-model',
    '--cors-origin',
    '--tokens-per-minute',
    '--worker-channel-idle-days',
  ])
    expect(help).toContain(flag)
  const plain = help.replaceAll(/\s+/g, ' ')
  expect(plain).toMatch(
    /--keep-alive-seconds <value> [^-]*\(default: 15, env: CHRYSALIS_KEEP_ALIVE_SECONDS\)/,
  )
})
