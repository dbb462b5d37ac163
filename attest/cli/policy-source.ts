/** Where the policy of a judgement comes from: a preset by name, or a policy file. */

import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { decodePolicy, type Policy } from '../policy/policy.ts'
import { PRESETS, preset } from '../policy/presets.ts'
import { parseCertificate, parseChainBytes } from '../x509/index.ts'
import { ArgumentError, type Flag } from './command.ts'
import { readInput } from './files.ts'
import type { Io } from './io.ts'

/** Flags of every verb that judges. */
export const POLICY_FLAGS = {
  policy: {
    value: 'NAME|FILE',
    about: `what to demand: ${PRESETS.join(', ')}, or a policy file; strict when absent (attest policy explains them)`,
  },
  root: {
    value: 'HEX|FILE',
    about:
      'with --policy simulated: the root of that simulation, as SHA-256 in hex or as its certificate (root.der)',
  },
} as const satisfies Record<string, Flag>

const NAMES: readonly string[] = PRESETS

/**
 * The policy that `--policy` and `--root` ask for.
 * @param name what `--policy` said; `strict` when undefined
 * @throws ArgumentError for an unknown name, a file that is no policy, a root that is missing or of no use
 */
export async function readPolicy(io: Io, name = 'strict', root?: string): Promise<Policy> {
  if (root !== undefined && name !== 'simulated')
    throw new ArgumentError(
      `--root: goes with --policy simulated alone; the policy ${name} brings its own roots`,
    )
  if (NAMES.includes(name)) {
    if (name !== 'simulated') return preset(name)
    if (root === undefined)
      throw new ArgumentError(
        '--policy simulated: needs --root, the root of that simulation (root.der in its tee folder)',
      )
    return preset(name, await readRoot(io, root))
  }
  return await readPolicyFile(io, name)
}

async function readPolicyFile(io: Io, name: string): Promise<Policy> {
  let bytes: Uint8Array
  try {
    bytes = await readInput(io, '--policy', name)
  } catch (error) {
    // A word without a dot or a slash was meant to be a name.
    if (/[./\\]/.test(name)) throw error
    throw new ArgumentError(
      `--policy ${name}: is no preset (${NAMES.join(', ')}), and there is no such policy file`,
    )
  }
  try {
    return decodePolicy(bytes)
  } catch (error) {
    if (!(error instanceof ChrysalisError)) throw error
    throw new ArgumentError(
      `--policy ${name}: ${error.message.replace(/^policy: /, '')}; attest policy --help says how a policy file looks`,
    )
  }
}

async function readRoot(io: Io, root: string): Promise<string> {
  if (/^[0-9a-fA-F]{64}$/.test(root)) return root.toLowerCase()
  const bytes = await readInput(io, '--root', root)
  try {
    const der = bytes[0] === 0x2d ? parseChainBytes(bytes).at(-1)?.der : bytes
    if (der !== undefined) return toHex(sha256(parseCertificate(der).der))
  } catch {
    // Said below, for any way of being no certificate.
  }
  throw new ArgumentError(`--root ${root}: is neither 64 hex digits nor a certificate (DER or PEM)`)
}
