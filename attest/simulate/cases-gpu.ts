/** Cases about accelerators: simulated GPUs and switches, each forgery of their evidence, and their binding to the TD. */

import { fromBase64, toBase64, utf8 } from '../bytes.ts'
import { type FactorName, GPU_FACTORS } from '../policy/factors.ts'
import type { CaseSpec, CaseTable } from './case-spec.ts'
import { measurements } from './cases-td.ts'
import { GPU_FORGERIES, type GpuForgery } from './gpu.ts'

/** What fails besides the factor that a forgery is about. */
const TOGETHER: Partial<Record<GpuForgery, readonly FactorName[]>> = {
  'rim-mismatch': ['gpu.devtools'],
  devtools: ['gpu.rim'],
  'duplicate-device': ['gpu.complete'],
}

const SUMMARIES: Record<GpuForgery, string> = {
  'bad-signature': 'a GPU report of which one bit of the signature was changed',
  'other-nonce': 'a GPU report for another nonce',
  'other-root': 'a GPU that was certified under another root',
  'missing-intermediate': 'a GPU chain that lacks the certificate of its provisioner',
  'other-firmware': 'a GPU whose report names another firmware than it was certified for',
  'rim-mismatch': 'a GPU of which one measurement differs from the reference values',
  devtools: 'a GPU with debugging open',
  'rim-edited': 'reference values that were edited after they were signed, to fit a measurement',
  'rim-other-root': 'reference values that somebody else signed',
  'old-driver': 'a driver that the policy does not allow',
  'old-vbios': 'a VBIOS that the policy does not allow',
  'other-mode': 'a GPU in another mode of confidential computing than the claims say',
  'duplicate-device': 'one GPU that stands in for two',
  'missing-device': 'a claimed GPU that gives no report',
  'extra-device': 'a GPU that gives a report and is not claimed',
  'missing-switch': 'a switch between the GPUs that gives no report',
  'eat-refused': 'an attestation service that refuses the GPU, in a correctly signed token',
  'eat-other-nonce': 'tokens of an attestation service about another nonce',
  'eat-forged': 'tokens signed by a key that nobody certified',
  'ocsp-hold': 'a GPU certificate that is on hold',
  'ocsp-revoked': 'a certificate of the reference values that was revoked',
  'ocsp-unknown': 'a certificate that its responder does not know',
  'ocsp-stale': 'OCSP answers that have run out',
  'ocsp-forged': 'an OCSP answer signed by a key that no CA certified',
}

const forgeries: CaseTable = Object.fromEntries(
  Object.entries(GPU_FORGERIES).map(([name, factor]) => {
    const forgery = name as GpuForgery
    const switches = forgery === 'missing-switch' ? { switches: 2 } : {}
    return [
      `gpu-${name}`,
      {
        summary: SUMMARIES[forgery],
        failed: [factor, ...(TOGETHER[forgery] ?? [])],
        gpus: { count: 2, ...switches },
        gpuForgery: forgery,
      } satisfies CaseSpec,
    ]
  }),
)

export const GPU_CASES: CaseTable = {
  'good-gpu': { summary: 'good evidence: a TD with one GPU', gpus: {} },
  'good-gpu-blackwell': {
    summary: 'good evidence: a TD with one GPU of the Blackwell generation',
    gpus: { arch: 'BLACKWELL' },
  },
  'good-gpu-tokens': {
    summary: 'good evidence: two GPUs, with tokens of an attestation service',
    gpus: { count: 2, eat: true },
  },
  'good-gpu-switches': {
    summary: 'good evidence: two GPUs with two switches between them, whose reports carry no firmware id',
    gpus: { count: 2, switches: 2 },
    skip: ['gpu.fwid'],
  },
  'good-strict': {
    summary:
      'good evidence under a policy that pins measurements, model, software, registry and GPUs, and skips nothing',
    gpus: { count: 2, eat: true },
    claims: (claims) => ({ ...claims, embedding: 'gpu' }),
    gpuPolicy: { required: true },
    policy: (context) => {
      const { models, software, registry } = context.claims
      return {
        roles: ['worker'],
        measurements: measurements(context),
        models: Object.fromEntries(models.map(({ id, sha256 }) => [id, [sha256]])),
        software: [software.version],
        registry,
        skip: [],
      }
    },
  },
  'strict-without-pins': {
    summary: 'good evidence under a policy that skips nothing and pins nothing: it cannot be accepted',
    missing: [
      'configuration.allowed',
      'measurement.allowed',
      'measurement.complete',
      'model.allowed',
      'software.allowed',
      'registry.expected',
      'registry.allowed',
      'sidechannel.token-access',
    ],
    policy: { skip: [] },
  },
  'gpu-evidence-missing': {
    summary: 'a claimed GPU without any evidence',
    failed: ['reportdata.binding', ...GPU_FACTORS],
    gpus: {},
    bundle: ({ gpu: _, ...rest }) => rest,
  },
  'gpu-evidence-not-claimed': {
    summary: 'evidence of a GPU where none is claimed, and that the quote was not made for',
    failed: ['reportdata.binding'],
    bundle: (bundle) => ({ ...bundle, gpu: toBase64(utf8('{}')) }),
  },
  'gpu-evidence-changed': {
    summary: 'GPU evidence that the quote was not made for: one space was added',
    failed: ['reportdata.binding'],
    gpus: {},
    bundle: (bundle) => ({
      ...bundle,
      gpu: toBase64(Uint8Array.of(...fromBase64(bundle.gpu ?? ''), 0x20)),
    }),
  },
  'gpu-root-not-pinned': {
    summary: 'GPUs of another installation than the policy pins',
    failed: ['gpu.chain'],
    gpus: {},
    gpuPolicy: { roots: [{ sha256: '00'.repeat(32), kind: 'simulated' }] },
  },
  'gpu-required': {
    summary: 'a worker without a GPU, where the policy demands one',
    failed: ['gpu.complete'],
    gpuPolicy: { required: true },
  },
  ...forgeries,
}
