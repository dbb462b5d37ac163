/** One target for each parser of bytes that others choose. */

import { equalBytes, fromHex, utf8 } from '../bytes.ts'
import { readAnswer } from '../evidence/answer.ts'
import { openBundle } from '../evidence/bundle.ts'
import { claimsDigest, encodeClaims, parseClaims } from '../evidence/claims.ts'
import {
  NONCE,
  NOW,
  sampleClaims,
  sampleEvidence,
  sampleTee,
  simulatedWithoutLog,
} from '../evidence/testing.ts'
import { verifyEvidence } from '../evidence/verify.ts'
import { inspect } from '../inspect/index.ts'
import { canonicalBytes } from '../json.ts'
import { decodePolicy, encodePolicy } from '../policy/policy.ts'
import { platform, strict } from '../policy/presets.ts'
import { type Collateral, collateralSchema, parseCollateral } from '../tdx/collateral.ts'
import { readPckPlatform } from '../tdx/pck.ts'
import { parseQuote } from '../tdx/quote.ts'
import { parseQeIdentity, parseTcbInfo } from '../tdx/tcb.ts'
import { haveVectors, vectorBytes, vectorJson } from '../tdx/testing.ts'
import { encodePem, parseCertificate, parseChainBytes, parseCrl } from '../x509/index.ts'
import { COLLATERAL_TARGETS } from './collateral-targets.ts'
import { EVENT_LOG_TARGETS } from './eventlog-targets.ts'
import type { Target } from './fuzz.ts'
import { GPU_TARGETS } from './gpu-targets.ts'
import { GUEST_TARGETS } from './guest-targets.ts'
import { RefusedError, readJson, readText } from './input.ts'
import { MEASURE_TARGETS } from './measure-targets.ts'
import { SEAL_TARGETS } from './seal-targets.ts'

const tee = sampleTee()
const collateral = tee.issueCollateral({})
const real = haveVectors()

/** The simulated TEE's, and a real one where the vectors are here. */
function documents(member: keyof Collateral): string[] {
  const own = collateral[member] ?? ''
  if (!real) return [own]
  return [own, vectorJson<Collateral>('tdx/collateral/b0c06f_2026-08-13.json')[member] ?? '']
}

async function quotes(): Promise<Uint8Array[]> {
  const own = await tee.quote(new Uint8Array(64).fill(7))
  if (!real) return [own]
  return [own, vectorBytes('tdx/quotes/cocoon_v4.bin'), vectorBytes('tdx/quotes/google_v5_td15.bin')]
}

const policy = simulatedWithoutLog(tee.rootSha256)

export const TARGETS: Readonly<Record<string, Target>> = {
  quote: { reads: 'TDX quotes, versions 4 and 5', seeds: quotes, parse: parseQuote },
  certificate: {
    reads: 'X.509 certificates (DER), with the SGX extension of PCK leaves',
    seeds: () => [tee.platform.certificates.leaf],
    parse: (bytes) => readPckPlatform(parseCertificate(bytes)),
  },
  crl: {
    reads: 'certificate revocation lists (DER)',
    seeds: () => [...documents('root_ca_crl'), ...documents('pck_crl')].map(fromHex),
    parse: parseCrl,
  },
  chain: {
    reads: 'PEM chains',
    seeds: () => [utf8(encodePem(Object.values(tee.platform.certificates).slice(0, 3)))],
    parse: parseChainBytes,
  },
  'tcb-info': {
    reads: 'TCB info documents',
    seeds: () => documents('tcb_info').map(utf8),
    parse: (bytes) => parseTcbInfo(readText(bytes)),
  },
  'qe-identity': {
    reads: 'QE identity documents',
    seeds: () => documents('qe_identity').map(utf8),
    parse: (bytes) => parseQeIdentity(readText(bytes)),
  },
  collateral: {
    reads: 'the nine-key collateral object',
    seeds: () => [canonicalBytes(collateral)],
    parse: (bytes) => {
      const shape = collateralSchema.safeParse(readJson(bytes))
      if (!shape.success) throw new RefusedError('not the nine keys')
      return parseCollateral(shape.data)
    },
  },
  claims: { reads: 'claims', seeds: () => [encodeClaims(sampleClaims())], parse: parseClaims },
  bundle: {
    reads: 'evidence bundles',
    seeds: async () => [canonicalBytes(await sampleEvidence(tee))],
    parse: (bytes) => openBundle(readJson(bytes)),
  },
  policy: {
    reads: 'policy files',
    seeds: () => [strict(), platform(), policy].map((each) => utf8(encodePolicy(each))),
    parse: decodePolicy,
  },
  ...COLLATERAL_TARGETS,
  answer: {
    reads: 'answers to GET /v1/attestation, of whoever is asked',
    seeds: async () => {
      const evidence = await sampleEvidence(tee)
      const errors = [{ code: 'no_worker', message: 'there is none' }]
      const answer = { object: 'chrysalis.attestation', nonce: '', gateway: evidence, errors }
      return [canonicalBytes({ ...answer, workers: [{ id: 'a', models: ['m'], evidence }] })]
    },
    // It never refuses: what is wrong with an answer is told beside what it shows.
    parse: (bytes) => {
      const { faults } = readAnswer(readJson(bytes))
      if (faults.length > 0) throw new RefusedError('faults')
    },
  },
  inspect: {
    reads: 'any file at all, to explain it',
    seeds: async () => [
      await tee.quote(new Uint8Array(64)),
      canonicalBytes(collateral),
      canonicalBytes(await sampleEvidence(tee)),
      utf8(encodePolicy(policy)),
      tee.platform.certificates.leaf,
    ],
    // It explains whatever it is given; a file of no known kind counts as refused.
    parse: async (bytes) => {
      const { kind } = await inspect(bytes, { now: NOW })
      if (kind === 'unknown') throw new RefusedError('unknown')
    },
  },
  ...EVENT_LOG_TARGETS,
  ...MEASURE_TARGETS,
  ...GPU_TARGETS,
  ...GUEST_TARGETS,
  ...SEAL_TARGETS,
  verdict: {
    reads: 'whole evidence, judged: never an acceptance, never anything thrown',
    seeds: async () => [canonicalBytes(await sampleEvidence(tee))],
    parse: async (bytes) => {
      const bundle = readJson(bytes)
      const verdict = await verifyEvidence(bundle, { policy, now: () => NOW, nonce: NONCE })
      if (verdict.verdict === 'accept') return accepted(bundle)
      throw new RefusedError('refused')
    },
  },
}

const genuine = claimsDigest(encodeClaims(sampleClaims()))

/** Bytes may differ where JSON lets them (spaces between names); what they say may not. */
function accepted(bundle: unknown): void {
  const { claims } = openBundle(bundle)
  if (!equalBytes(claimsDigest(claims), genuine)) throw new Error('forged evidence was accepted')
}
