/** Asks a gateway or a worker for its evidence, over a nonce that was never used, and judges every bundle. */

import { randomBytes } from 'node:crypto'
import { toHex } from '../bytes.ts'
import type { Verdict, VerifyOptions } from '../evidence/index.ts'
import { verifyEvidence } from '../evidence/verify.ts'
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

/** Whose evidence, and what it has to be. */
interface Asked {
  who: string
  role: 'gateway' | 'worker'
  bundle: unknown
}

/** One enclave of the answer. `verdict` is absent where the policy is not about its role. */
interface Judged {
  who: string
  role: Asked['role']
  verdict: Verdict | undefined
  occasion: Occasion
}

/** How to judge, and what to ask for. */
export interface AskOptions extends VerifyOptions {
  /** Only workers that serve it. */
  model?: string | undefined
}

/** All that a URL showed. */
export interface Showing {
  nonce: Uint8Array
  judged: readonly Judged[]
  /** What the gateway could not show. */
  errors: readonly string[]
  /** Whether there is evidence, all that was asked for, and all of it is accepted. */
  accepted: boolean
}

/**
 * Asks what runs at `url` for evidence and judges all of it.
 * @throws ArgumentError for an unusable URL, FetchError when there is no usable answer
 */
export async function askUrl(url: string, options: AskOptions): Promise<Showing> {
  const nonce = Uint8Array.from(randomBytes(32))
  const answer = await fetchJson(attestationUrl(url, nonce, options.model), {
    limit: MAX_ANSWER,
    timeout: PATIENCE,
  })
  const { asked, errors } = readAnswer(answer)
  const at = options.now()
  const judged: Judged[] = []
  for (const { who, role, bundle } of asked) {
    // Each has one role: a worker's evidence must not stand for its gateway.
    const policy = { ...options.policy, roles: options.policy.roles.filter((name) => name === role) }
    const wanted = policy.roles.length > 0
    const verdict = wanted ? await verifyEvidence(bundle, { ...options, policy, nonce }) : undefined
    judged.push({ who, role, verdict, occasion: { subject: `${url} ${who}`, policy: policy.name, at } })
  }
  const verdicts = judged.flatMap(({ verdict }) => verdict ?? [])
  const accepted =
    verdicts.length > 0 && errors.length === 0 && verdicts.every(({ verdict }) => verdict === 'accept')
  return { nonce, judged, errors, accepted }
}

/** Judges what runs at `url` and prints it. Exit status 0 only if there is evidence and all of it is accepted. */
export async function judgeUrl(io: Io, url: string, options: AskOptions, json: boolean): Promise<number> {
  const showing = await askUrl(url, options)
  if (json) io.out(`${safeJson(showingJson(url, showing))}\n`)
  else io.out(showingText(url, showing, io))
  return showing.accepted ? EXIT.accepted : EXIT.refused
}

function showingJson(url: string, { nonce, judged, errors, accepted }: Showing): unknown {
  const evidence = judged.flatMap(({ who, role, verdict, occasion }) =>
    verdict === undefined ? [] : [{ who, role, ...verdictJson(verdict, occasion) }],
  )
  const notJudged = judged.filter(({ verdict }) => verdict === undefined).map(({ who }) => who)
  const verdict = accepted ? 'accept' : 'refuse'
  return { verdict, url, nonce: toHex(nonce), evidence, notJudged, errors }
}

function showingText(url: string, { judged, errors, accepted }: Showing, io: Io): string {
  const pages = judged.map(({ who, verdict, occasion }) =>
    verdict === undefined
      ? `${printable(who)}: not judged, because the policy is not about its role\n`
      : verdictText(verdict, occasion, io),
  )
  const missing = errors.map((text) => `${styled(io, 'red', 'no evidence')}: ${printable(text)}\n`)
  const verdicts = judged.flatMap(({ verdict }) => verdict ?? [])
  return [...pages, ...missing, summary(io, url, verdicts, errors, accepted)].join('\n')
}

function summary(
  io: Io,
  url: string,
  verdicts: readonly Verdict[],
  errors: readonly string[],
  accepted: boolean,
): string {
  const bad = verdicts.filter(({ verdict }) => verdict === 'refuse').length + errors.length
  const of = count(verdicts.length + errors.length, 'enclave')
  const word = accepted ? styled(io, 'green', 'ACCEPTED') : styled(io, 'red', 'REFUSED')
  if (verdicts.length + errors.length === 0) return `${word}: ${url} has shown no evidence\n`
  const simulated = verdicts.some(({ tee }) => tee === 'simulated-tdx')
  const caution = simulated
    ? '\nSIMULATED: this shows that the software is right, and proves nothing about a machine.'
    : ''
  return `${word}: ${accepted ? `all evidence of ${of}` : `${bad} of ${of} refused`}, made for a nonce of this moment${caution}\n`
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

function readAnswer(answer: unknown): { asked: Asked[]; errors: string[] } {
  const { object, gateway, workers, errors } = (answer ?? {}) as Record<string, unknown>
  if (object !== 'chrysalis.attestation') {
    return { asked: [], errors: ['the answer is not of the form chrysalis.attestation'] }
  }
  const asked: Asked[] = []
  if (gateway !== undefined && gateway !== null)
    asked.push({ who: 'gateway', role: 'gateway', bundle: gateway })
  for (const worker of Array.isArray(workers) ? (workers as unknown[]) : []) {
    const { id, evidence } = (worker ?? {}) as Record<string, unknown>
    asked.push({ who: `worker ${typeof id === 'string' ? id : '?'}`, role: 'worker', bundle: evidence })
  }
  const said = Array.isArray(errors) ? (errors as unknown[]) : []
  return { asked, errors: said.map(sentenceOf) }
}

/** What the gateway says about evidence that it could not get. */
function sentenceOf(error: unknown): string {
  const { worker, code, message } = (error ?? {}) as Record<string, unknown>
  const who = typeof worker === 'string' ? `worker ${worker}` : 'gateway'
  return `${who}: ${typeof message === 'string' ? message : 'no reason given'} (${String(code)})`
}
