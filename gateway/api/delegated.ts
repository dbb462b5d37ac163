import type { Context, Hono } from 'hono'
import { channelParamsFromJson } from '../../contracts/index.ts'
import { type Fields, object, parseFields, required } from '../../worker/protocol/fields.ts'
import { parseJsonObject } from '../../worker/protocol/index.ts'
import { integer, text } from '../../worker/protocol/readers.ts'
import type { OwnedChannel } from '../pay/index.ts'
import { asBusy } from './auth.ts'
import { readJsonBody } from './body.ts'
import { callerOf } from './caller.ts'
import type { ApiDeps } from './deps.ts'
import { CLOSE_MS, releaseJson } from './pay.ts'
import { type Env, only } from './route.ts'

export const DELEGATED_PATHS = {
  terms: '/v1/payment/delegated',
  open: '/v1/payment/delegated/open',
  close: '/v1/payment/delegated/close',
} as const

/** Several times what such a request has. */
const MOST_BYTES = 8192

const hex32 = text({ pattern: /^[0-9a-f]{64}$/, expected: '32 bytes in lower-case hexadecimal' })
const address = text({ pattern: /^0:[0-9a-f]{64}$/, expected: 'a raw address of the basechain' })
const secret = text({
  pattern: /^sk-chry-[A-Za-z0-9_-]{43}$/,
  expected: '`sk-chry-` and 43 characters of base64url',
})
const uint32 = integer(0, 0xffffffff)

/** Of both requests. */
export const ownedChannelFields = {
  params: required(
    object({
      payer: required(address, 'Your wallet: what is left returns to it, and it alone can close.'),
      payee: required(address, '`payTo` of `GET /v1/payment`.'),
      voucherKey: required(hex32, '`voucher_key` of `GET /v1/payment/delegated`.'),
      payeeKey: required(hex32, '`payeeKey` of `GET /v1/payment`.'),
      challengeSeconds: required(uint32, 'At least `challengeSeconds` of `GET /v1/payment`.'),
      openUntil: required(uint32, 'Unix time in seconds until which the first deposit has to be there.'),
      salt: required(
        hex32,
        'SHA-256 of `chrysalis/delegated-channel/1` and a line feed, the 32 bytes of `owner`, and `api_key`.',
      ),
    }),
    'What the address of the channel follows from.',
  ),
  owner: required(
    hex32,
    'Random; whoever has it and the key may end the channel. Keep it apart from programs that use the key.',
  ),
  api_key: required(secret, '256 random bits behind `sk-chry-`; only its SHA-256 is stored.'),
}

/** API keys on deposits of their owners' own. For everybody: who owns a channel shows by the secrets in its address. */
export function delegatedRoutes(app: Hono<Env>, deps: ApiDeps): void {
  const desk = deps.payments?.delegated
  if (!desk) return
  const { terms, open, close } = DELEGATED_PATHS
  only(app, 'GET', terms)
  only(app, 'POST', open, close)
  app.get(terms, (c) => c.json(desk.terms()))
  app.post(open, async (c) => {
    const owned = await readOwned(c)
    return c.json(await desk.open(owned, callerOf(c, deps)).catch(asBusy))
  })
  app.post(close, async (c) => {
    const owned = await readOwned(c)
    const signal = AbortSignal.timeout(CLOSE_MS)
    return c.json(releaseJson(await desk.close(owned, callerOf(c, deps), signal)))
  })
}

/** @throws ApiError 400 naming the field, 413, 415 */
async function readOwned(c: Context<Env>): Promise<OwnedChannel> {
  const fields: Fields<typeof ownedChannelFields> = parseFields(
    ownedChannelFields,
    parseJsonObject(await readJsonBody(c, MOST_BYTES)),
  )
  const { params, owner, api_key: apiKey } = fields
  return { params: channelParamsFromJson(params), owner: Buffer.from(owner, 'hex'), apiKey }
}
