/** Cases about the bundle around a quote: binding, freshness, claims, event log. */

import { concat, toBase64, toHex, utf8 } from '../bytes.ts'
import { type Claims, epochId } from '../evidence/claims.ts'
import type { CaseSpec, CaseTable } from './case-spec.ts'
import { digest } from './digest.ts'
import { EVENT_LOG_CASES } from './eventlog.ts'

const OTHER_NONCE = digest('sha256', 'chrysalis/simulated/other-nonce')

/** A case in which the claims say something else, bound and measured as they are. */
function claims(
  failed: NonNullable<CaseSpec['failed']>,
  summary: string,
  change: (claims: Claims, now: number) => Partial<Claims>,
  policy: CaseSpec['policy'] = {},
): CaseSpec {
  return { summary, failed, policy, claims: (good, { now }) => ({ ...good, ...change(good, now) }) }
}

const epoch = (change: (now: number) => Partial<Claims['epoch']>) => (good: Claims, now: number) => ({
  epoch: { ...good.epoch, ...change(now) },
})

const eventLogs: CaseTable = Object.fromEntries(
  Object.entries(EVENT_LOG_CASES).map(([name, { fails, why, make }]) => [
    name,
    {
      summary: `an event log that lies: ${why}`,
      failed: fails,
      bundle: (bundle, { boot }) => ({ ...bundle, eventLog: toBase64(make(boot)) }),
    } satisfies CaseSpec,
  ]),
)

export const BUNDLE_CASES: CaseTable = {
  'report-data': {
    summary: 'claims that the quote was not made for',
    failed: ['reportdata.binding'],
    bundle: (bundle, context) => ({
      ...bundle,
      claims: toBase64(utf8(JSON.stringify({ ...context.claims, payoutAddress: 'of somebody else' }))),
    }),
  },
  'epoch-key-swapped': {
    summary: 'an epoch key that the quote was not made for',
    failed: ['reportdata.binding'],
    bundle: (bundle, context) => {
      const publicKey = concat(digest('sha256', 'another key'), new Uint8Array(1216 - 32))
      const swapped = {
        ...context.claims.epoch,
        publicKey: toBase64(publicKey),
        id: toHex(epochId(publicKey)),
      }
      return { ...bundle, claims: toBase64(utf8(JSON.stringify({ ...context.claims, epoch: swapped }))) }
    },
  },
  'old-nonce': {
    summary: 'evidence made for the nonce of an earlier question',
    failed: ['evidence.freshness'],
    madeFor: OTHER_NONCE,
  },
  'nonce-overwritten': {
    summary: 'old evidence with the new nonce written over the old',
    failed: ['reportdata.binding'],
    madeFor: OTHER_NONCE,
    bundle: (bundle, { nonce }) => ({ ...bundle, nonce: toBase64(nonce) }),
  },
  'calls-itself-tdx': {
    summary: 'a simulation that calls itself hardware',
    failed: ['anchor.kind'],
    bundle: (bundle) => ({ ...bundle, tee: 'tdx' }),
  },
  'bundle-format': {
    summary: 'a bundle of another format',
    failed: ['bundle.format'],
    bundle: (bundle) => ({ ...bundle, format: 'chrysalis/evidence/0' as never }),
  },
  'claims-format': {
    summary: 'claims that are not JSON',
    failed: ['claims.format', 'reportdata.binding'],
    bundle: (bundle) => ({ ...bundle, claims: toBase64(utf8('role: worker')) }),
  },
  'role-gateway': claims(
    ['role.expected'],
    'a gateway where a worker is expected',
    () => ({ role: 'gateway' }),
    { roles: ['worker'] },
  ),
  'epoch-over': claims(
    ['epoch.valid'],
    'an epoch that is over',
    epoch((now) => ({ notBefore: now - 600_000, notAfter: now })),
  ),
  'epoch-to-come': claims(
    ['epoch.valid'],
    'an epoch that has not begun',
    epoch((now) => ({ notBefore: now + 60_000, notAfter: now + 600_000 })),
  ),
  'epoch-too-long': claims(
    ['epoch.valid'],
    'an epoch that is longer than epoch keys live',
    epoch((now) => ({ notBefore: now - 60_000, notAfter: now + 600_000 })),
  ),
  'epoch-id': claims(
    ['epoch.valid'],
    'an epoch id that is not the digest of its key',
    epoch(() => ({ id: '00'.repeat(16) })),
  ),
  'model-not-allowed': {
    summary: 'a model with another digest than the policy allows',
    failed: ['model.allowed'],
    policy: ({ claims: { models } }) => ({
      models: Object.fromEntries(models.map(({ id }) => [id, ['00'.repeat(32)]])),
    }),
  },
  'good-model-allowed': {
    summary: 'good evidence: the policy names the model and its digest',
    policy: ({ claims: { models } }) => ({
      models: Object.fromEntries(models.map(({ id, sha256 }) => [id, [sha256]])),
    }),
  },
  'software-not-allowed': {
    summary: 'a software version that the policy does not allow',
    failed: ['software.allowed'],
    policy: { software: ['9.9.9'] },
  },
  'registry-other': {
    summary: 'an enclave that follows another registry',
    failed: ['registry.expected'],
    policy: { registry: { globalId: -239, address: '' } },
  },
  'registry-snapshot': {
    summary: 'a registry snapshot, which nobody here can judge yet',
    failed: ['registry.allowed'],
    bundle: (bundle) => ({ ...bundle, registrySnapshot: toBase64(utf8('{}')) }),
  },
  'token-access': claims(
    ['sidechannel.token-access'],
    'an embedding table that is said to lie on a GPU, where no GPU is claimed',
    () => ({ embedding: 'gpu' }),
  ),
  'eventlog-missing': {
    summary: 'evidence without the event log that the policy asks for',
    missing: ['eventlog.format', 'eventlog.replay', 'eventlog.digests', 'eventlog.claims'],
    bundle: ({ eventLog: _, ...rest }) => rest,
  },
  'eventlog-other-model': {
    summary: 'a TD that measured another model than it claims',
    failed: ['eventlog.claims'],
    boot: ({ software, events }) => ({
      software,
      events: events.map(({ name, payload }) =>
        name === 'chrysalis.model' ? { name, payload: utf8('{"id":"other"}') } : { name, payload },
      ),
    }),
  },
  ...eventLogs,
}
