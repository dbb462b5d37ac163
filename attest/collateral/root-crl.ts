/** Where a root CA says that its revocation list is: the CRL distribution point of its certificate (RFC 5280, 4.2.1.13). */

import { fromUtf8 } from '../bytes.ts'
import { DerReader, OID, parseChain, TAG, X509Error } from '../x509/index.ts'
import { CollateralError } from './errors.ts'

/** Where Intel's distribution points are. No other host is asked: the certificate that names it is not verified yet. */
const DISTRIBUTION_HOST = 'certificates.trustedservices.intel.com'

/** DistributionPoint.distributionPoint, DistributionPointName.fullName, GeneralName.uniformResourceIdentifier. */
const CONTEXT = { point: 0xa0, fullName: 0xa0, uri: 0x86 } as const

/** The list's URL as the last certificate of this chain (PEM) gives it. Throws CollateralError or X509Error. */
export function rootCrlUrl(chain: string): URL {
  const root = parseChain(chain).at(-1)
  const extension = root?.extensions.get(OID.crlDistributionPoints)
  if (extension === undefined) throw refuse('the root certificate names no distribution point')
  const text = firstUri(extension.value)
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'https:' || url.host !== DISTRIBUTION_HOST)
    throw refuse(`the distribution point of the root certificate is not at https://${DISTRIBUTION_HOST}`)
  return url
}

function firstUri(value: Uint8Array): string {
  const points = DerReader.only(value, 'CRL distribution points')
  const name = points
    .open(TAG.sequence, 'distribution point')
    .open(CONTEXT.point, 'distribution point')
    .open(CONTEXT.fullName, 'distribution point name')
    .next(CONTEXT.uri)
  try {
    return fromUtf8(name.value)
  } catch {
    throw new X509Error('CRL distribution points: not a text')
  }
}

function refuse(problem: string): CollateralError {
  return new CollateralError('ERR_COLLATERAL_ANSWER', `root CA CRL: ${problem}; set rootCrlUrl`)
}
