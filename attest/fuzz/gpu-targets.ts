/** Targets of the evidence of accelerators. */

import { utf8 } from '../bytes.ts'
import { EvidenceError } from '../evidence/claims.ts'
import { NONCE, NOW } from '../evidence/testing.ts'
import { parseDeviceChain } from '../gpu/chain.ts'
import { type GpuDocument, parseGpuDocument } from '../gpu/document.ts'
import { parseEat } from '../gpu/eat.ts'
import { parseResponse } from '../gpu/ocsp-message.ts'
import { parseRim } from '../gpu/rim.ts'
import { parseReport } from '../gpu/spdm.ts'
import { parseStrictJson } from '../json.ts'
import { SimulatedGpus } from '../simulate/gpu.ts'
import type { Target } from './fuzz.ts'

let made: Promise<{ bytes: Uint8Array; document: GpuDocument }> | undefined

/** One document of two GPUs and a switch, with everything that a document can carry. */
function evidence(): NonNullable<typeof made> {
  made ??= (async () => {
    const gpus = SimulatedGpus.ephemeral({ now: () => NOW, count: 2, switches: 1, eat: true })
    const bytes = await gpus.evidence(NONCE)
    return { bytes, document: parseGpuDocument(bytes) }
  })()
  return made
}

async function each(part: (document: GpuDocument) => readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
  return part((await evidence()).document)
}

export const GPU_TARGETS: Readonly<Record<string, Target>> = {
  'gpu-document': {
    reads: 'files of GPU evidence, ours and those of NVIDIA’s tools',
    seeds: async () => [(await evidence()).bytes],
    parse: parseGpuDocument,
  },
  spdm: {
    reads: 'measurement reports of GPUs and switches (SPDM 1.1)',
    seeds: () => each(({ devices }) => devices.map((device) => device.evidence)),
    parse: parseReport,
  },
  'gpu-chain': {
    reads: 'certificate chains of devices (PEM, P-384)',
    seeds: () => each(({ devices }) => devices.map(({ certificate }) => certificate)),
    parse: parseDeviceChain,
  },
  rim: {
    reads: 'reference measurements (SWID XML), up to their verified signature',
    seeds: () => each(({ rims }) => rims),
    parse: parseRim,
  },
  eat: {
    reads: 'token bundles of NVIDIA’s attestation service',
    seeds: () => each(({ eats }) => eats.map(({ bundle }) => utf8(JSON.stringify(bundle)))),
    parse: (bytes) => parseEat(json(bytes)),
  },
  ocsp: {
    reads: 'OCSP responses (DER)',
    seeds: () => each(({ ocsp }) => ocsp),
    parse: parseResponse,
  },
}

function json(bytes: Uint8Array): unknown {
  try {
    return parseStrictJson(bytes)
  } catch {
    throw new EvidenceError('not JSON')
  }
}
