import { expect, it } from 'vitest'
import { measuredTee, NONCE, NOW } from '../evidence/testing.ts'
import { verifyParts } from '../evidence/verify.ts'
import { encodeGpuDocument, parseGpuDocument } from '../gpu/document.ts'
import { GPU_FACTORS } from '../policy/factors.ts'
import { platform, simulated } from '../policy/presets.ts'
import { SimulatedGpus, simulatedGpuPolicy } from '../simulate/gpu.ts'
import { verdictText } from './judgement.ts'

const tee = measuredTee()
const gpus = SimulatedGpus.ephemeral({ now: () => NOW })
const policy = {
  ...simulated(tee.rootSha256),
  freshness: ['none' as const],
  gpu: simulatedGpuPolicy(gpus.roots),
  skip: [...platform().skip, ...GPU_FACTORS],
}
const collateral = await tee.collateral()
const quote = await tee.quote(new Uint8Array([...NONCE, ...new Uint8Array(32)]))
const gpu = await gpus.evidence(NONCE)
const bare = encodeGpuDocument({ ...parseGpuDocument(gpu), rims: [] })

const NOTHING = 'bound to nothing: its reports may be old, and of another machine'
const NONCE_ALONE = 'bound to the nonce alone: its reports may be of another machine'
const DEVTOOLS = 'Whether development tools are switched on in the GPUs is unknown'

it.each<[string, Parameters<typeof verifyParts>[0], Uint8Array | undefined, string[]]>([
  ['a quote', { quote, collateral }, undefined, []],
  ["a quote and anybody's GPU", { quote, collateral, gpu }, undefined, [NOTHING]],
  ['a quote and a GPU of one nonce', { quote, collateral, gpu }, NONCE, [NONCE_ALONE]],
  ['and a GPU without its manifests', { quote, collateral, gpu: bare }, undefined, [NOTHING, DEVTOOLS]],
])('an acceptance says what it leaves open: %s', async (_name, parts, nonce, sentences) => {
  const verdict = await verifyParts(parts, { policy, now: () => NOW, ...(nonce && { nonce }) })
  const text = verdictText(verdict, { subject: 'files', policy: policy.name, at: NOW }, { colour: false })
  expect(text).toMatch(/^ACCEPTED/m)
  for (const sentence of [NOTHING, NONCE_ALONE, DEVTOOLS])
    expect([sentence, text.includes(sentence)]).toEqual([sentence, sentences.includes(sentence)])
})
