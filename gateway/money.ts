import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import type { Logger } from 'pino'
import { codeOf } from '../attest/cli/process.ts'
import { MIN_CHALLENGE_SECONDS, type openChain } from '../contracts/index.ts'
import { type GatewayConfig, treasuryTerms } from './config.ts'
import { openKeptKey } from './kept-key.ts'
import { Ledger, type LedgerOptions } from './ledger/index.ts'
import { ledgerPlace } from './ledger-place.ts'
import { type DelegatedTerms, PaymentDesk, UsedOnce } from './pay/index.ts'
import { DEFAULT_TERMS, Treasury, type TreasuryChain, TreasuryKeys } from './treasury/index.ts'
import type { Trust } from './trust.ts'
import type { Uncharged } from './uncharged.ts'

/** Looks at the chain that one address may cause in a minute by showing channels that are not known here. */
const CHANNEL_LOOKS = 30
/** How long a former gateway on the same folder, whose supervisor was killed, may take to end. */
const TAKEOVER_MS = 15_000

type OpenedChain = NonNullable<Awaited<ReturnType<typeof openChain>>>

/** What takes and pays money in a gateway. */
export type Money = Awaited<ReturnType<typeof openMoney>>

interface MoneyParts {
  chain: OpenedChain
  trust: Trust
  log: Logger
}

/** Ledger, keys and treasury, with the quickstart's channel and API key. */
export async function openMoney(config: GatewayConfig, { chain, trust: { kind }, log }: MoneyParts) {
  const dir = config.data
  // A guest's disk is its host's.
  const keys = await TreasuryKeys.open(join(dir, 'keys'), chain.globalId, kind === 'tdx' ? 'memory' : 'file')
  const onWarning = (message: string, error: unknown) => log.warn({ code: codeOf(error) }, message)
  const ledger = await openLedger({
    ...(await ledgerPlace(config)),
    now: Date.now,
    signVoucher: (channel, ceiling) => keys.signVoucher(channel, ceiling),
    onWarning,
  })
  const treasury = new Treasury({ chain, keys, ledger, onWarning, terms: treasuryTerms(config) })
  const channel = await openOwnChannel(treasury, chain, log)
  const keptKey =
    channel === undefined ? undefined : await openKeptKey(join(dir, 'api-key'), ledger.keys, channel)
  return { chain, keys, ledger, treasury, channel, keptKey }
}

/**
 * The quickstart's client channel. Where no faucet fills its payer's wallet and its owner has not either, there is
 * none: clients then pay by channels of their own.
 */
async function openOwnChannel(
  treasury: Treasury,
  chain: TreasuryChain,
  log: Logger,
): Promise<string | undefined> {
  try {
    return (await treasury.setup()).id
  } catch (error) {
    if (chain.fund || codeOf(error) !== 'ERR_TREASURY_FUNDS') throw error
    const wallet = treasury.keys.payer.address.toString()
    log.warn({ wallet }, 'no channel of our own: send TON to this wallet and start again, if one is wanted')
    return undefined
  }
}

/** Takes payments to the gateway's own wallet: on channels that clients sign, and for API keys on their own deposits. */
export async function openPayments(
  { data, minDeposit, delegatedChannels }: GatewayConfig,
  { chain, keys, ledger }: Pick<Money, 'chain' | 'keys' | 'ledger'>,
  uncharged: Uncharged,
): Promise<PaymentDesk> {
  const delegated: DelegatedTerms = {
    offered: delegatedChannels === 'on',
    voucherKey: keys.voucherKey('client'),
    kept: keys.delegated,
    cap: DEFAULT_TERMS.delegatedCap,
    own: [keys.payer.address, keys.gateway.address],
    admit: (channel) => keys.admit(channel, 'client'),
  }
  return new PaymentDesk({
    chain,
    ledger,
    used: await UsedOnce.open(join(data, 'used-payments')),
    uncharged,
    terms: {
      payee: keys.gateway.address,
      payeeKey: keys.releaseKey(),
      challengeSeconds: MIN_CHALLENGE_SECONDS,
      minDeposit: BigInt(minDeposit),
    },
    signRelease: (terms) => keys.signRelease(terms),
    perMinute: CHANNEL_LOOKS,
    delegated,
    monotonic: () => performance.now(),
    now: Date.now,
  })
}

/** Waits for a former gateway that is about to end: its lock goes with its process. */
async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const until = performance.now() + TAKEOVER_MS
  for (;;) {
    try {
      return await Ledger.open(options)
    } catch (error) {
      if (codeOf(error) !== 'ERR_LEDGER_LOCKED' || performance.now() > until) throw error
      await after(100)
    }
  }
}
