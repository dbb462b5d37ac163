/** Requests as bytes: HTTP that is right around a body that is not, and HTTP that is wrong itself. */

import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { concat, utf8 } from '../../attest/bytes.ts'
import { mutate, type Random } from '../../attest/fuzz/mutate.ts'
import { type Bodies, pick } from './bodies.ts'
import { CANARY, type Face, PATHS_OF_GET, type Route } from './routes.ts'

/** One request, good or not. */
export interface Shot {
  /** For the summary. */
  readonly kind: string
  /** The errors of one of these are due. */
  readonly faces: readonly Face[]
  readonly method: string
  /** Written one after the other, a turn of the event loop apart. */
  readonly pieces: readonly Uint8Array[]
  /**
   * `shared`: the HTTP is right, so that others may come before and after it on one connection. `alone`: an answer
   * comes, then the client hangs up. `partial`: the client hangs up in the middle; nothing need be answered.
   */
  readonly connection: 'shared' | 'alone' | 'partial'
}

/** A route with what makes its bodies. */
export interface Target {
  readonly route: Route
  readonly bodies: Bodies
}

export interface Aim {
  readonly targets: readonly Target[]
  /** `host:port`. */
  readonly host: string
  /** An API key that is good. */
  readonly secret: string
}

type Maker = (target: Target, aim: Aim, random: Random) => Shot

const ALL_FACES: readonly Face[] = ['openai', 'deepl', 'libretranslate']

const CODINGS = { gzip: gzipSync, 'x-gzip': gzipSync, deflate: deflateSync, br: brotliCompressSync }

const body: Maker = (target, aim, random) => posted('body', target, aim, target.bodies.make(random))

/** Forms, for the faces that take them. */
const form: Maker = (target, aim, random) => {
  const names = Object.keys(target.route.good[0] ?? {})
  const pairs = Array.from(
    { length: random(6) },
    () => `${pick(names, random)}=${pick([CANARY, 'de', '%ff', '%', '1', '+', '%00', '[]'], random)}`,
  )
  const bytes = random(2) === 0 ? mutate([utf8(pairs.join('&'))], random) : utf8(pairs.join('&'))
  return posted('form', target, aim, bytes, ['content-type: application/x-www-form-urlencoded'])
}

const coded: Maker = (target, aim, random) => {
  const coding = pick(Object.keys(CODINGS) as (keyof typeof CODINGS)[], random)
  const sent = random(20) === 0 ? bomb(coding) : new Uint8Array(CODINGS[coding](target.bodies.make(random)))
  const bytes = random(3) === 0 ? mutate([sent], random) : sent
  const name =
    random(8) === 0 ? pick(['gzip, gzip', 'zstd', '__proto__', CANARY, '', 'GZIP'], random) : coding
  return posted('coding', target, aim, bytes, [...JSON_TYPE, `content-encoding: ${name}`])
}

const bombs = new Map<string, Uint8Array>()

/** A few kilobytes that decode to four megabytes. */
function bomb(coding: keyof typeof CODINGS): Uint8Array {
  const known = bombs.get(coding) ?? new Uint8Array(CODINGS[coding](new Uint8Array(4 << 20)))
  bombs.set(coding, known)
  return known
}

const headers: Maker = (target, aim, random) => {
  const odd = Array.from({ length: 1 + random(3) }, () => pick(ODD_HEADERS, random))
  return posted('headers', target, aim, target.bodies.make(random), [...JSON_TYPE, ...odd])
}

const keys: Maker = (target, aim, random) => {
  const { route } = target
  const bytes = target.bodies.make(random)
  const key = pick(
    [
      `Bearer sk-${CANARY}`,
      CANARY,
      '',
      'Bearer',
      `Basic ${CANARY}`,
      `Bearer ${'k'.repeat(9000)}`,
      'bearer \t x',
    ],
    random,
  )
  const lines = [...JSON_TYPE, `authorization: ${key}`, `x-api-key: ${CANARY}`].slice(0, 2 + random(2))
  return { ...shot('keys', route), pieces: [request(route.path, bytes, aim.host, lines)] }
}

/** A body in chunks, some with extensions and trailers; sent in pieces. */
const chunked: Maker = (target, aim, random) => {
  const extension = pick(['', `;a=${CANARY}`, ';a="b;c"', ` ; ${'x'.repeat(100)}`], random)
  const trailer = pick(['', 'x-after: 1\r\n', 'content-length: 5\r\n', 'authorization: Bearer x\r\n'], random)
  const parts = [head(target, aim, ['transfer-encoding: chunked'])]
  for (let rest = target.bodies.make(random); rest.length > 0; ) {
    const part = rest.subarray(0, 1 + random(Math.max(rest.length, 64)))
    parts.push(utf8(`${part.length.toString(16)}${extension}\r\n`), part, utf8('\r\n'))
    rest = rest.subarray(part.length)
  }
  const pieces = [...parts, utf8(`0\r\n${trailer}\r\n`)]
  // A whole body of single bytes would only be slow.
  const few = pieces.length > 20 ? [concat(...pieces)] : pieces
  return { ...shot('chunked', target.route), pieces: few, connection: 'alone' }
}

const BAD_CHUNKS = ['-1', 'fffffffffffffffff', 'g', '0x5', '', '5;\0', `5\r\nabc`, '7fffffff', '5 5', '5\n']

const badChunks: Maker = (target, aim, random) => {
  const text = `${pick(BAD_CHUNKS, random)}\r\n${CANARY}\r\n0\r\n\r\n`
  const bytes = concat(head(target, aim, ['transfer-encoding: chunked']), utf8(text))
  return { ...shot('bad-chunks', target.route), pieces: [bytes], connection: 'partial' }
}

/** Content-Length that is not the body's: too long, too short, twice, no number, besides chunks. */
const lengths: Maker = (target, aim, random) => {
  const bytes = target.bodies.make(random)
  const { length } = bytes
  const lines = pick(
    [
      [`content-length: ${length + 1 + random(50)}`],
      [`content-length: ${random(length + 1)}`],
      [`content-length: ${length}`, `content-length: ${length + 1}`],
      [`content-length: ${length}`, `content-length: ${length}`],
      [`content-length: ${length}`, 'transfer-encoding: chunked'],
      ['content-length: -1'],
      ['content-length: 99999999999999999999'],
      [`content-length: ${length}x`],
      [`content-length: +${length}`],
      ['transfer-encoding: gzip'],
      ['transfer-encoding: chunked, identity'],
      [],
    ],
    random,
  )
  const sent = concat(head(target, aim, lines), bytes)
  return { ...shot('lengths', target.route), pieces: [sent], connection: 'partial' }
}

/** Whole requests, changed as bytes or cut off. */
const bytes: Maker = (target, aim, random) => {
  const whole = request(target.route.path, target.bodies.make(random).slice(0, 200), aim.host, [
    ...JSON_TYPE,
    keyLine(target.route, aim),
  ])
  const sent = random(3) === 0 ? whole.slice(0, random(whole.length)) : mutate([whole], random)
  // Changed bytes may be another path.
  return { ...shot('bytes', target.route), faces: ALL_FACES, pieces: [sent], connection: 'partial' }
}

const START_LINES = [
  'GET / HTTP/0.9',
  'GET /v1/models HTTP/1.0',
  'GET /v1/models HTTP/2.0',
  'PRI * HTTP/2.0',
  'OPTIONS * HTTP/1.1',
  'CONNECT localhost:1 HTTP/1.1',
  'TRACE / HTTP/1.1',
  'get /v1/models HTTP/1.1',
  `GET http://other.example/v1/models?${CANARY} HTTP/1.1`,
  'GET //v1//models HTTP/1.1',
  'GET /v1/models/%ff%00%zz HTTP/1.1',
  'GET /v1/models/..%2f..%2f HTTP/1.1',
  'GET /\0 HTTP/1.1',
  'GET /v1/models',
  'POST /v1/chat/completions HTTP/1.1 x',
  `GET /${'a'.repeat(20_000)} HTTP/1.1`,
  `GET /${'a'.repeat(9_000)} HTTP/1.1`,
  `GET /v2/${'a'.repeat(9_000)} HTTP/1.1`,
  'GET /%F0%9F%A6%80 HTTP/1.1',
  'GET /\u{1f980} HTTP/1.1',
  `${'X'.repeat(300)} / HTTP/1.1`,
  'M-SEARCH /v1/models HTTP/1.1',
  'DELETE /v2/translate HTTP/1.1',
  'BREW /translate HTTP/1.1',
]

const HEAD_LINES = [
  'host: a\r\nhost: b',
  'host: ',
  'host: \u{1f980}',
  'host: a b',
  `x: ${'a'.repeat(70_000)}`,
  Array.from({ length: 3000 }, (_, index) => `x-${index}: a`).join('\r\n'),
  'x : y',
  ': y',
  'x: a\r\n b: folded',
  'x: a\rb',
  'x: a\nauthorization: Bearer b',
  'x: a\0b',
  'x\u00e9: a',
  'authorization: Bearer a\r\nauthorization: Bearer b',
  'transfer-encoding: chunked\r\ntransfer-encoding: identity',
  'connection: upgrade\r\nupgrade: h2c',
  'connection: upgrade\r\nupgrade: websocket',
  'connection: close, keep-alive, \0',
  'expect: 200-ok',
  'no colon here',
]

const heads: Maker = (target, aim, random) => {
  const line = random(2) === 0 ? pick(START_LINES, random) : `GET ${pick(PATHS_OF_GET, random)[0]} HTTP/1.1`
  const lines = random(3) === 0 ? [] : [pick(HEAD_LINES, random)]
  const host = random(8) === 0 ? [] : [`host: ${aim.host}`]
  const text = [line, ...host, keyLine(target.route, aim), ...lines, '', ''].join('\r\n')
  return {
    ...shot('heads', target.route),
    faces: ALL_FACES,
    method: line.split(' ')[0] ?? '',
    pieces: [utf8(text)],
    connection: 'partial',
  }
}

/** Other methods on every path, and every path with something more behind it. */
const methods: Maker = ({ route }, aim, random) => {
  const method = pick(['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'POST', 'QUERY'], random)
  const [path, face] = random(2) === 0 ? pick(PATHS_OF_GET, random) : ([route.path, route.face] as const)
  const more = pick(
    ['', '', '/', '/..', '?x=%ff', `?nonce=${CANARY}`, '%00', '/%2e', '/x'.repeat(50), '?type=a'],
    random,
  )
  // What is behind a path may make it one of no face; other methods of a face may not be known at all.
  const faces = method === 'POST' && (more === '' || more.startsWith('?')) ? [face] : ALL_FACES
  const lines = [`host: ${aim.host}`, keyLine({ face }, aim)]
  const text = [`${method} ${path}${more} HTTP/1.1`, ...lines, 'content-length: 0', '', ''].join('\r\n')
  return { kind: 'methods', faces, method, pieces: [utf8(text)], connection: 'shared' }
}

/** A good connection that ends within the body, or is closed on the client's side at once after it. */
const halves: Maker = (target, aim, random) => {
  const whole = request(target.route.path, target.bodies.make(random), aim.host, [
    ...JSON_TYPE,
    keyLine(target.route, aim),
  ])
  const cut = random(2) === 0 ? whole.length : random(whole.length)
  const middle = random(cut + 1)
  const pieces = [whole.subarray(0, middle), whole.subarray(middle, cut)]
  return { ...shot('halves', target.route), pieces, connection: 'partial' }
}

const JSON_TYPE = ['content-type: application/json']

const ODD_HEADERS = [
  'idempotency-key: a',
  `idempotency-key: ${CANARY}`,
  'idempotency-key: ',
  `idempotency-key: ${'a'.repeat(300)}`,
  'x-client-request-id: ok',
  `x-client-request-id: ${'a'.repeat(600)}`,
  'x-client-request-id: a b',
  'accept: text/html;q=0',
  'accept-encoding: br;q=x',
  'origin: https://page.example',
  'origin: null',
  'content-type: text/plain',
  'content-type: application/json; charset=utf-16',
  'expect: 100-continue',
  'if-none-match: *',
  'range: bytes=0-1',
  'x-forwarded-for: 1.2.3.4',
  'x-http-method-override: DELETE',
  'upgrade: h2c',
  'cookie: a=b',
  'openai-organization: o',
  'x-stainless-retry-count: 1e9',
  `referer: ${CANARY}`,
]

/** How often each kind comes, of about a hundred. */
const MAKERS: readonly (readonly [number, Maker])[] = [
  [70, body],
  [3, form],
  [4, coded],
  [4, headers],
  [2, keys],
  [4, methods],
  [3, chunked],
  [2, badChunks],
  [2, lengths],
  [2, bytes],
  [2, heads],
  [2, halves],
]
const TOTAL = MAKERS.reduce((sum, [weight]) => sum + weight, 0)

/** One request, from random numbers alone. */
export function makeShot(aim: Aim, random: Random): Shot {
  let at = random(TOTAL)
  const [, maker] = MAKERS.find(([weight]) => {
    at -= weight
    return at < 0
  }) ?? [0, body]
  return maker(pick(aim.targets, random), aim, random)
}

/** A request that has to be answered with 200. */
export function goodShot({ route }: Target, aim: Aim, good: object): Shot {
  return posted('good', { route }, aim, utf8(JSON.stringify(good)))
}

function shot(kind: string, { face }: Route): Omit<Shot, 'pieces'> {
  return { kind, faces: [face], method: 'POST', connection: 'shared' }
}

function posted(
  kind: string,
  { route }: Pick<Target, 'route'>,
  aim: Aim,
  bytes: Uint8Array,
  lines: readonly string[] = JSON_TYPE,
): Shot {
  return {
    ...shot(kind, route),
    pieces: [request(route.path, bytes, aim.host, [keyLine(route, aim), ...lines])],
  }
}

function keyLine({ face }: Pick<Route, 'face'>, { secret }: Aim): string {
  return `authorization: ${face === 'deepl' ? 'DeepL-Auth-Key' : 'Bearer'} ${secret}`
}

function request(path: string, body: Uint8Array, host: string, lines: readonly string[]): Uint8Array {
  return concat(headOf(path, host, [...lines, `content-length: ${body.length}`]), body)
}

function head(target: Target, aim: Aim, lines: readonly string[]): Uint8Array {
  return headOf(target.route.path, aim.host, [...JSON_TYPE, keyLine(target.route, aim), ...lines])
}

function headOf(path: string, host: string, lines: readonly string[]): Uint8Array {
  return utf8([`POST ${path} HTTP/1.1`, `host: ${host}`, ...lines, '', ''].join('\r\n'))
}
