/** Tokens in words: NVIDIA's entity attestation tokens (EAT) and the keys that sign them. */

import { fromBase64Url, fromUtf8 } from '../bytes.ts'
import { addSection, attempt, newReport, type Report, row } from './report.ts'
import { count, date, isText } from './text.ts'

const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/** Whether a text is a JSON Web Token by its form. */
export function looksLikeJwt(text: string): boolean {
  return text.startsWith('eyJ') && JWT.test(text)
}

/** Whether a JSON value is a detached EAT bundle: `[["JWT", overall], {"GPU-0": token, …}]`. */
export function isEatBundle(json: unknown): json is [['JWT', string], Record<string, string>] {
  if (!Array.isArray(json) || json.length !== 2) return false
  const [head, devices] = json as [unknown, unknown]
  const overall = Array.isArray(head) && head[0] === 'JWT' && typeof head[1] === 'string'
  return overall && typeof devices === 'object' && devices !== null && Object.values(devices).every(isText)
}

/** Whether a JSON value is the claims of a device, taken out of their token. */
export function looksLikeDeviceClaims(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && 'measres' in json && 'eat_nonce' in json
}

/** Explains claims without their token. */
export function inspectDeviceClaims(claims: Record<string, unknown>, title: string): Report {
  const report = newReport('eat', title)
  addSection(report, 'claims', Object.entries(claims).map(asRow))
  report.problems.push('these are claims without their token: nobody signed them, so they prove nothing')
  return report
}

/** Explains one token. */
export async function inspectJwt(token: string, now: number, title = 'a token'): Promise<Report> {
  const report = newReport('eat', title)
  const [head = '', body = ''] = token.split('.')
  const header = await attempt(report, 'header', () => object(head))
  const claims = await attempt(report, 'claims', () => object(body))
  if (header !== undefined) addSection(report, 'header', Object.entries(header).map(asRow))
  if (claims === undefined) return report
  addSection(report, 'claims', Object.entries(claims).map(asRow))
  const key = typeof header?.kid === 'string' ? ` ${header.kid}` : ''
  const issuer = typeof claims.iss === 'string' ? ` of ${claims.iss}` : ''
  report.signatures.push(`the token: by the key${key}${issuer}`)
  if (header?.alg !== 'ES384') report.problems.push('header: the algorithm is not ES384')
  if (typeof claims.exp === 'number' && claims.exp * 1000 < now) report.problems.push('the token has expired')
  if (typeof claims.nbf === 'number' && claims.nbf * 1000 > now)
    report.problems.push('the token is not valid yet')
  if (claims['x-nvidia-overall-att-result'] === false)
    report.problems.push('NVIDIA says that the attestation failed, and signed that')
  if (claims['x-nvidia-error-details'] !== undefined)
    report.problems.push(`NVIDIA reports an error: ${JSON.stringify(claims['x-nvidia-error-details'])}`)
  return report
}

/** Explains a detached EAT bundle. */
export async function inspectEat(
  [[, overall], devices]: [['JWT', string], Record<string, string>],
  now: number,
): Promise<Report> {
  const names = Object.keys(devices)
  const of = count(names.length, 'device')
  const report = newReport(
    'eat',
    `a verdict on ${of} in the form of NVIDIA's tokens; who gave it, and whether it is signed, is below`,
  )
  report.parts.push(await inspectJwt(overall, now, 'the overall token'))
  for (const name of names)
    report.parts.push(await inspectJwt(devices[name] ?? '', now, `the token of ${name}`))
  return report
}

/** Explains a set of public keys. */
export function inspectJwks({ keys }: { keys: unknown[] }): Report {
  const report = newReport('jwks', `a set of ${count(keys.length, 'public key')}`)
  addSection(
    report,
    'keys',
    keys.map((key) => {
      const { kid, kty, crv } = (key ?? {}) as Record<string, unknown>
      return row(String(kid), `${String(kty)} ${String(crv ?? '')}`.trim())
    }),
  )
  report.signatures.push('the set: by nobody; it must have come over a connection that was checked')
  return report
}

function asRow([name, value]: [string, unknown]): ReturnType<typeof row> {
  if (typeof value === 'number' && ['exp', 'iat', 'nbf'].includes(name)) return row(name, date(value * 1000))
  return row(name, typeof value === 'string' ? value : JSON.stringify(value))
}

function object(part: string): Record<string, unknown> {
  const value: unknown = JSON.parse(fromUtf8(fromBase64Url(part)))
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError('not an object')
  return value as Record<string, unknown>
}
