/** `attest quote`: makes evidence on this machine. */

import { writeFile } from 'node:fs/promises'
import { concat } from '../bytes.ts'
import { createEvidence, type Tee } from '../evidence/bundle.ts'
import { parseClaims } from '../evidence/claims.ts'
import type { Collateral } from '../tdx/collateral.ts'
import { readCollateral } from './collateral-source.ts'
import { ArgumentError, EXIT, type Given, verb } from './command.ts'
import { readHex, readInput, unreadable } from './files.ts'
import { type Io, pathOf } from './io.ts'
import { safeJson } from './json.ts'

const FLAGS = {
  nonce: {
    value: 'HEX',
    about: 'the 32 bytes that the verifier chose; REPORTDATA is nonce || 32 zero bytes',
  },
  'report-data': { value: 'HEX', about: 'all 64 bytes of REPORTDATA, in place of --nonce' },
  claims: { value: 'FILE', about: 'with --nonce: claims to bind too; makes an evidence bundle' },
  collateral: { value: 'FILE|DIR|URL', about: 'with --claims: the collateral to put into the bundle' },
  simulated: { value: 'DIR', about: 'quote by the simulated TEE of this folder, made on first use' },
  out: { value: 'FILE', about: 'where to write; stdout when absent' },
} as const
type QuoteFlags = Given<typeof FLAGS>

export const quote = verb(
  {
    name: 'quote',
    usage: ['--nonce HEX [--claims FILE] [options]', '--report-data HEX [options]'],
    summary:
      'Makes a TDX quote on this machine, or an evidence bundle around one. Nothing is measured by it: RTMR3 stays as\nit is. On a machine that is no TDX guest it says what is missing; --simulated is for trials.',
    flags: FLAGS,
    notes: ['Example:', '  attest quote --nonce $NONCE --out quote.bin'],
  },
  async (given, _operands, io) => {
    checkTogether(given)
    const nonce = given.nonce === undefined ? undefined : readHex('--nonce', given.nonce, 32)
    const whole = given['report-data']
    const reportData = nonce ? concat(nonce, new Uint8Array(32)) : readHex('--report-data', whole ?? '', 64)
    const claims = given.claims === undefined ? undefined : await readInput(io, '--claims', given.claims)
    if (claims !== undefined) parseClaims(claims)
    await using machine = await openTee(given, io)
    const made =
      claims === undefined || nonce === undefined
        ? await machine.tee.quote(reportData)
        : `${safeJson(await createEvidence({ tee: machine.tee, nonce, claims }), 2)}\n`
    await write(made, given.out, io)
    return EXIT.accepted
  },
)

function checkTogether(given: QuoteFlags): void {
  const see = 'see attest quote --help'
  if ((given.nonce === undefined) === (given['report-data'] === undefined))
    throw new ArgumentError(`attest quote: needs either --nonce or --report-data; ${see}`)
  if (given.claims !== undefined && given.nonce === undefined)
    throw new ArgumentError(`--claims: goes with --nonce, and REPORTDATA follows from both; ${see}`)
  if (given.collateral !== undefined && given.claims === undefined)
    throw new ArgumentError(`--collateral: goes with --claims; a bare quote carries none; ${see}`)
}

/** A TEE, and what has to be given back after its use. */
interface Machine extends AsyncDisposable {
  tee: Tee
}

async function openTee(given: QuoteFlags, io: Io): Promise<Machine> {
  const source = given.collateral
  const collateral = async (bytes: Uint8Array): Promise<Collateral | undefined> =>
    source === undefined ? undefined : await readBundled(io, source, bytes)
  if (given.simulated !== undefined) {
    const { SimulatedTee } = await import('../simulate/tee.ts')
    const tee = await SimulatedTee.open(pathOf(io, given.simulated), { now: io.now })
    return { tee, [Symbol.asyncDispose]: async () => {} }
  }
  const { openGuest } = await import('./guest-tee.ts')
  return await openGuest(collateral)
}

async function readBundled(io: Io, source: string, bytes: Uint8Array): Promise<Collateral | undefined> {
  const { collateralSchema } = await import('../tdx/collateral.ts')
  const { platform } = await import('../policy/presets.ts')
  const value = await readCollateral(io, source, { quote: bytes, policy: platform(), now: io.now })
  const parsed = collateralSchema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new ArgumentError(`--collateral ${source}: is no collateral (attest inspect says what it is)`)
}

async function write(made: Uint8Array | string, out: string | undefined, io: Io): Promise<void> {
  if (out !== undefined) {
    await writeFile(pathOf(io, out), made).catch((error: unknown) => {
      throw new ArgumentError(`--out ${out}: ${unreadable(error)}`, { cause: error })
    })
    return
  }
  if (typeof made === 'string') io.out(made)
  else if (io.terminal)
    throw new ArgumentError('--out: a quote is binary and no use on a terminal; name a file')
  else io.outBytes(made)
}
