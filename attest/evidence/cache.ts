/** Remembers accepting verdicts, so that evidence which is shown again costs one hash instead of ten signatures. */

import { sha256 } from '@noble/hashes/sha2.js'
import { concat, toHex, u32be, utf8 } from '../bytes.ts'
import type { Verdict } from './verdict.ts'
import { type VerifyOptions, verifyEvidence } from './verify.ts'

export interface VerdictCacheOptions {
  /** How many verdicts are kept; the one used longest ago goes first. 256 when absent. */
  maxEntries?: number
  /** How long a verdict is kept at most, ms. Ten minutes when absent, the life of an epoch key. */
  maxAgeMs?: number
}

interface Entry {
  verdict: Verdict
  /** What evidence this is, however it was written, and who judged it by what. */
  subject: string
  /** The verdict holds from when it was made until this moment inclusive, ms. */
  from: number
  until: number
}

/** Writings of one and the same evidence that are kept at once. */
const MOST_WRITINGS = 4

/** Shared by those who ask while it is made. */
type Flight = Promise<{ verdict: Verdict; at: number }>

/** A refusal is shared only with who asks at practically the same time: time alone may cure what it was for. ms */
const SAME_MOMENT = 1000

/**
 * Verdicts by everything that they were concluded from: the whole bundle (quote, collateral, claims, event log, GPU
 * evidence, nonce) and all options but the clock (policy with its anchors, the caller's nonce, beacons, what the
 * verifier brings along for GPUs). The key is one SHA-256 over all of it, typed and length-framed.
 *
 * Only acceptance is remembered. A refusal is the end of a dialogue, not of a flood of questions about the same
 * evidence; it may be cured by a minute's waiting; and whoever makes bad evidence can make it different each time, so
 * remembering it would only push the good out.
 *
 * One evidence can be written in endlessly many ways that all are accepted: zeros behind the quote, the other half of an
 * ECDSA signature, other collateral. The key tells all of them apart, since only what was judged may be answered for;
 * but few writings of one evidence (by the REPORTDATA of its quote, which only the enclave can have made) are kept, so
 * that replaying it in ever new ones pushes out nothing but itself.
 *
 * A verdict is dropped at the first moment at which anything that it rests on ends: the epoch, a document or list of
 * the collateral, a certificate, the evaluation floor in force; at the latest after `maxAgeMs`, which also bounds what
 * GPU evidence rests on. A clock that goes back finds nothing either.
 */
export class VerdictCache {
  readonly #entries = new Map<string, Entry>()
  readonly #flights = new Map<string, Flight>()
  readonly #maxEntries: number
  readonly #maxAge: number
  readonly #verify: typeof verifyEvidence

  constructor({ maxEntries = 256, maxAgeMs = 600_000 }: VerdictCacheOptions = {}, verify = verifyEvidence) {
    this.#maxEntries = maxEntries
    this.#maxAge = maxAgeMs
    this.#verify = verify
  }

  /** How many verdicts are remembered. */
  get size(): number {
    return this.#entries.size
  }

  /** As verifyEvidence. Those who ask the same at once wait for one answer; each gets its own copy. */
  async verify(bundle: unknown, options: VerifyOptions): Promise<Verdict> {
    const { now, ...rest } = options
    const inputs = snapshot(bundle, rest)
    if (inputs === undefined) return this.#verify(bundle, options)
    const { key, judge } = inputs
    const time = now()
    const known = this.#fresh(key, time)
    if (known !== undefined) return structuredClone(known)
    const flight = this.#flights.get(key)
    const shared = flight && (await this.#shared(key, time, flight))
    if (shared !== undefined) return structuredClone(shared)
    const own = this.#fly({ key, judge }, time, () =>
      this.#verify(inputs.bundle, { ...inputs.options, now: () => time } as VerifyOptions),
    )
    return structuredClone((await own).verdict)
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.clear()
  }

  #fresh(key: string, time: number): Verdict | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (time < entry.from || time > entry.until) return undefined
    this.#entries.set(key, entry)
    return entry.verdict
  }

  async #shared(key: string, time: number, flight: Flight): Promise<Verdict | undefined> {
    const { verdict, at } = await flight
    if (verdict.verdict === 'accept') return this.#fresh(key, time)
    return Math.abs(time - at) < SAME_MOMENT ? verdict : undefined
  }

  #fly({ key, judge }: Pick<Inputs, 'key' | 'judge'>, at: number, run: () => Promise<Verdict>): Flight {
    const flight = run().then((verdict) => {
      this.#keep(key, judge, at, verdict)
      return { verdict, at }
    })
    this.#flights.set(key, flight)
    const landed = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    }
    flight.then(landed, landed)
    return flight
  }

  #keep(key: string, judge: string, from: number, verdict: Verdict): void {
    const until = Math.min(expiry(verdict), from + this.#maxAge)
    if (verdict.verdict !== 'accept' || until < from) return
    const subject = `${judge} ${verdict.fields.reportData}`
    this.#entries.delete(key)
    const same = [...this.#entries].filter(([, entry]) => entry.subject === subject)
    if (same.length >= MOST_WRITINGS) this.#entries.delete(same[0]?.[0] ?? '')
    this.#entries.set(key, { verdict, subject, from, until })
    const oldest = this.#entries.keys().next()
    if (this.#entries.size > this.#maxEntries && oldest.value !== undefined)
      this.#entries.delete(oldest.value)
  }
}

/** The last moment (ms) at which an accepting verdict is still true; the past when that is not known. */
function expiry({ claims, fields }: Verdict): number {
  if (claims === undefined || fields.validUntil === undefined) return Number.NEGATIVE_INFINITY
  return Math.min(claims.epoch.notAfter - 1, fields.validUntil)
}

interface Inputs {
  /** Of bundle and options together. */
  key: string
  /** Of the options alone. */
  judge: string
  /** Copies, so that nobody changes what was hashed before it is judged. */
  bundle: unknown
  options: Omit<VerifyOptions, 'now'>
}

/** Undefined for options that are not plain data, such as a client that asks others: those are judged anew each time. */
function snapshot(bundle: unknown, options: Omit<VerifyOptions, 'now'>): Inputs | undefined {
  if (!isPlain(options, 0)) return undefined
  try {
    const copy = { bundle: structuredClone(bundle), options: structuredClone(options) }
    const judge = digestOf(copy.options)
    return { ...copy, judge, key: digestOf([copy.bundle, judge]) }
  } catch {
    return undefined
  }
}

const MAX_DEPTH = 64

/** Whether a copy is as good as the original: no functions, and no objects whose prototype gives them some. */
function isPlain(value: unknown, depth: number): boolean {
  if (typeof value === 'function' || depth > MAX_DEPTH) return false
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return true
  return (
    (isRecord(value) || Array.isArray(value)) &&
    Object.values(value).every((item) => isPlain(item, depth + 1))
  )
}

function isRecord(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/**
 * Hex SHA-256 of plain data, typed and length-framed, so that different data never reads the same. Throws a TypeError
 * for what is not plain data.
 */
export function digestOf(value: unknown): string {
  return toHex(sha256(frame(value, 0)))
}

function frame(value: unknown, depth: number): Uint8Array {
  if (depth > MAX_DEPTH) throw new TypeError('nested too deeply')
  if (value instanceof Uint8Array) return tagged('b', value)
  if (typeof value === 'string') return tagged('s', textBytes(value))
  if (typeof value === 'number') return tagged('n', utf8(Object.is(value, -0) ? '-0' : String(value)))
  if (value === null || value === undefined || typeof value === 'boolean')
    return tagged('c', utf8(`${value}`))
  if (Array.isArray(value))
    return list(
      'a',
      value.map((item) => frame(item, depth + 1)),
    )
  if (typeof value !== 'object' || !isRecord(value)) throw new TypeError('not plain data')
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return list(
    'o',
    entries.flatMap(([name, item]) => [frame(name, depth + 1), frame(item, depth + 1)]),
  )
}

function tagged(tag: string, bytes: Uint8Array): Uint8Array {
  return concat(utf8(tag), u32be(bytes.length), bytes)
}

function list(tag: string, items: readonly Uint8Array[]): Uint8Array {
  return concat(utf8(tag), u32be(items.length), ...items)
}

/** UTF-8 where that is faithful; lone surrogates, which UTF-8 cannot tell apart, are refused. */
function textBytes(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new TypeError('not well-formed text')
  return utf8(text)
}
