/** `chrysalis registry propose|renew|revoke|cancel`: what owners are to decide. */

import { z } from 'zod'
import { ConfigError } from '../../attest/cli/config.ts'
import {
  type Asked,
  gatewayKey,
  newRequest,
  parseText,
  parseWith,
  platformKey,
  type RegistryState,
  rawPublicKey,
  readOwnerKey,
  requireAskable,
  type Step,
  signRequest,
  stepFromJson,
  stepsSchema,
  Wallet,
} from '../../contracts/index.ts'
import { submitted } from './registry-send.ts'
import {
  handOut,
  keySetting,
  load,
  proposalNumber,
  type Reached,
  reach,
  registrySettings,
  walletSetting,
} from './registry-settings.ts'
import { readSetting } from './sidecar-settings.ts'

const proposalSettings = {
  ...registrySettings,
  out: z.string().min(1).describe('file to write, for the owners to sign'),
  validHours: z.coerce
    .number()
    .int()
    .min(1)
    .max(720)
    .default(72)
    .describe('hours until which it can be submitted'),
}

/** `chrysalis registry propose FILE` */
export async function propose(argv: string[]): Promise<void> {
  const summary =
    'Make a file that asks the owners for steps. FILE is a JSON list of them: put-measurement, put-model, put-gateway,\n' +
    'remove, unrevoke, policy, owners, renew, drop (contracts/registry/README.md has each).'
  const schema = z.strictObject(proposalSettings)
  const { words, config } = load({ verb: 'propose', names: ['FILE'], summary, schema }, argv)
  const [file = ''] = words
  const steps = parseWith(stepsSchema, parseText(await readSetting('FILE', file), 'steps'), 'steps').map(
    stepFromJson,
  )
  await ask(config, () => steps)
}

/** `chrysalis registry renew` */
export async function renew(argv: string[]): Promise<void> {
  const summary =
    'Make a file that asks the owners for a later end of the snapshot; readers stop when it is over.'
  const days = z.coerce.number().int().min(1).max(90).default(90).describe('days from now until then')
  const schema = z.strictObject({ ...proposalSettings, days })
  const { config } = load({ verb: 'renew', names: [], summary, schema }, argv)
  await ask(config, (now) => [{ kind: 'renew', expiresAt: now + config.days * 86_400 }])
}

type ProposalConfig = z.infer<z.ZodObject<typeof proposalSettings>>

async function ask(config: ProposalConfig, stepsAt: (now: number) => readonly Step[]): Promise<void> {
  const reached = await reach(config)
  const now = await reached.chain.now()
  await prepare(reached, ({ governance }) => ({
    kind: 'proposal',
    number: governance.proposals,
    validUntil: now + config.validHours * 3600,
    steps: stepsAt(now),
  })).then((request) => handOut(request, config.out))
}

const aloneSettings = {
  ...registrySettings,
  key: keySetting.optional().describe(keySetting.description ?? ''),
  wallet: walletSetting.optional().describe(walletSetting.description ?? ''),
  owner: z.string().optional().describe('instead of --key, if that is elsewhere: its public half'),
  out: z.string().min(1).optional().describe('with --owner: file to write, for that owner to sign'),
}

/** `chrysalis registry revoke KIND KEY` */
export async function revoke(argv: string[]): Promise<void> {
  const summary =
    'Revoke something at once, as one owner. It outranks every table; only the threshold takes it back, after the delay.\n' +
    'KIND KEY: platform and its id of 32 hexadecimal digits; measurement or model and its key, gateway and its wallet, as registry show has them.'
  const unlisted = z.boolean().default(false).describe('also what no table holds')
  const schema = z.strictObject({ ...aloneSettings, unlisted })
  const { words, config } = load({ verb: 'revoke', names: ['KIND', 'KEY'], summary, schema }, argv)
  const [kind = '', id = ''] = words
  await alone(config, ({ snapshot }) => {
    if (kind === 'platform') return { kind: 'revoke', key: platformKey(id) }
    const table = ({ measurement: 'measurements', model: 'models', gateway: 'gateways' } as const)[kind]
    if (!table) throw new ConfigError(`KIND: platform, measurement, model or gateway, not '${kind}'`)
    const key = table === 'gateways' && !/^[0-9a-f]{64}$/.test(id) ? gatewayKey(id) : id
    if (!config.unlisted && !snapshot.tables[table].has(key)) {
      throw new ConfigError(
        `KEY: no ${kind} has this key; look at registry show, or say --unlisted to revoke it all the same`,
      )
    }
    return { kind: 'revoke', key }
  })
}

/** `chrysalis registry cancel NUMBER` */
export async function cancel(argv: string[]): Promise<void> {
  const summary = 'Cancel a proposal that waits, at once, as one owner; but for a change of owners.'
  const schema = z.strictObject(aloneSettings)
  const { words, config } = load({ verb: 'cancel', names: ['NUMBER'], summary, schema }, argv)
  const number = proposalNumber(words[0])
  await alone(config, () => ({ kind: 'cancel', number }))
}

type Act = { kind: 'revoke'; key: string } | { kind: 'cancel'; number: number }

/** Signs and sends at once, or writes a file for an owner whose key is elsewhere. */
async function alone(
  config: z.infer<z.ZodObject<typeof aloneSettings>>,
  actOn: (state: RegistryState) => Act,
): Promise<void> {
  const { key, wallet, owner, out } = config
  const now = key !== undefined && wallet !== undefined && owner === undefined && out === undefined
  const later = key === undefined && wallet === undefined && owner !== undefined && out !== undefined
  if (!now && !later) throw new ConfigError('say --key FILE and --wallet FILE; or --owner KEY and --out FILE')
  const signer = key === undefined ? undefined : await readOwnerKey(key)
  const publicKey = signer ? rawPublicKey(signer).toString('hex') : (owner ?? '')
  const reached = await reach(config)
  const request = await prepare(reached, (state) => {
    const found = [...state.governance.owners].find(([, each]) => each.key.toString('hex') === publicKey)
    if (!found)
      throw new ConfigError(
        `${signer ? '--key' : '--owner'}: not an owner of this registry; see registry show`,
      )
    const [number, { acts }] = found
    return { ...actOn(state), owner: number, acts }
  })
  if (!signer || wallet === undefined) return await handOut(request, out ?? '')
  await submitted(reached, signRequest(request, signer), await Wallet.open(wallet, reached.chain.globalId))
}

/** A request on the registry as it is, which the contract would not refuse now. */
async function prepare({ chain, client }: Reached, askedOn: (state: RegistryState) => Asked) {
  const state = await client.state()
  const where = { globalId: chain.globalId, registry: client.registry.address }
  const request = newRequest(where, state, askedOn(state))
  requireAskable(request, state, await chain.now())
  return request
}
