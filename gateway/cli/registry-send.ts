/** `chrysalis registry deploy|submit|execute|top-up`: what goes to the chain, from any wallet. */

import { z } from 'zod'
import { formatTon, parseTon } from '../../contracts/amount.ts'
import {
  type Chain,
  chainSettings,
  friendlyAddress,
  mergeRequests,
  moment,
  parseRequest,
  parseText,
  Registry,
  RegistryClient,
  type RegistryState,
  registryParamsFromJson,
  type SigningRequest,
  Wallet,
} from '../../contracts/index.ts'
import { connectChain } from './chain-settings.ts'
import {
  load,
  proposalNumber,
  type Reached,
  reach,
  registrySettings,
  say,
  shown,
  walletSetting,
} from './registry-settings.ts'
import { readSetting } from './sidecar-settings.ts'

/** `chrysalis registry deploy FILE` */
export async function deploy(argv: string[]): Promise<void> {
  const summary =
    'Put a registry on chain. FILE is JSON: owners, threshold, delaySeconds, expiresAt, minSoftware, and what is trusted from\n' +
    'the start (contracts/registry/README.md). The address follows from the file: run again, it is found and not made twice.'
  const schema = z.strictObject({
    wallet: walletSetting,
    rent: z.string().default('1').describe('TON that it gets for rent'),
    ...chainSettings,
  })
  const { words, config } = load({ verb: 'deploy', names: ['FILE'], summary, schema }, argv)
  const [file = ''] = words
  const params = registryParamsFromJson(parseText(await readSetting('FILE', file), 'registry'))
  const rent = parseTon(config.rent)
  const chain = await connectChain(config)
  const client = new RegistryClient({ chain, registry: Registry.fromParams(params) })
  const state = await client.deploy(await walletOf(config.wallet, chain), params, rent)
  say(
    `registry ${shown(client, chain)}`,
    versionOf(state),
    'give address and pin to those who are to rely on it',
  )
}

/** `chrysalis registry submit FILE...` */
export async function submit(argv: string[]): Promise<void> {
  const summary = 'Send what enough owners have signed. Of copies that were signed apart, name them all.'
  const schema = z.strictObject({ wallet: walletSetting, ...chainSettings })
  const { words, config } = load({ verb: 'submit', names: ['FILE...'], summary, schema }, argv)
  const requests: SigningRequest[] = []
  for (const file of words) requests.push(parseRequest(await readSetting('FILE', file)))
  const request = mergeRequests(requests)
  const chain = await connectChain(config)
  const client = new RegistryClient({ chain, registry: new Registry(request.domain.registry) })
  await submitted({ chain, client }, request, await walletOf(config.wallet, chain))
}

/** Sends a signed request and says what came of it. */
export async function submitted(
  { chain, client }: Reached,
  request: SigningRequest,
  wallet: Wallet,
): Promise<void> {
  const state = await client.submit(wallet, request)
  const { asked } = request
  const waiting = asked.kind === 'proposal' ? state.governance.pending.get(asked.number) : undefined
  if (!waiting || asked.kind !== 'proposal') return say('done, as the chain shows it', versionOf(state))
  say(
    `proposal ${asked.number} waits until ${moment(waiting.notBefore)}, as the chain shows it; then, from anybody:`,
    `chrysalis registry execute ${asked.number} --registry ${shown(client, chain)} --wallet FILE`,
  )
}

/** `chrysalis registry execute NUMBER` */
export async function execute(argv: string[]): Promise<void> {
  const summary = 'Carry out a proposal whose hour has come; anybody may.'
  const schema = z.strictObject({ ...registrySettings, wallet: walletSetting })
  const { words, config } = load({ verb: 'execute', names: ['NUMBER'], summary, schema }, argv)
  const number = proposalNumber(words[0])
  const { chain, client } = await reach(config)
  const state = await client.execute(await walletOf(config.wallet, chain), number)
  say(`proposal ${number} is carried out, as the chain shows it`, versionOf(state))
}

/** `chrysalis registry top-up` */
export async function topUp(argv: string[]): Promise<void> {
  const summary = 'Pay rent for a registry; anybody may. It stays there for ever.'
  const amount = z.string().min(1).describe('TON')
  const schema = z.strictObject({ ...registrySettings, amount, wallet: walletSetting })
  const { config } = load({ verb: 'top-up', names: [], summary, schema }, argv)
  const tons = parseTon(config.amount)
  const { chain, client } = await reach(config)
  const { balance } = await client.topUp(await walletOf(config.wallet, chain), tons)
  say(`the registry holds ${formatTon(balance)} TON for rent`)
}

async function walletOf(file: string, chain: Chain): Promise<Wallet> {
  const wallet = await Wallet.open(file, chain.globalId)
  say(`wallet ${friendlyAddress(wallet.address, chain.globalId, false)} pays`)
  return wallet
}

/** Version and pin, for those who rely on it. */
export function versionOf({ snapshot: { version, hash, expiresAt } }: RegistryState): string {
  return `version ${version}, pin ${version}:${hash}, good until ${moment(expiresAt)}`
}
