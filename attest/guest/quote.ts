/**
 * Quotes through configfs-tsm. A report is a folder: 64 bytes go into `inblob`, the quote comes out of `outblob`, and
 * `generation` counts what was written, so that nobody takes the quote of another writer for his own.
 */

import { equalBytes, toHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { MAX_QUOTE, parseQuote } from '../tdx/quote.ts'
import { denied, errnoOf, GuestError, isDenied } from './errors.ts'
import type { Files } from './files.ts'
import { findReportProblem, problemError, REPORTS } from './probe.ts'
import type { Sleep } from './system.ts'

// One name: only the process that holds the guest's lock asks, one quote at a time. What a crash left is removed.
const REPORT = `${REPORTS}/chrysalis`

/** Pauses before the second and later tries, ms. The host's service may be restarting. */
const PAUSES = [250, 1_000, 4_000, 10_000] as const

/** Errors of reading and writing that pass. */
const PASSING = new Set(['EBUSY', 'EINTR', 'EAGAIN', 'ETIMEDOUT'])

/** Another try may help. */
class Passing extends Error {}

/**
 * Asks the platform for a quote over 64 bytes of report data, up to five times while it is busy. Returns the quote
 * without its padding; it is well formed and over these bytes, but not verified.
 *
 * @throws GuestError ERR_NOT_TDX_GUEST, ERR_GUEST_PERMISSION or ERR_GUEST_QUOTE
 */
export async function quoteFromConfigfs(
  { files, sleep }: { files: Files; sleep: Sleep },
  reportData: Uint8Array,
): Promise<Uint8Array> {
  if (reportData.length !== 64)
    throw new GuestError('ERR_GUEST_QUOTE', `report data has ${reportData.length} bytes instead of 64`)
  const problem = await findReportProblem(files)
  if (problem !== undefined) throw problemError(problem)
  let last = ''
  for (const pause of [0, ...PAUSES]) {
    if (pause > 0) await sleep(pause)
    try {
      return await askOnce(files, reportData)
    } catch (error) {
      if (!(error instanceof Passing)) throw error
      last = error.message
    }
  }
  throw new GuestError(
    'ERR_GUEST_QUOTE',
    `no quote after ${PAUSES.length + 1} tries: ${last}. Stop other programs of this TD that ask for quotes, and see that the host's quote generation service (QGS) runs`,
  )
}

async function askOnce(files: Files, reportData: Uint8Array): Promise<Uint8Array> {
  await makeReport(files)
  try {
    await checkProvider(files)
    const before = await readGeneration(files)
    await attempt('inblob', () => files.write(`${REPORT}/inblob`, reportData))
    // The kernel takes the bytes when the file is closed and tells nobody if it could not: only the count shows it.
    const written = await readGeneration(files)
    if (written === before) throw new Passing('the kernel did not take the report data')
    const quote = await readQuote(files)
    if ((await readGeneration(files)) !== before + 1n)
      throw new Passing('another program wrote to the same report at the same time')
    return checkQuote(quote, reportData)
  } finally {
    await files.removeFolder(REPORT).catch(() => {})
  }
}

async function makeReport(files: Files): Promise<void> {
  try {
    await files.makeFolder(REPORT).catch(async (error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error
      await files.removeFolder(REPORT)
      await files.makeFolder(REPORT)
    })
  } catch (error) {
    if (isDenied(error)) throw denied(REPORT, error)
    if (errnoOf(error) === 'ENXIO') {
      throw problemError({
        finding: `${REPORTS} is there, but no driver makes reports`,
        cure: 'Load it with `modprobe tdx_guest`',
      })
    }
    throw failure('report folder', error)
  }
}

async function checkProvider(files: Files): Promise<void> {
  const bytes = await attempt('provider', () => files.read(`${REPORT}/provider`, 4096))
  const provider = Buffer.from(bytes).toString('utf8').trim()
  if (provider === 'tdx_guest') return
  throw problemError({
    finding: `${REPORTS} is provided by ${JSON.stringify(provider.slice(0, 32))} and not by tdx_guest`,
    cure: 'This is a guest of another kind (AMD SEV-SNP, Arm CCA), which Chrysalis does not run in yet',
  })
}

async function readGeneration(files: Files): Promise<bigint> {
  const bytes = await attempt('generation', () => files.read(`${REPORT}/generation`, 64))
  const text = Buffer.from(bytes).toString('utf8').trim()
  if (!/^\d{1,20}$/.test(text)) throw new GuestError('ERR_GUEST_QUOTE', 'generation: not a number')
  return BigInt(text)
}

async function readQuote(files: Files): Promise<Uint8Array> {
  const quote = await attempt('outblob', () => files.read(`${REPORT}/outblob`, MAX_QUOTE))
  if (quote.length > 0) return quote
  throw new GuestError(
    'ERR_GUEST_QUOTE',
    'outblob: empty: the host has no quote generation service for this TD. Its owner must start QGS and give QEMU its address (quote-generation-socket)',
  )
}

function checkQuote(bytes: Uint8Array, reportData: Uint8Array): Uint8Array {
  const { body, length } = parse(bytes)
  if (!equalBytes(body.reportData, reportData)) {
    throw new GuestError(
      'ERR_GUEST_QUOTE',
      `outblob: a quote over other report data (${toHex(body.reportData.subarray(0, 8))}…): the host answered with another quote`,
    )
  }
  return bytes.slice(0, length)
}

function parse(bytes: Uint8Array): ReturnType<typeof parseQuote> {
  try {
    return parseQuote(bytes)
  } catch (error) {
    if (!(error instanceof ChrysalisError)) throw error
    throw new GuestError('ERR_GUEST_QUOTE', `outblob: no TDX quote: ${error.message}`, { cause: error })
  }
}

async function attempt<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isDenied(error)) throw denied(`${REPORT}/${name}`, error)
    const code = errnoOf(error)
    if (code !== undefined && PASSING.has(code)) throw new Passing(`${name}: ${code}`)
    throw failure(name, error)
  }
}

const CURES: Record<string, string> = {
  EFBIG: `the answer is larger than ${MAX_QUOTE} bytes, which no TDX quote is`,
  EIO: "the host's quote generation service failed: its owner finds the reason in the log of QGS",
  ENXIO: 'the TDX driver went away: load it with `modprobe tdx_guest`',
  EINVAL: 'the kernel refused the report data',
}

function failure(name: string, error: unknown): GuestError {
  const code = errnoOf(error) ?? 'failed'
  const cure = CURES[code] ?? (error instanceof Error ? error.message : 'for no known reason')
  return new GuestError('ERR_GUEST_QUOTE', `${name}: ${code}: ${cure}`, { cause: error })
}
