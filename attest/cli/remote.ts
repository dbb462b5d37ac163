/** Asks a gateway or a worker for its evidence, over a nonce that was never used, and judges every bundle. */

import { randomBytes } from 'node:crypto'
import { toHex } from '../bytes.ts'
import { faultsOf, type Judged, judgeShown, type Role, readAnswer } from '../evidence/answer.ts'
import type { Verdict, VerifyOptions } from '../evidence/index.ts'
import { count, printable } from '../inspect/text.ts'
import { ArgumentError, EXIT } from './command.ts'
import { fetchJson } from './http.ts'
import { type Io, styled } from './io.ts'
import { safeJson } from './json.ts'
import { type Occasion, verdictJson, verdictText } from './judgement.ts'

/** The answer of a gateway with many workers, each with collateral and GPU evidence of its own. */
const MAX_ANSWER = 64 * 1024 * 1024
/** Quotes are made on demand, and TDX takes seconds for one. ms */
const PATIENCE = 60_000

/** How to judge, and what to ask for. */
interface AskOptions extends VerifyOptions {
  /** Who is asked. A gateway, which is the default, shows its own evidence and its workers'; a worker its own alone. */
  role?: Role | undefined
  /** Only workers that serve it, and at least one of them. */
  model?: string | undefined
}

/** All that a URL showed. */
interface Showing {
  nonce: Uint8Array
  /** Without a verdict where the policy is not about the role. */
  judged: readonly Judged[]
  /** What the gateway could not show, in its words. */
  errors: readonly string[]
  /** What is wrong with the answer as a whole. */
  faults: readonly string[]
  /** Moment of the judgement, ms. */
  at: number
  /** Whether there is evidence, all that was asked for, of whom it should be, and all of it is accepted. */
  accepted: boolean
}

/**
 * Asks what runs at `url` for evidence and judges all of it.
 * @throws ArgumentError for an unusable URL, FetchError when there is no usable answer
 */
export async function askUrl(url: string, options: AskOptions): Promise<Showing> {
  const nonce = Uint8Array.from(randomBytes(32))
  const { role = 'gateway', model, policy } = options
  // A worker has no other to pick from, so it takes no name of a model; what it claims is looked at all the same.
  const asked = attestationUrl(url, nonce, role === 'gateway' ? model : undefined)
  const answer = readAnswer(await fetchJson(asked, { limit: MAX_ANSWER, timeout: PATIENCE }))
  const at = options.now()
  const judged = await judgeShown(answer.shown, { ...options, nonce })
  const verdicts = verdictsOf(judged)
  const faults = [...answer.faults, ...faultsOf(judged, { role, model })]
  const lacking = answer.lacks.some(({ about }) => policy.roles.includes(about))
  const good = verdicts.length > 0 && verdicts.every(({ verdict }) => verdict === 'accept')
  const errors = answer.lacks.map(({ text }) => text)
  return { nonce, judged, errors, faults, at, accepted: good && !lacking && faults.length === 0 }
}

/** Judges what runs at `url` and prints it. Exit status 0 only if there is evidence and all of it is accepted. */
export async function judgeUrl(io: Io, url: string, options: AskOptions, json: boolean): Promise<number> {
  const showing = await askUrl(url, options)
  const occasion = ({ who }: Judged): Occasion => ({
    subject: `${url} ${who}`,
    policy: options.policy.name,
    at: showing.at,
  })
  if (json) io.out(`${safeJson(showingJson(url, showing, occasion))}\n`)
  else io.out(showingText(url, showing, occasion, io))
  return showing.accepted ? EXIT.accepted : EXIT.refused
}

function verdictsOf(judged: readonly Judged[]): Verdict[] {
  return judged.flatMap(({ verdict }) => verdict ?? [])
}

type OccasionOf = (one: Judged) => Occasion

function showingJson(url: string, showing: Showing, occasion: OccasionOf): unknown {
  const { nonce, judged, errors, faults, accepted } = showing
  const evidence = judged.flatMap((one) =>
    one.verdict === undefined
      ? []
      : [{ who: one.who, role: one.role, ...verdictJson(one.verdict, occasion(one)) }],
  )
  const notJudged = judged.filter(({ verdict }) => verdict === undefined).map(({ who }) => who)
  const verdict = accepted ? 'accept' : 'refuse'
  return { verdict, url, nonce: toHex(nonce), evidence, notJudged, errors, faults }
}

function showingText(url: string, showing: Showing, occasion: OccasionOf, io: Io): string {
  const { judged, errors, faults } = showing
  const pages = judged.map((one) =>
    one.verdict === undefined
      ? `${printable(one.who)}: not judged, because the policy is not about its role\n`
      : verdictText(one.verdict, occasion(one), io),
  )
  const missing = errors.map((text) => `${styled(io, 'red', 'no evidence')}: ${printable(text)}\n`)
  const wrong = faults.map((text) => `${styled(io, 'red', 'fault')}: ${printable(text)}\n`)
  return [...pages, ...missing, ...wrong, summary(io, url, showing)].join('\n')
}

function summary(io: Io, url: string, { judged, errors, faults, accepted }: Showing): string {
  const verdicts = verdictsOf(judged)
  const simulated = verdicts.some(({ tee }) => tee === 'simulated-tdx')
  const caution = simulated
    ? '\nSIMULATED: this shows that the software is right, and proves nothing about a machine.'
    : ''
  const of = count(verdicts.length, 'enclave')
  if (accepted)
    return `${styled(io, 'green', 'ACCEPTED')}: all evidence of ${of}, made for a nonce of this moment${caution}\n`
  const refused = verdicts.filter(({ verdict }) => verdict === 'refuse').length
  const why = [
    verdicts.length === 0 ? `${url} has shown no evidence to judge` : `${refused} of ${of} refused`,
    ...(errors.length === 0 ? [] : [`${errors.length} without evidence`]),
    ...(faults.length === 0 ? [] : [`${count(faults.length, 'fault')} of the answer`]),
  ]
  return `${styled(io, 'red', 'REFUSED')}: ${why.join(', ')}${caution}\n`
}

function attestationUrl(text: string, nonce: Uint8Array, model: string | undefined): URL {
  let url: URL | undefined
  try {
    url = new URL(text)
  } catch {
    url = undefined
  }
  const bare =
    url !== undefined && ['', '/', '/v1', '/v1/'].includes(url.pathname) && !url.search && !url.hash
  if (url === undefined || !/^https?:$/.test(url.protocol) || !bare || url.username || url.password)
    throw new ArgumentError(`${printable(text)}: is no address of a gateway; write it as http://host:port`)
  const query = new URLSearchParams({ nonce: toHex(nonce), ...(model !== undefined && { model }) })
  return new URL(`/v1/attestation?${query}`, url)
}
