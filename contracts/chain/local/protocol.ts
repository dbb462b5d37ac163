/** What client and server of the local chain say to each other: JSON over HTTP on the loopback interface. */

import { z } from 'zod'

/** Largest request body in bytes. External messages are at most 65,535 bytes before base64. */
export const MAX_REQUEST_BYTES = 128 * 1024

export const address = z.string().regex(/^(0|-1):[0-9a-f]{64}$/)
export const nanotons = z.string().regex(/^(0|[1-9][0-9]{0,29})$/)
export const base64 = z.base64()

export const requests = {
  '/info': z.strictObject({}),
  '/account': z.strictObject({ address }),
  '/get': z.strictObject({
    address,
    method: z.string().regex(/^[A-Za-z_?!~][A-Za-z0-9_?!~]{0,63}$/),
    args: base64,
  }),
  '/send': z.strictObject({ boc: base64.max(100_000) }),
  '/fund': z.strictObject({ address, amount: nanotons }),
  '/advance': z.strictObject({ seconds: z.number() }),
  '/prices': z.strictObject({}),
  '/audit': z.strictObject({}),
} as const

export type Route = keyof typeof requests

export const replies = {
  '/info': z.object({ globalId: z.number().int(), now: z.number().int() }),
  '/account': z.object({
    state: z.enum(['none', 'uninit', 'active', 'frozen']),
    balance: nanotons,
    code: base64.nullable(),
    data: base64.nullable(),
    lastLt: nanotons,
  }),
  '/get': z.object({ stack: base64 }),
  '/send': z.object({ transactions: z.number().int() }),
  '/fund': z.object({ transactions: z.number().int() }),
  '/advance': z.object({ now: z.number().int() }),
  /** Config parameters as base64 BoCs, as a public network's providers give them. */
  '/prices': z.object({ parameters: z.array(z.tuple([z.number().int(), base64])) }),
  '/audit': z.object({ genesis: nanotons, total: nanotons, faucet: nanotons, burned: nanotons }),
} as const

export const failure = z.object({ error: z.object({ code: z.string(), message: z.string() }) })
