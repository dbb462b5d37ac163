/** @module What the clients of the harness ask for, and what each of them saw of its answer. */

import type { Random } from '../../worker/model/corpus/random.ts'
import { MODEL, type Script } from '../bench/gateway/script.ts'
import type { Signed } from './customers.ts'

/** Tokens of every prompt, as the scripted worker counts them. */
export const PROMPT_TOKENS = 100
/** Nanotons for each token, prompt and answer alike, so that a charge says how many tokens were billed. */
export const PRICE = { client: 2, worker: 1 }

/** The number of a request goes into its `max_tokens`, and so into what the ledger reserves for it. */
const FIRST_MAX_TOKENS = 1000
const MOST_REQUESTS = 7000

/** One request of one client. */
export interface Asked {
  /** Unique within a trial; the ledger's row shows it, also when the client never learned its request id. */
  readonly number: number
  readonly script: Script
  readonly stream: boolean
  /** Hangs up after so many tokens; absent: stays to the end. */
  readonly leavesAfter?: number
}

/** How an answer ended for its client. `cut`: the connection broke; `left`: the client hung up. */
export type End = 'done' | 'error' | 'refused' | 'cut' | 'left'

/** What a client saw. */
export interface Seen {
  readonly asked: Asked
  readonly end: End
  /** From the response's header; absent when no head came. */
  readonly requestId?: string
  /** Tokens of the answer that arrived. */
  readonly tokens: number
  /** The code of a refusal or of an error within the stream; else the HTTP status. */
  readonly said?: string
  /** What it was paid with, by a client that signs for itself. */
  readonly payment?: Signed
  /** The highest voucher that the answer says the gateway has, in nanotons. */
  readonly voucher?: bigint
}

/** A request as the random source wants it. */
export function nextRequest(number: number, random: Random): Asked {
  if (number >= MOST_REQUESTS) throw new RangeError('more requests than one trial can tell apart')
  const tokens = 1 + random.below(300)
  const script = { tokens, everyMs: random.pick([0, 0, 1, 4]) }
  const stream = random.below(10) < 7
  const leaves = stream && random.below(6) === 0
  return { number, script, stream, ...(leaves && { leavesAfter: 1 + random.below(tokens) }) }
}

/** The bytes of a request. Its text is as long for each, since the prompt's bound is reckoned from that. */
export function bodyOf({ number, script, stream }: Asked): string {
  const messages = [{ role: 'user', content: JSON.stringify(script).padEnd(64) }]
  return JSON.stringify({ model: MODEL, messages, stream, max_tokens: FIRST_MAX_TOKENS + number })
}

/** What is reserved for this number, given what number 0 reserves. Nanotons. */
export function reservedFor(number: number, ofNumber0: bigint): bigint {
  return ofNumber0 + BigInt(number) * BigInt(PRICE.client)
}

/** The number of the request for which so much was reserved, given what number 0 reserves. */
export function numberOf(maxCharge: bigint, ofNumber0: bigint): number {
  return Number((maxCharge - ofNumber0) / BigInt(PRICE.client))
}

/** Tokens of the answer in a piece of text; each of the script's tokens is a space, a `t` and digits. */
export function tokensIn(text: string): number {
  return text.match(/ t\d+/g)?.length ?? 0
}
