/**
 * A committed bundle that an earlier version made: evidence keeps its meaning across versions.
 * CHRYSALIS_WRITE_VECTORS=1 makes it anew; do that only with a new format.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fromBase64, toBase64 } from '../bytes.ts'
import type { EvidenceBundle } from './bundle.ts'
import { NONCE, NOW, sampleClaims, sampleEvidence, sampleTee, simulatedWithoutLog } from './testing.ts'
import { failedFactors, type VerdictFields } from './verdict.ts'
import { verifyEvidence } from './verify.ts'

const FILE = new URL('./bundle.vectors.json', import.meta.url)

interface Vector {
  note: string
  rootSha256: string
  now: number
  nonce: string
  claimsDigest: string
  fields: VerdictFields
  bundle: EvidenceBundle
}

async function write(): Promise<void> {
  const tee = sampleTee()
  const bundle = await sampleEvidence(tee)
  const policy = simulatedWithoutLog(tee.rootSha256)
  const verdict = await verifyEvidence(bundle, { policy, now: () => NOW, nonce: NONCE })
  const vector: Vector = {
    note: 'evidence of a simulated TEE; accepted at `now` (ms) under the policy simulatedWithoutLog(rootSha256) with this nonce',
    rootSha256: tee.rootSha256,
    now: NOW,
    nonce: toBase64(NONCE),
    claimsDigest: verdict.claimsDigest ?? '',
    fields: verdict.fields,
    bundle,
  }
  writeFileSync(FILE, `${JSON.stringify(vector, null, 2)}\n`)
}

describe('the committed bundle', async () => {
  if (process.env.CHRYSALIS_WRITE_VECTORS === '1') await write()
  const vector = JSON.parse(readFileSync(FILE, 'utf8')) as Vector
  const options = {
    policy: simulatedWithoutLog(vector.rootSha256),
    now: () => vector.now,
    nonce: fromBase64(vector.nonce),
  }

  it('is accepted, under the same name and with the same fields', async () => {
    const verdict = await verifyEvidence(vector.bundle, options)
    expect(failedFactors(verdict)).toEqual([])
    expect(verdict.claims).toEqual(sampleClaims())
    expect(verdict.claimsDigest).toBe(vector.claimsDigest)
    expect(verdict.fields).toEqual(vector.fields)
  })

  it('is refused when its epoch is over and when its collateral is', async () => {
    const later = await verifyEvidence(vector.bundle, { ...options, now: () => vector.now + 600_000 })
    expect(failedFactors(later)).toEqual(['epoch.valid'])
    const much = await verifyEvidence(vector.bundle, { ...options, now: () => vector.now + 31 * 86_400_000 })
    expect(failedFactors(much)).toEqual(['epoch.valid', 'collateral.fresh'])
  })
})
