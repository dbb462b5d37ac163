import type { KeptKey } from '../kept-key.ts'
import type { ApiKey, ChannelRecord, KeyLimits, Ledger } from '../ledger/index.ts'
import { parseChannel, wrong } from './input.ts'
import { ControlError, type ControlVerb } from './server.ts'

/** What the verbs need of the ledger. */
export type KeyLedger = Pick<Ledger, 'channels' | 'keys'>

/** A key as the command line shows it. The secret is in the answer that made it and in no other. */
export interface KeyView extends ApiKey {
  /** Nanotons charged and held for requests that began today (UTC). */
  spentToday: bigint
}

/**
 * Verbs with which the gateway's operator makes and manages API keys.
 *
 * @param kept the key whose secret is in a file, which follows the key
 * @param isOwn whether the operator's own wallet pays into a channel: keys draw on another's only where it is named
 */
export function keyVerbs(
  ledger: KeyLedger,
  kept?: KeptKey,
  isOwn: (record: ChannelRecord) => boolean = () => true,
): Record<string, ControlVerb> {
  const view = (key: ApiKey): KeyView => ({ ...key, spentToday: ledger.keys.spentToday(key.id) })
  return {
    'key/create': async (input) => {
      const name = text(input, 'name')
      const channel = await channelOf(ledger, input.channel, isOwn)
      const { key, secret } = await ledger.keys.create({ name, channel, limits: changed({}, input) })
      return { key: view(key), secret }
    },
    'key/list': async () => ({ keys: (await ledger.keys.list()).map(view) }),
    'key/limits': async (input) => {
      const key = await ledger.keys.byId(text(input, 'id'))
      if (!key) throw new ControlError('ERR_UNKNOWN_KEY', `API key ${text(input, 'id')} is not in the ledger`)
      return { key: view(await ledger.keys.setLimits(key.id, changed(key.limits, input))) }
    },
    'key/rotate': async (input) => {
      const { graceMs } = input
      if (typeof graceMs !== 'number') throw wrong('graceMs', 'milliseconds, as a number')
      const { key, secret } = await ledger.keys.rotate(text(input, 'id'), { graceMs })
      if (key.id !== kept?.id) return { key: view(key), secret }
      await kept.keep(secret)
      return {
        key: view(key),
        secret,
        note: `The quickstart shows this key: ${kept.file} has the new secret.`,
      }
    },
    'key/revoke': async (input) => {
      const key = await ledger.keys.revoke(text(input, 'id'))
      if (key.id !== kept?.id) return { key: view(key) }
      const note = `The quickstart shows this key: its next start makes a new one with these limits, in ${kept.file}.`
      return { key: view(key), note }
    },
  }
}

/** Limits with those that the call names changed; null takes one away. Amounts travel as decimal text. */
function changed(limits: KeyLimits, input: Record<string, unknown>): KeyLimits {
  const { perRequest, perDay, expiresAt, models } = input
  const given: Partial<Record<keyof KeyLimits, KeyLimits[keyof KeyLimits] | null>> = {
    ...(perRequest !== undefined && { perRequest: amount('perRequest', perRequest) }),
    ...(perDay !== undefined && { perDay: amount('perDay', perDay) }),
    ...(expiresAt !== undefined && { expiresAt: time(expiresAt) }),
    ...(models !== undefined && { models: names(models) }),
  }
  const merged = Object.entries({ ...limits, ...given }).filter(([, value]) => value !== null)
  return Object.fromEntries(merged) as KeyLimits
}

function amount(field: string, value: unknown): bigint | null {
  if (value === null) return null
  if (typeof value === 'string' && /^\d{1,19}$/.test(value)) return BigInt(value)
  throw wrong(field, 'nanotons in decimal, or null')
}

function time(value: unknown): number | null {
  if (value === null || typeof value === 'number') return value
  throw wrong('expiresAt', 'Unix milliseconds, or null')
}

function names(value: unknown): string[] | null {
  if (value === null) return null
  if (Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string'))
    return value
  throw wrong('models', 'a list of model ids, or null')
}

function text(input: Record<string, unknown>, field: string): string {
  const value = input[field]
  if (typeof value === 'string' && value !== '') return value
  throw wrong(field, 'a text')
}

/** The channel that is named in any of TON's notations; without a name, the newest own one that keys can draw on. */
async function channelOf(
  ledger: KeyLedger,
  given: unknown,
  isOwn: (record: ChannelRecord) => boolean,
): Promise<string> {
  if (given !== undefined) return parseChannel(given)
  const open = (await ledger.channels()).findLast(
    (each) => each.role === 'client' && each.signer === 'gateway' && each.state === 'open' && isOwn(each),
  )
  if (open) return open.id
  throw new ControlError(
    'ERR_UNKNOWN_CHANNEL',
    'no channel of your own is open whose vouchers this gateway signs',
  )
}
