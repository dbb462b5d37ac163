/** `attest receipt verify`: checks what an enclave signed about one request. */

import { equalBytes, fromBase64, fromHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { refusalReasons, type Verdict } from '../evidence/verdict.ts'
import { verifyEvidence } from '../evidence/verify.ts'
import { date, printable } from '../inspect/text.ts'
import type { ReceiptBody, SignedReceipt } from '../receipt/body.ts'
import { receiptDigest, verifyReceipt } from '../receipt/verify.ts'
import { ArgumentError, EXIT, type Given, verb } from './command.ts'
import { readJson } from './evidence-files.ts'
import { readHex, readTime } from './files.ts'
import { type Io, styled } from './io.ts'
import { safeJson } from './json.ts'
import { POLICY_FLAGS, readPolicy } from './policy-source.ts'
import { askUrl } from './remote.ts'

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
  at: {
    value: 'TIME',
    about: 'with --bundle: judge as of this moment; when the receipt was issued when absent',
  },
  json: { about: 'print one JSON object: verdict, factors, fields' },
} as const

/** One thing that was checked about the receipt. */
interface Check {
  name: string
  result: 'pass' | 'fail'
  reason: string
}

/** An enclave that may have signed: its key, and the digest of its claims where evidence was judged. */
interface Signer {
  key: Uint8Array
  claimsDigest?: string | undefined
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
    const { signers, problem } = await findSigners(io, given, envelope)
    const { checks, body } = judge(envelope, answer, signers, problem)
    const accepted = checks.every(({ result }) => result === 'pass')
    const verdict = accepted ? 'accept' : 'refuse'
    // Nothing of a receipt whose signature does not hold is worth repeating.
    if (given.json) io.out(`${safeJson({ verdict, factors: checks, fields: body ?? {} })}\n`)
    else io.out(page(given.receipt, checks, body, accepted, io))
    return accepted ? EXIT.accepted : EXIT.refused
  },
)

async function findSigners(
  io: Io,
  given: Given<typeof FLAGS>,
  envelope: unknown,
): Promise<{ signers: Signer[]; problem?: string }> {
  if (given.key !== undefined) return { signers: [{ key: readKey(given.key) }] }
  const policy = await readPolicy(io, given.policy, given.root)
  if (given.from !== undefined) {
    const { judged } = await askUrl(given.from, { policy, now: io.now })
    return fromVerdicts(judged.flatMap(({ verdict }) => verdict ?? []))
  }
  const at = given.at === undefined ? (issuedAt(envelope) ?? io.now()) : readTime('--at', given.at)
  const nonce = given.nonce === undefined ? undefined : readHex('--nonce', given.nonce, 32)
  const bundle = await readJson(io, '--bundle', given.bundle ?? '')
  return fromVerdicts([await verifyEvidence(bundle, { policy, now: () => at, ...(nonce && { nonce }) })])
}

function fromVerdicts(verdicts: readonly Verdict[]): { signers: Signer[]; problem?: string } {
  const signers = verdicts.flatMap(({ claims, claimsDigest }) =>
    claims === undefined ? [] : [{ key: fromBase64(claims.signingKey), claimsDigest }],
  )
  if (signers.length > 0) return { signers }
  const [reason = 'there is none'] = verdicts.flatMap(refusalReasons)
  return { signers, problem: `no evidence was accepted: ${reason}` }
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

/** When an unproven receipt says that it was issued: good enough to choose the moment, and any moment is judged. */
function issuedAt(envelope: unknown): number | undefined {
  try {
    const { payload } = envelope as SignedReceipt
    const { issuedAt: at } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { issuedAt: unknown }
    return typeof at === 'number' && Number.isSafeInteger(at) ? at : undefined
  } catch {
    return undefined
  }
}

function judge(
  envelope: unknown,
  answer: Record<string, unknown> | null | undefined,
  signers: readonly Signer[],
  problem: string | undefined,
): { checks: Check[]; body: ReceiptBody | undefined } {
  const checks: Check[] = []
  const add = (name: string, ok: boolean, whenOk: string, otherwise: string): void => {
    checks.push({ name, result: ok ? 'pass' : 'fail', reason: ok ? whenOk : otherwise })
  }
  add('receipt.signer', signers.length > 0, 'the enclave is known', problem ?? '')
  const { body, signer, reason } = readSigned(envelope, signers)
  add('receipt.signature', body !== undefined, 'signed by the enclave', reason)
  if (body === undefined || signer === undefined) return { checks, body: undefined }
  if (signer.claimsDigest !== undefined) {
    const same = signer.claimsDigest === body.claimsDigest
    const other = 'signed by the same key, but in another epoch than the evidence is of'
    // The key lives as long as the enclave's process; an epoch is over after minutes, and a new one has new claims.
    add('receipt.evidence', true, same ? 'the evidence that the receipt names' : other, '')
  }
  if (answer?.receipt === undefined) return { checks, body }
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
  return { checks, body }
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

function page(
  file: string,
  checks: readonly Check[],
  body: ReceiptBody | undefined,
  accepted: boolean,
  io: Io,
): string {
  const width = Math.max(...checks.map(({ name }) => name.length))
  const rows = checks.map(({ name, result, reason }) => {
    const word = result === 'pass' ? styled(io, 'green', 'pass') : styled(io, 'red', 'FAIL')
    return `  ${word}  ${name.padEnd(width)}  ${printable(reason)}`
  })
  const failed = checks.filter(({ result }) => result === 'fail').map(({ name }) => name)
  const end = accepted
    ? `${styled(io, 'green', 'ACCEPTED')}: the enclave signed this`
    : `${styled(io, 'red', 'REFUSED')} by ${failed.join(', ')}`
  return [printable(file), '', ...rows, '', ...(body === undefined ? [] : [...said(body), '']), end, ''].join(
    '\n',
  )
}

function said(body: ReceiptBody): string[] {
  const rows: [string, string][] = [
    ['request', body.requestId],
    ['status', body.status],
    ['model', `${body.model.id} ${body.model.sha256}`],
    ['charge', `${body.clientCharge} nanotons`],
    ['issued', date(body.issuedAt)],
    ['TEE', body.tee === 'tdx' ? 'TDX' : 'SIMULATED, which proves nothing about a machine'],
    ['evidence', body.claimsDigest],
  ]
  return rows.map(([name, value]) => `  ${name.padEnd(8)}  ${printable(value)}`)
}
