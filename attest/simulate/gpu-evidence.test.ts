import { describe, expect, it } from 'vitest'
import { fromBase64, toBase64 } from '../bytes.ts'
import { createEvidence, type EvidenceBundle } from '../evidence/bundle.ts'
import { encodeClaims } from '../evidence/claims.ts'
import { NONCE, NOW, sampleClaims, simulatedWithoutLog } from '../evidence/testing.ts'
import { refusalReasons } from '../evidence/verdict.ts'
import { verifyEvidence } from '../evidence/verify.ts'
import { GPU_FACTORS } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import { NVIDIA_DEVICE_ROOT } from '../policy/presets.ts'
import { GPU_FORGERIES, type GpuForgery, SimulatedGpus, simulatedGpuPolicy } from './gpu.ts'
import { SimulatedTee } from './tee.ts'

const now = (): number => NOW
const gpus = SimulatedGpus.ephemeral({ now, count: 2, eat: true })
const claims = sampleClaims({ accelerators: [...gpus.accelerators], embedding: 'gpu' })

/** The policy of the whole installation, with GPUs demanded. */
function policyFor(tee: SimulatedTee, from: SimulatedGpus = gpus): Policy {
  const base = simulatedWithoutLog(tee.rootSha256)
  const gpu = { ...simulatedGpuPolicy(from.roots), required: true, drivers: ['580.*'], vbios: ['96.00.9f.*'] }
  return { ...base, gpu }
}

const teeWith = (evidence: (nonce: Uint8Array) => Promise<Uint8Array>): SimulatedTee =>
  SimulatedTee.ephemeral({ now, gpus: { evidence } })
const tee = teeWith((nonce) => gpus.evidence(nonce))
const evidenceOf = (of: SimulatedTee, said = claims): Promise<EvidenceBundle> =>
  createEvidence({ tee: of, nonce: NONCE, claims: encodeClaims(said) })
const judge = (bundle: EvidenceBundle, policy: Policy) =>
  verifyEvidence(bundle, { policy, now, nonce: NONCE })

describe('evidence of a simulated TEE with GPUs', () => {
  it('is accepted, with every GPU factor passed that applies', async () => {
    const verdict = await judge(await evidenceOf(tee), policyFor(tee))
    expect(refusalReasons(verdict)).toEqual([])
    const { accelerators, validUntil } = verdict.fields
    expect(accelerators?.map(({ deviceId }) => deviceId)).toEqual(
      gpus.accelerators.map(({ deviceId }) => deviceId),
    )
    expect(validUntil).toBeGreaterThan(NOW)
    const results = verdict.factors.filter(({ name }) => (GPU_FACTORS as readonly string[]).includes(name))
    const other = results.filter(({ result }) => result !== 'pass').map(({ name }) => name)
    expect(other).toEqual(['gpu.switch'])
    expect(results.find(({ name }) => name === 'gpu.devtools')?.result).toBe('pass')
  })

  // gpu.test.ts makes all of them; here a few go through the whole verdict.
  it.each<GpuForgery>([
    'other-root',
    'other-nonce',
    'rim-edited',
    'missing-device',
    'eat-refused',
    'ocsp-hold',
  ])('is refused with the forgery %s', async (forgery) => {
    const forged = teeWith((nonce) => gpus.evidence(nonce, forgery))
    const verdict = await judge(await evidenceOf(forged), policyFor(forged))
    expect(verdict.verdict).toBe('refuse')
    expect(refusalReasons(verdict).join()).toContain(GPU_FORGERIES[forgery])
  })

  it('is refused without the GPUs that are claimed, and with GPUs that are not', async () => {
    const bare = SimulatedTee.ephemeral({ now })
    expect((await judge(await evidenceOf(bare), policyFor(bare))).verdict).toBe('refuse')
    const unclaimed = await evidenceOf(tee, sampleClaims())
    expect((await judge(unclaimed, policyFor(tee))).verdict).toBe('refuse')
  })

  it('is refused with the GPUs of another machine, or of an earlier nonce', async () => {
    const other = SimulatedGpus.ephemeral({ now, count: 2 })
    const relayed = teeWith((nonce) => other.evidence(nonce))
    expect(refusalReasons(await judge(await evidenceOf(relayed), policyFor(relayed))).join()).toContain(
      'gpu.chain',
    )
    const pinned = await judge(await evidenceOf(relayed), policyFor(relayed, other))
    expect(refusalReasons(pinned).join()).toContain('gpu.complete')
    const old = await gpus.evidence(new Uint8Array(32))
    const stale = teeWith(async () => old)
    expect(refusalReasons(await judge(await evidenceOf(stale), policyFor(stale))).join()).toContain(
      'gpu.nonce',
    )
  })

  it('is refused when its GPU part is changed, taken away or exchanged behind the quote', async () => {
    const bundle = await evidenceOf(tee)
    const again = await evidenceOf(tee)
    const bytes = fromBase64(bundle.gpu ?? '')
    const { gpu: _, ...without } = bundle
    const changed = [
      { ...bundle, gpu: toBase64(bytes.with(200, (bytes[200] ?? 0) ^ 1)) },
      { ...bundle, gpu: again.gpu },
      without,
    ]
    for (const bent of changed) {
      const verdict = await judge(bent as EvidenceBundle, policyFor(tee))
      expect(refusalReasons(verdict).join()).toContain('reportdata.binding')
    }
  })

  it('never passes for hardware, nor hardware for it', async () => {
    const bundle = await evidenceOf(tee)
    const policy = policyFor(tee)
    const asHardware = { roots: [{ sha256: gpus.rootSha256, kind: 'nvidia' as const }] }
    const rimAsHardware = { rimRoots: [{ sha256: gpus.rimRootSha256, kind: 'nvidia' as const }] }
    const real = { roots: [{ sha256: NVIDIA_DEVICE_ROOT, kind: 'nvidia' as const }] }
    for (const change of [asHardware, rimAsHardware, real]) {
      const gpu = { ...policy.gpu, ...change } as Policy['gpu']
      expect((await judge(bundle, { ...policy, gpu })).verdict).toBe('refuse')
    }
  })

  it('cannot be judged by a policy that pins no GPU', async () => {
    const { gpu: _, ...policy } = policyFor(tee)
    expect(refusalReasons(await judge(await evidenceOf(tee), policy)).join()).toContain('gpu.chain')
  })
})
