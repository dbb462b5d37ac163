/** A certificate authority and its OCSP answers, bent as a test wants them. */

import { Factors } from '../policy/factors.ts'
import { FOREVER, makeGpuCertificate, newGpuKey } from '../simulate/gpu-certificates.ts'
import { makeOcspResponse, makeResponder, type OcspSpec } from '../simulate/gpu-ocsp.ts'
import { type Certificate, der, derOid, parseCertificate, TAG } from '../x509/index.ts'
import { judgeOcsp, type OcspInput } from './ocsp.ts'
import { OCSP_OID } from './ocsp-message.ts'

export const NOW = Date.UTC(2026, 10, 23)
export const HOUR = 3_600_000

export const keys = { root: newGpuKey(), ca: newGpuKey(), leaf: newGpuKey() }
type Role = keyof typeof keys
export const name = (role: Role) => ({ commonName: `Simulated ${role}` })

function issue(subject: Role, issuer: Role, ca: boolean): Certificate {
  const dates = { notBefore: NOW - HOUR, notAfter: FOREVER }
  const bytes = makeGpuCertificate({
    subject: name(subject),
    issuer: name(issuer),
    subjectKey: keys[subject],
    issuerKey: keys[issuer],
    ca,
    ...dates,
  })
  return parseCertificate(bytes, 'P-384')
}

export const root = issue('root', 'root', true)
export const ca = issue('ca', 'root', true)
export const leaf = issue('leaf', 'ca', false)
/** A RIM chain: leaf and CA are asked about, the root is not. */
export const rimChains = [[leaf, ca, root]]
export const leafPair = { certificate: leaf, issuer: ca }
export const caPair = { certificate: ca, issuer: root }
export const fresh = { thisUpdate: NOW - HOUR, nextUpdate: NOW + HOUR }
export const byRoot = makeOcspResponse({ pairs: [caPair], ...fresh }, { key: keys.root })

export function aboutLeaf(
  spec: Partial<OcspSpec> = {},
  signer: Parameters<typeof makeOcspResponse>[1] = { key: keys.ca },
) {
  return makeOcspResponse({ pairs: [leafPair], ...fresh, ...spec }, signer)
}

export const signing = der(TAG.sequence, derOid(OCSP_OID.signing))
export const SIGNS = Uint8Array.of(7, 0x80)
export const responder = (changes: Parameters<typeof makeResponder>[2]) =>
  makeResponder({ name: name('ca'), key: keys.ca }, NOW, changes)

export async function judge(input: Partial<OcspInput>): Promise<string> {
  return (await judged(input)).result
}

export async function judged(
  input: Partial<OcspInput>,
): Promise<{ result: string; until: number | undefined }> {
  const factors = new Factors()
  const until = await judgeOcsp(factors, { deviceChains: [], rimChains, now: NOW, ...input })
  const [factor] = factors.list(['gpu.ocsp'])
  return { result: `${factor?.result}: ${factor?.reason}`, until }
}
