/** Which addresses may be asked: https, or http where nothing can sit in between. */

import { CollateralError } from './errors.ts'

/** Intel's Provisioning Certification Service. */
export const INTEL_PCS = 'https://api.trustedservices.intel.com'

/** Whether a setting names a service, and not a file or a folder. */
export function isWebAddress(place: string): boolean {
  return /^https?:\/\//i.test(place)
}

export interface Endpoint {
  /** Without a slash at the end. */
  base: string
  kind: 'pcs' | 'pccs'
}

/** The base of all URLs, and which of the two services is there. Throws CollateralError `ERR_COLLATERAL_URL`. */
export function baseOf(baseUrl: string, plainHosts: readonly string[]): Endpoint {
  const url = checkedUrl(baseUrl, plainHosts)
  if (url.search !== '' || url.hash !== '') throw refuse(baseUrl, 'a base URL has no query')
  const path = url.pathname.replace(/\/+$/, '').replace(/\/(?:sgx|tdx)\/certification\/v4$/, '')
  return { base: `${url.origin}${path}`, kind: url.origin === INTEL_PCS ? 'pcs' : 'pccs' }
}

/** A URL that may be asked. Throws CollateralError `ERR_COLLATERAL_URL`. */
export function checkedUrl(text: string, plainHosts: readonly string[]): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) throw refuse(text, 'it is not a URL')
  // The text is not shown: it has a password in it.
  if (url.username !== '' || url.password !== '')
    throw refuse(url.host, 'a URL with a user name is not taken; let your fetch send credentials')
  if (url.protocol === 'https:') return url
  if (url.protocol === 'http:' && (isLoopback(url.hostname) || plainHosts.includes(url.host))) return url
  throw refuse(text, 'it must be https (or name its host in plainHosts)')
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

function refuse(what: string, problem: string): CollateralError {
  return new CollateralError('ERR_COLLATERAL_URL', `collateral from ${what}: ${problem}`)
}
