import { z } from 'zod'
import { modelIdSchema, pricesSchema } from '../../worker/protocol/index.ts'
import { askFreely } from './client.ts'
import { SidecarError } from './errors.ts'
import type { Upstream } from './upstream.ts'

/** More than this is no list that a person reads. */
const MOST_MODELS = 1000

const listSchema = z.object({
  data: z.array(z.strictObject({ model: modelIdSchema, ...pricesSchema.shape })).max(MOST_MODELS),
})

/** What a model costs, nanotons per million tokens. */
export type ModelPrices = z.infer<typeof listSchema>['data'][number]

/**
 * What a gateway says that its models cost. It may say anything: what is paid goes by the price list that an enclave
 * signs, and never above the sidecar's own ceilings.
 *
 * @throws SidecarError ERR_GATEWAY
 */
export async function readPrices(upstream: Upstream): Promise<ModelPrices[]> {
  const { status, json } = await askFreely(upstream, '/v1/payment/prices')
  if (status !== 200)
    throw new SidecarError('ERR_GATEWAY', `the gateway answers ${status}, asked for its prices`)
  const parsed = listSchema.safeParse(json)
  if (parsed.success) return parsed.data.data
  throw new SidecarError('ERR_GATEWAY', 'the gateway’s prices cannot be read', { cause: parsed.error })
}
