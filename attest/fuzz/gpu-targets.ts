/** The parsers of GPU evidence, and the judge of it as a whole, over the evidence of simulated GPUs. */

import { toHex } from '../bytes.ts'
import { NONCE, NOW, sampleClaims } from '../evidence/testing.ts'
import { findKey, importKey } from '../gpu/eat-keys.ts'
import {
  certificateFwid,
  type GpuDocument,
  judgeGpu,
  parseDeviceChain,
  parseEat,
  parseGpuDocument,
  parseReport,
  parseRim,
  verifyEats,
} from '../gpu/index.ts'
import { parseResponse } from '../gpu/ocsp-message.ts'
import { canonicalBytes } from '../json.ts'
import { accepted, Factors, GPU_FACTORS } from '../policy/factors.ts'
import { simulated } from '../policy/presets.ts'
import { SimulatedGpus, simulatedGpuPolicy } from '../simulate/gpu.ts'
import { haveVectors, vectorBytes } from '../tdx/testing.ts'
import type { Target } from './fuzz.ts'
import { RefusedError, readJson } from './input.ts'

const gpus = SimulatedGpus.ephemeral({ now: () => NOW, count: 2, switches: 2, eat: true })
const gpuPolicy = simulatedGpuPolicy(gpus.roots)
const policy = { ...simulated('00'.repeat(32)), gpu: gpuPolicy }
const real = haveVectors()

const evidence = once(() => gpus.evidence(NONCE))
const document = once(async (): Promise<GpuDocument> => parseGpuDocument(await evidence()))

const realFile = (path: string): Uint8Array[] => (real ? [vectorBytes(`nvidia/${path}`)] : [])

/** Small mutations of a file of 100 KiB would rarely hit: the judge gets one GPU without the rest. */
const small = SimulatedGpus.ephemeral({ now: () => NOW, ocsp: false })
const smallPolicy = { ...policy, gpu: simulatedGpuPolicy(small.roots) }
const smallEvidence = once(() => small.evidence(NONCE))
const smallClaims = sampleClaims({ accelerators: [...small.accelerators] })

export const GPU_TARGETS: Readonly<Record<string, Target>> = {
  'gpu-document': {
    reads: 'files of GPU evidence: ours, NVIDIA’s and bare tokens',
    seeds: async () => [await evidence(), ...realFile('evidence/hopper_evidence.json')],
    parse: parseGpuDocument,
  },
  spdm: {
    reads: 'measurement reports of GPUs and switches (SPDM 1.1)',
    seeds: async () => (await document()).devices.map((device) => device.evidence),
    parse: parseReport,
  },
  'gpu-chain': {
    reads: 'certificate chains of GPUs and switches, with the firmware id of the leaf',
    seeds: async () => [
      ...(await document()).devices.map((device) => device.certificate),
      ...realFile('evidence/blackwell_575.chain.pem'),
    ],
    parse: (bytes) => {
      const [leaf] = parseDeviceChain(bytes)
      if (leaf !== undefined) certificateFwid(leaf, 'HOPPER')
    },
  },
  rim: {
    reads: 'reference measurements (XML)',
    seeds: async () => [...(await document()).rims, ...realFile('rim/1010_0200_882_96005E0001_PROD.swidtag')],
    parse: parseRim,
  },
  eat: {
    reads: 'token bundles of NVIDIA’s attestation service, judged',
    seeds: async () => (await document()).eats.map(({ bundle }) => canonicalBytes(bundle)),
    parse: async (bytes) => {
      const eat = { bundle: readJson(bytes), jwks: (await document()).eats[0]?.jwks }
      parseEat(eat.bundle)
      await verifyEats({ eats: [eat], nonce: NONCE, now: NOW }, gpuPolicy)
    },
  },
  jwks: {
    reads: 'sets of keys of an attestation service, and the chain of the key that is asked for',
    seeds: async () => [canonicalBytes((await document()).eats[0]?.jwks ?? {})],
    parse: async (bytes) => {
      const jwks = readJson(bytes)
      const { keys } = ((await document()).eats[0]?.jwks ?? {}) as { keys?: { kid: string }[] }
      return await importKey(findKey(jwks, keys?.[0]?.kid ?? ''))
    },
  },
  ocsp: {
    reads: 'OCSP answers (DER)',
    seeds: async () => (await document()).ocsp,
    parse: parseResponse,
  },
  'gpu-evidence': {
    reads: 'whole GPU evidence, judged: never accepted when changed, never anything thrown',
    seeds: async () => [await smallEvidence()],
    parse: judge,
  },
}

/** Made when the first target asks for it. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}

async function judge(bytes: Uint8Array): Promise<void> {
  const factors = new Factors()
  const input = {
    bytes,
    nonce: NONCE,
    claims: smallClaims,
    anchor: 'simulated',
    now: NOW,
    tools: {},
  } as const
  await judgeGpu(factors, input, smallPolicy)
  const list = factors.list(GPU_FACTORS)
  if (!accepted(list, ['gpu.driver', 'gpu.vbios', 'gpu.ocsp', 'gpu.eat'])) throw new RefusedError('refused')
  // Newlines around a certificate may differ; what the device signed may not.
  const same = reportsOf(bytes) === reportsOf(await smallEvidence())
  if (!same) throw new Error('forged GPU evidence was accepted')
}

function reportsOf(bytes: Uint8Array): string {
  return parseGpuDocument(bytes)
    .devices.map((device) => toHex(device.evidence))
    .join()
}
