/** `chrysalis channel open --delegated`: an API key on a deposit of one's own, and how such a channel grows and ends. */

import type { Address } from '@ton/core'
import { closeByAgreement, type Release } from '../sidecar/channel.ts'
import {
  askOwnRelease,
  depositOf,
  openDelegated,
  readDelegatedTerms,
  topUpDelegated,
} from '../sidecar/delegated.ts'
import type { ChannelFolder } from '../sidecar/index.ts'
import { readPrices } from '../sidecar/prices.ts'
import { Upstream } from '../sidecar/upstream.ts'
import type { PayersChain } from './chain-settings.ts'
import type { Payer, Paying } from './channel-paying.ts'

/** What the gateway says of its key; nobody else can know. */
const KEPT = {
  file: 'The gateway says that it keeps its key in a file: whoever reads that file can take the deposit.',
  memory:
    'The gateway says that it keeps its key in the memory of its enclave only. A restart of the gateway ends that key: your API key ' +
    'works no more, and you close the channel and open another.',
} as const

export interface OpenForKey {
  upstream: Upstream
  /** Undefined where a wallet file pays. */
  payer: Address | undefined
  /** Nanotons. */
  deposit: bigint
  /** Folder of the payer's keys, as it was named. */
  data: string
}

/** Opens the channel, has the gateway make its API key, and shows that. */
export async function openForKey(
  { folder, chain, payerAt, done }: Paying,
  { upstream, payer, deposit, data }: OpenForKey,
): Promise<void> {
  const terms = await readDelegatedTerms(upstream, chain.globalId)
  const asked = await payerAt(payer, await readPrices(upstream), [KEPT[terms.kept]])
  const channel = await openDelegated({ folder, upstream, chain, ...asked, deposit, terms })
  const { apiKey } = await channel.secrets()
  const { gateway } = channel.record
  const lines = [
    '',
    apiKey,
    '',
    `This API key works at ${gateway}/v1. It is shown here and never again; it is in ${channel.apiKeyFile} (0600).`,
    `What is left of the deposit comes back by: chrysalis channel close --data ${data} --channel ${channel.name}`,
  ]
  await done(channel, 'the channel is open, and its API key works', {
    lines,
    json: { apiKey, apiKeyFile: channel.apiKeyFile },
  })
}

/** Adds to the deposit, and has the gateway count it. @param amount nanotons */
export async function topUpOwned(
  channel: ChannelFolder,
  on: { chain: PayersChain } & Payer,
  amount: bigint,
): Promise<void> {
  await at(channel, (upstream) => topUpDelegated(channel, { upstream, ...on }, amount))
}

/** Closes by agreement. The gateway's count is not proven by receipts: it could take as much without being asked. */
export async function closeOwned(
  channel: ChannelFolder,
  on: { chain: PayersChain } & Payer,
): Promise<Release> {
  const release = await at(channel, (upstream) => askOwnRelease(upstream, channel))
  await closeByAgreement(channel, on, { release, verified: await depositOf(channel, on.chain) })
  return release
}

async function at<T>({ record }: ChannelFolder, work: (upstream: Upstream) => Promise<T>): Promise<T> {
  const upstream = new Upstream(record.gateway)
  try {
    return await work(upstream)
  } finally {
    upstream.close()
  }
}
