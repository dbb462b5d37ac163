/** `attest verify`: judges files, a bundle, or what runs at a URL. */

import type { Role } from '../evidence/answer.ts'
import type { Verdict, VerifyOptions } from '../evidence/index.ts'
import { verifyEvidence, verifyParts } from '../evidence/verify.ts'
import { readCollateral } from './collateral-source.ts'
import { ArgumentError, EXIT, type Given, verb } from './command.ts'
import { readJson, readQuote } from './evidence-files.ts'
import { readHex, readInput, readTime } from './files.ts'
import { GPU_FLAGS, readGpuTools } from './gpu-tools.ts'
import type { Io } from './io.ts'
import { safeJson } from './json.ts'
import { verdictJson, verdictText } from './judgement.ts'
import { POLICY_FLAGS, readPolicy } from './policy-source.ts'
import { judgeUrl } from './remote.ts'

const FLAGS = {
  quote: { value: 'FILE', about: 'a TDX quote: binary, hex or base64' },
  collateral: {
    value: 'FILE|DIR|URL',
    about:
      'what Intel signed about the platform: the nine-key JSON, a folder of it, or the base URL of a PCS or PCCS',
  },
  eventlog: {
    value: 'FILE',
    about: 'what the run-time registers stand for: CCEL data, dstack JSON, or ours',
  },
  gpu: { value: 'FILE', about: 'evidence of GPUs and switches, or an EAT bundle; may be judged alone' },
  bundle: { value: 'FILE', about: 'a whole evidence bundle, in place of the files above' },
  at: { value: 'TIME', about: 'judge as of this moment, 2026-06-09T00:00:00Z; now when absent' },
  ...POLICY_FLAGS,
  nonce: {
    value: 'HEX',
    about: 'the nonce that you chose: 32 bytes (of a bare quote also all 64 of REPORTDATA)',
  },
  ...GPU_FLAGS,
  role: {
    value: 'gateway|worker',
    about:
      'with a URL: what runs there; gateway by default, which has to prove itself besides its workers. A worker that is asked itself proves itself alone',
  },
  model: {
    value: 'ID',
    about:
      'with a URL: ask only the workers that serve this model; there has to be one, and each has to prove it',
  },
  json: { about: 'print one JSON object: verdict, tcbStatus, advisories, factors, fields' },
} as const
type VerifyFlags = Given<typeof FLAGS>

export const verify = verb(
  {
    name: 'verify',
    usage: [
      '--quote FILE --collateral FILE|DIR|URL [--eventlog FILE] [--gpu FILE] [options]',
      '--bundle FILE [options]',
      'URL [options]',
    ],
    summary:
      'Judges evidence by a policy, offline, and names every factor that speaks against it.\nWith a URL (http://host:port) it asks the gateway there, or the worker with --role worker, for evidence over a fresh nonce.',
    flags: FLAGS,
    operands: 1,
    notes: [
      'Exit status: 0 accepted, 1 refused, 2 unusable arguments or nothing to judge.',
      '',
      'Examples:',
      '  attest verify --quote quote.bin --collateral collateral.json --at 2026-06-09T00:00:00Z --policy platform',
      '  attest verify http://127.0.0.1:8787 --policy simulated --root .chrysalis/tee/root.der',
      '  attest verify http://127.0.0.1:8788 --role worker --policy simulated --root .chrysalis/tee/root.der',
    ],
  },
  async (given, [url], io) => {
    const at = given.at === undefined ? undefined : readTime('--at', given.at)
    const nonce = given.nonce === undefined ? undefined : readNonce(given.nonce)
    checkTogether(given, url)
    const options: VerifyOptions = {
      policy: await readPolicy(io, given.policy, given.root),
      now: at === undefined ? io.now : () => at,
      ...(nonce && { nonce }),
      gpuTools: await readGpuTools(io, given),
    }
    if (url !== undefined) {
      const asked = { ...options, role: readRole(given.role), model: given.model }
      return await judgeUrl(io, url, asked, given.json)
    }
    const verdict =
      given.bundle === undefined
        ? await judgeFiles(io, given, options)
        : await judgeBundle(io, given.bundle, given.collateral, options)
    const subject = given.bundle ?? given.quote ?? given.gpu ?? ''
    const occasion = { subject, policy: options.policy.name, at: options.now() }
    if (given.json) io.out(`${safeJson(verdictJson(verdict, occasion))}\n`)
    else io.out(verdictText(verdict, occasion, io))
    return verdict.verdict === 'accept' ? EXIT.accepted : EXIT.refused
  },
)

function readNonce(text: string): Uint8Array {
  return readHex('--nonce', text, text.length === 128 ? 64 : 32)
}

function readRole(text: string | undefined): Role | undefined {
  if (text === undefined || text === 'gateway' || text === 'worker') return text
  throw new ArgumentError('--role: is gateway or worker')
}

/** Flags that make no sense together are refused, so that nobody believes that something was judged which was not. */
function checkTogether(given: VerifyFlags, url: string | undefined): void {
  const see = 'see attest verify --help'
  const clash = (first: string, names: readonly (keyof VerifyFlags)[]): void => {
    const other = names.find((name) => given[name] !== undefined && given[name] !== false)
    if (other !== undefined) throw new ArgumentError(`--${other}: does not go with ${first}; ${see}`)
  }
  if (url !== undefined) {
    clash('a URL', ['quote', 'collateral', 'eventlog', 'gpu', 'bundle', 'nonce'])
    return
  }
  if (given.role !== undefined)
    throw new ArgumentError(`--role: goes with a URL; a policy says whose evidence it is about; ${see}`)
  if (given.model !== undefined)
    throw new ArgumentError(`--model: goes with a URL; a policy pins models by their digests; ${see}`)
  if (given.bundle !== undefined) {
    clash('--bundle', ['quote', 'eventlog', 'gpu'])
    return
  }
  if (given.quote === undefined && given.gpu === undefined)
    throw new ArgumentError(`attest verify: needs --quote, --gpu, --bundle or a URL; ${see}`)
  if (given.quote === undefined && (given.collateral ?? given.eventlog) !== undefined)
    throw new ArgumentError(
      `--quote: is missing, and collateral and event log are judged with a quote; ${see}`,
    )
  if (given.quote !== undefined && given.collateral === undefined)
    throw new ArgumentError(
      '--collateral: is missing; name a file, a folder or a PCS (https://api.trustedservices.intel.com)',
    )
}

async function judgeFiles(io: Io, given: VerifyFlags, options: VerifyOptions): Promise<Verdict> {
  const quote = given.quote === undefined ? undefined : await readQuote(io, given.quote)
  const { collateral } = given
  const eventLog =
    given.eventlog === undefined ? undefined : await readInput(io, '--eventlog', given.eventlog)
  const gpu = given.gpu === undefined ? undefined : await readInput(io, '--gpu', given.gpu)
  return await verifyParts(
    {
      ...(quote && { quote }),
      ...(collateral !== undefined && {
        collateral: await readCollateral(io, collateral, { ...options, quote }),
      }),
      ...(eventLog && { eventLog }),
      ...(gpu && { gpu }),
    },
    options,
  )
}

/** Judges the bundle in a file, with other collateral than its own if that is named. */
export async function judgeBundle(
  io: Io,
  path: string,
  collateral: string | undefined,
  options: VerifyOptions,
): Promise<Verdict> {
  const bundle = await readJson(io, '--bundle', path)
  if (collateral === undefined || typeof bundle !== 'object' || bundle === null)
    return await verifyEvidence(bundle, options)
  const quote = quoteOf(bundle)
  const value = await readCollateral(io, collateral, { ...options, quote })
  return await verifyEvidence({ ...bundle, collateral: value }, options)
}

function quoteOf(bundle: object): Uint8Array | undefined {
  const { quote } = bundle as { quote?: unknown }
  return typeof quote === 'string' ? Uint8Array.from(Buffer.from(quote, 'base64')) : undefined
}
