/** `attest receipt verify`: checks what an enclave signed about one request. */

import { equalBytes, fromHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import type { Verdict } from '../evidence/verdict.ts'
import { date, printable } from '../inspect/text.ts'
import type { ReceiptBody, SignedReceipt } from '../receipt/body.ts'
import { receiptDigest, verifyReceipt } from '../receipt/verify.ts'
import { ArgumentError, EXIT, verb } from './command.ts'
import { readJson } from './evidence-files.ts'
import { type Io, styled } from './io.ts'
import { safeJson } from './json.ts'
import { POLICY_FLAGS } from './policy-source.ts'
import { findSigners, type Judgement, type Signer, type Signers } from './receipt-signers.ts'

const FLAGS = {
  receipt: {
    value: 'FILE',
    about: 'the receipt: what GET /v1/receipts/ID answered, or the signed part of it',
  },
  key: { value: 'HEX|BASE64', about: 'the Ed25519 key of the enclave, as attest verify printed it' },
  bundle: { value: 'FILE', about: 'evidence of the enclave, judged here, in place of --key' },
  from: {
    value: 'URL',
    about: 'ask this gateway for evidence now, in place of --key: the worker has to run still',
  },
  ...POLICY_FLAGS,
  nonce: { value: 'HEX', about: 'with --bundle: the nonce that you chose (32 bytes)' },
  collateral: {
    value: 'FILE|DIR|URL',
    about:
      'with --bundle: judge by this collateral in place of what the bundle holds, which runs out after weeks',
  },
  at: {
    value: 'TIME|issued',
    about:
      'with --bundle: judge it as of this moment, or as of when the receipt says it was issued; now when absent. Its epoch has to be that of the receipt',
  },
  json: { about: 'print one JSON object: verdict, judged, factors, fields' },
} as const

/** One thing that was checked about the receipt. */
interface Check {
  name: string
  result: 'pass' | 'fail'
  reason: string
}

export const receiptVerify = verb(
  {
    name: 'receipt verify',
    usage: ['--receipt FILE (--key KEY | --bundle FILE | --from URL) [options]'],
    summary:
      'Checks that a receipt is signed by the enclave that you name, and that the gateway charged no more than it says.\nThe key that the gateway itself names beside a receipt proves nothing: evidence does.',
    flags: FLAGS,
    notes: [
      'Exit status: 0 accepted, 1 refused, 2 unusable arguments.',
      '',
      'Example:',
      '  attest receipt verify --receipt receipt.json --from http://127.0.0.1:8787 \\',
      '    --policy simulated --root .chrysalis/tee/root.der',
    ],
  },
  async (given, _operands, io) => {
    if (given.receipt === undefined)
      throw new ArgumentError('--receipt: is missing; name the file of a receipt')
    const ways = [given.key, given.bundle, given.from].filter((way) => way !== undefined)
    if (ways.length !== 1)
      throw new ArgumentError('attest receipt verify: needs exactly one of --key, --bundle and --from')
    const answer = (await readJson(io, '--receipt', given.receipt)) as
      | Record<string, unknown>
      | null
      | undefined
    const envelope = answer?.receipt ?? answer
    const found = await findSigners(io, given, envelope)
    const { checks, body, signer } = judge(envelope, answer, found)
    const accepted = checks.every(({ result }) => result === 'pass')
    const verdict = accepted ? 'accept' : 'refuse'
    const tee = signer?.proven?.tee
    const judged = found.judged && {
      ...found.judged,
      at: new Date(found.judged.at).toISOString(),
      tee: tee ?? 'none',
    }
    // Nothing of a receipt whose signature does not hold is worth repeating.
    if (given.json)
      io.out(`${safeJson({ verdict, judged: judged ?? null, factors: checks, fields: body ?? {} })}\n`)
    else {
      const heading = headingOf(given.receipt, found.judged)
      io.out(page({ heading, checks, body, tee, accepted }, io))
    }
    return accepted ? EXIT.accepted : EXIT.refused
  },
)

type Add = (name: string, ok: boolean, whenOk: string, otherwise: string) => void

function judge(
  envelope: unknown,
  answer: Record<string, unknown> | null | undefined,
  { signers, problem, judged }: Signers,
): { checks: Check[]; body: ReceiptBody | undefined; signer?: Signer } {
  const checks: Check[] = []
  const add: Add = (name, ok, whenOk, otherwise) => {
    checks.push({ name, result: ok ? 'pass' : 'fail', reason: ok ? whenOk : otherwise })
  }
  add('receipt.signer', signers.length > 0, 'the enclave is known', problem ?? '')
  const { body, signer, reason } = readSigned(envelope, signers)
  add('receipt.signature', body !== undefined, 'signed by the enclave', reason)
  if (body === undefined || signer === undefined) return { checks, body: undefined }
  if (judged !== undefined) judgeByEvidence(add, body, signer, judged)
  if (answer?.receipt !== undefined) judgeAnswer(add, envelope, answer, body, signer)
  return { checks, body, signer }
}

/** How far the clocks of verifier and enclave may differ, ms. */
const CLOCK_SKEW = 60_000

/** What a receipt says about its enclave has to be what the evidence proves of it. */
function judgeByEvidence(add: Add, body: ReceiptBody, { proven }: Signer, { at }: Judgement): void {
  if (proven === undefined) return
  const { claims, claimsDigest, tee, later } = proven
  const same = claimsDigest === body.claimsDigest
  // The key lives as long as the enclave's process; an epoch is over after minutes, and a new one has new claims.
  add(
    'receipt.evidence',
    same || later,
    same ? 'the evidence that the receipt names' : 'signed by the same key, in another epoch than this one',
    'the receipt names other evidence: bring the bundle that the request was sealed to',
  )
  add('receipt.role', claims.role === 'worker', 'a worker signed it', 'a gateway signs no receipts')
  add(
    'receipt.tee',
    tee === body.tee,
    'of the kind of TEE that signed it',
    `it says ${body.tee}, and ${tee} signed it`,
  )
  const { id, sha256 } = body.model
  add(
    'receipt.model',
    claims.models.some((model) => model.id === id && model.sha256 === sha256),
    'the enclave serves this model',
    'the enclave does not serve this model',
  )
  const past = body.issuedAt <= at + CLOCK_SKEW
  add(
    'receipt.time',
    past,
    'issued before it was judged',
    `issued after ${date(at)}, as of which it is judged`,
  )
}

function judgeAnswer(
  add: Add,
  envelope: unknown,
  answer: Record<string, unknown>,
  body: ReceiptBody,
  signer: Signer,
): void {
  add('receipt.request', answer.id === body.requestId, 'of this request', 'the gateway names another request')
  const digest = receiptDigest(envelope as SignedReceipt)
  add(
    'receipt.digest',
    answer.digest === digest,
    'the gateway names its digest',
    'the gateway names another digest',
  )
  const key = typeof answer.signing_key === 'string' ? answer.signing_key : ''
  const named = /^[0-9a-f]{64}$/.test(key) && equalBytes(fromHex(key), signer.key)
  add('receipt.key', named, 'the gateway names the same key', 'the gateway names another signing key')
  const charged =
    typeof answer.charged === 'string' && /^\d{1,38}$/.test(answer.charged) ? answer.charged : undefined
  const fair = charged !== undefined && BigInt(charged) <= BigInt(body.clientCharge)
  add(
    'receipt.charge',
    fair,
    `charged ${charged} nanotons`,
    'the gateway charged more than the enclave signed',
  )
}

function readSigned(
  envelope: unknown,
  signers: readonly Signer[],
): { body?: ReceiptBody; signer?: Signer; reason: string } {
  let reason = 'there is no key to check it with'
  for (const signer of signers) {
    try {
      return { body: verifyReceipt(envelope, signer.key), signer, reason: '' }
    } catch (error) {
      reason = error instanceof ChrysalisError ? error.message : 'cannot be checked'
    }
  }
  return { reason }
}

/** What the page is about: says as of when the evidence was judged, and whether the receipt chose that. */
function headingOf(file: string, judged: Judgement | undefined): string[] {
  if (judged === undefined) return [printable(file)]
  const { policy, at, moment } = judged
  const issued = moment === 'issued' ? ', as the receipt says' : ''
  const name = printable(policy)
  return [
    `${printable(file)}, its enclave judged by the policy "${name}" as of ${date(at)}${issued}`,
    ...(moment === 'issued'
      ? [
          'Who holds the key of an enclave chooses what its receipts say: a revocation since then is not seen.',
        ]
      : []),
  ]
}

interface Page {
  heading: readonly string[]
  checks: readonly Check[]
  body: ReceiptBody | undefined
  /** What the evidence proves, if evidence was judged. */
  tee: Verdict['tee'] | undefined
  accepted: boolean
}

function page({ heading, checks, body, tee, accepted }: Page, io: Io): string {
  const width = Math.max(...checks.map(({ name }) => name.length))
  const rows = checks.map(({ name, result, reason }) => {
    const word = result === 'pass' ? styled(io, 'green', 'pass') : styled(io, 'red', 'FAIL')
    return `  ${word}  ${name.padEnd(width)}  ${printable(reason)}`
  })
  const failed = checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
  const end = accepted
    ? `${styled(io, 'green', 'ACCEPTED')}: the enclave signed this`
    : `${styled(io, 'red', 'REFUSED')} by ${failed.join(', ')}`
  const fields = body === undefined ? [] : [...said(body, tee), '']
  return [...heading, '', ...rows, '', ...fields, end, ''].join('\n')
}

function said(body: ReceiptBody, tee: Verdict['tee'] | undefined): string[] {
  // The receipt's own word for it counts only where nothing better is known.
  const hardware = tee === undefined ? 'TDX, as the receipt says' : 'TDX'
  const rows: [string, string][] = [
    ['request', body.requestId],
    ['status', body.status],
    ['model', `${body.model.id} ${body.model.sha256}`],
    ['charge', `${body.clientCharge} nanotons`],
    ['issued', date(body.issuedAt)],
    ['TEE', (tee ?? body.tee) === 'tdx' ? hardware : 'SIMULATED, which proves nothing about a machine'],
    ['evidence', body.claimsDigest],
  ]
  return rows.map(([name, value]) => `  ${name.padEnd(8)}  ${printable(value)}`)
}
