/** What a verifier brings along to judge accelerators: reference manifests, keys, a way to ask about revocation. */

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { VerifyOptions } from '../evidence/verify.ts'
import { ArgumentError, type Flag } from './command.ts'
import { readJson } from './evidence-files.ts'
import { readInput, unreadable } from './files.ts'
import { type Io, pathOf } from './io.ts'

/** Flags about accelerators. */
export const GPU_FLAGS = {
  rims: {
    value: 'FILE|DIR',
    about:
      "NVIDIA's reference manifests (RIM), besides those that the evidence brings: one, or a folder of them",
  },
  jwks: { value: 'FILE', about: "keys of NVIDIA's attestation service, as you fetched them yourself" },
  online: {
    about:
      'ask NVIDIA for the manifests that are missing, and whether certificates of GPUs and manifests are revoked',
  },
} as const satisfies Record<string, Flag>

/** The most manifests that are read from a folder; a machine needs three. */
const MAX_RIMS = 64

interface Given {
  rims: string | undefined
  jwks: string | undefined
  online: boolean
}

/**
 * Reads what the flags name.
 * @throws ArgumentError for a path that cannot be read, a folder without manifests, keys that are no JSON
 */
export async function readGpuTools(io: Io, given: Given): Promise<NonNullable<VerifyOptions['gpuTools']>> {
  const jwks = given.jwks === undefined ? undefined : await readJson(io, '--jwks', given.jwks)
  // Keys are the verifier's own word, not evidence: a broken file is a mistake of whoever gave it.
  if (given.jwks !== undefined && jwks === undefined)
    throw new ArgumentError(`--jwks ${given.jwks}: is not JSON; save the answer of the service as it came`)
  return {
    ...(given.rims !== undefined && { rims: await readRims(io, given.rims) }),
    ...(jwks !== undefined && { jwks }),
    ...(given.online && (await onlineTools())),
  }
}

async function onlineTools(): Promise<NonNullable<VerifyOptions['gpuTools']>> {
  const [{ httpOcspClient }, { httpRimService }] = await Promise.all([
    import('../gpu/ocsp.ts'),
    import('../gpu/rim-service.ts'),
  ])
  return { ocsp: httpOcspClient(fetch), rimService: httpRimService(fetch) }
}

async function readRims(io: Io, path: string): Promise<Uint8Array[]> {
  const folder = pathOf(io, path)
  const found = await stat(folder).catch((error: unknown) => {
    throw new ArgumentError(`--rims ${path}: ${unreadable(error)}`, { cause: error })
  })
  if (!found.isDirectory()) return [await readInput(io, '--rims', path)]
  const names = (await readdir(folder)).filter((name) => /\.(swidtag|xml)$/i.test(name)).sort()
  if (names.length === 0 || names.length > MAX_RIMS)
    throw new ArgumentError(
      `--rims ${path}: holds ${names.length} files *.swidtag or *.xml; expected 1 to ${MAX_RIMS}`,
    )
  return await Promise.all(names.map((name) => readInput(io, '--rims', join(folder, name))))
}
