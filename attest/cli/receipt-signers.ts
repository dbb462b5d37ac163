/** Whose receipt it may be: the enclaves whose keys a person names, or whose evidence is judged here. */

import { fromBase64, fromHex } from '../bytes.ts'
import { faultsAbout } from '../evidence/answer.ts'
import type { Claims } from '../evidence/claims.ts'
import { failedFactors, refusalReasons, type Verdict } from '../evidence/verdict.ts'
import type { VerifyOptions } from '../evidence/verify.ts'
import type { SignedReceipt } from '../receipt/body.ts'
import { ArgumentError } from './command.ts'
import { readHex, readTime } from './files.ts'
import type { Io } from './io.ts'
import { readPolicy } from './policy-source.ts'
import { askUrl } from './remote.ts'
import { judgeBundle } from './verify.ts'

/** How the person names the signer: exactly one of key, bundle and from, and what goes with it. */
export type NamedSigner = Readonly<
  Record<'key' | 'bundle' | 'from' | 'collateral' | 'policy' | 'root' | 'nonce' | 'at', string | undefined>
>

/** An enclave that may have signed: its key, and what its evidence proves where that was judged. */
export interface Signer {
  key: Uint8Array
  proven?: {
    claims: Claims
    claimsDigest: string | undefined
    tee: Verdict['tee']
    /** Whether the evidence is of the present, so that it may be of a later epoch than the receipt. */
    later: boolean
  }
}

/** How evidence was judged. */
export interface Judgement {
  policy: string
  /** The moment as of which it was, ms. */
  at: number
  /** Who chose that moment: nobody, the person, or the receipt because the person said so. */
  moment: 'now' | 'given' | 'issued'
}

export interface Signers {
  signers: Signer[]
  /** Why there are none. */
  problem?: string
  /** Absent where a key was named and nothing judged. */
  judged?: Judgement
}

/** How long after its epoch a request that began in it may still run, ms. */
const LONGEST_REQUEST = 3_600_000

/**
 * Finds who may have signed the receipt in `envelope`, of which nothing is proven yet.
 * @throws ArgumentError for flags of no use
 */
export async function findSigners(io: Io, given: NamedSigner, envelope: unknown): Promise<Signers> {
  checkTogether(given)
  if (given.key !== undefined) return { signers: [{ key: readKey(given.key) }] }
  const policy = await readPolicy(io, given.policy, given.root)
  if (given.from !== undefined) return await askFor(given.from, { policy, now: io.now })
  const issued = issuedAt(envelope)
  const judged = { policy: policy.name, ...momentOf(io, given.at, issued) }
  const nonce = given.nonce === undefined ? undefined : readHex('--nonce', given.nonce, 32)
  const options: VerifyOptions = {
    policy,
    now: () => judged.at,
    ...(nonce && { nonce }),
    ...(issued !== undefined && { epochAt: (epoch) => momentIn(epoch, issued) }),
  }
  const verdict = await judgeBundle(io, given.bundle ?? '', given.collateral, options)
  const signers = signersOf(verdict, false)
  if (signers.length > 0) return { signers, judged }
  const [reason] = refusalReasons(verdict)
  const stale = failedFactors(verdict).includes('collateral.fresh')
  return { signers, judged, problem: `the evidence is refused: ${reason}${stale ? CURE : ''}` }
}

const CURE =
  '; bring collateral of today (--collateral), or have all judged as of when the receipt says it was issued (--at issued)'

/** Flags that would have no effect are refused, so that nobody believes that they had one. */
function checkTogether(given: NamedSigner): void {
  const only = (way: string, names: readonly (keyof NamedSigner)[]): void => {
    const other = names.find((name) => given[name] !== undefined)
    if (other !== undefined)
      throw new ArgumentError(`--${other}: does not go with ${way}; see attest receipt verify --help`)
  }
  if (given.key !== undefined) only('--key', ['policy', 'root', 'nonce', 'at', 'collateral'])
  if (given.from !== undefined) only('--from', ['nonce', 'at', 'collateral'])
}

/** Workers alone sign receipts; one that stands under another's name, or there twice, is not believed. */
async function askFor(url: string, options: VerifyOptions): Promise<Signers> {
  const { judged: shown, at, faults: all } = await askUrl(url, options)
  const judged = { policy: options.policy.name, at, moment: 'now' } as const
  const workers = shown.filter(({ role }) => role === 'worker')
  const faults = workers.flatMap((one) => faultsAbout(one, shown))
  const signers = workers
    .filter((one) => faultsAbout(one, shown).length === 0)
    .flatMap(({ verdict }) => (verdict === undefined ? [] : signersOf(verdict, true)))
  if (signers.length > 0) return { signers, judged }
  const refused = workers.flatMap(({ verdict }) => (verdict === undefined ? [] : refusalReasons(verdict)))
  const [reason = 'there is none of a worker'] = [...refused, ...faults, ...all]
  return { signers, judged, problem: `no evidence was accepted: ${reason}` }
}

function signersOf({ claims, claimsDigest, tee }: Verdict, later: boolean): Signer[] {
  if (claims === undefined) return []
  return [{ key: fromBase64(claims.signingKey), proven: { claims, claimsDigest, tee, later } }]
}

function readKey(text: string): Uint8Array {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return fromHex(text.toLowerCase())
  try {
    const key = fromBase64(text)
    if (key.length === 32) return key
  } catch {
    // Said below.
  }
  throw new ArgumentError('--key: expected 32 bytes, as 64 hex digits or in base64')
}

/**
 * A receipt is not proven before its signer is, so it never chooses the moment of a judgement by itself: it could name
 * one before its key was revoked.
 */
function momentOf(io: Io, at: string | undefined, issued: number | undefined): Omit<Judgement, 'policy'> {
  if (at === undefined) return { at: io.now(), moment: 'now' }
  if (at !== 'issued') return { at: readTime('--at', at), moment: 'given' }
  // Without a readable moment there is no receipt that could be accepted.
  return issued === undefined ? { at: io.now(), moment: 'now' } : { at: issued, moment: 'issued' }
}

/**
 * The moment at which a receipt's epoch had to be current. A request may end after the epoch in which it began. That an
 * unproven receipt names this moment does no harm: it is compared with this epoch alone, and accepted only if the key
 * that the evidence proves has signed it.
 */
function momentIn({ notAfter }: Claims['epoch'], issued: number): number {
  return issued >= notAfter && issued < notAfter + LONGEST_REQUEST ? notAfter - 1 : issued
}

/** When an unproven receipt says that it was issued, ms. */
function issuedAt(envelope: unknown): number | undefined {
  try {
    const { payload } = envelope as SignedReceipt
    const { issuedAt: at } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { issuedAt: unknown }
    const usable = typeof at === 'number' && Number.isSafeInteger(at) && !Number.isNaN(new Date(at).getTime())
    return usable ? at : undefined
  } catch {
    return undefined
  }
}
