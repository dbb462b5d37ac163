import {
  boundsOfChat,
  boundsOfTranslation,
  parseChatRequest,
  parseTranslationRequest,
  type RequestBounds,
} from '../../worker/protocol/index.ts'

/** What the gateway must know of a request; all the rest is the worker's business and stays in the sealed bytes. */
export interface Admitted {
  readonly model: string
  readonly stream: boolean
  readonly bounds: (contextLength: number) => RequestBounds & { n: number }
}

type Admit = (json: Record<string, unknown>) => Admitted

/** The parsers also run in the worker, which decides; here they only refuse early and name the bounds. */
const ADMITS: Readonly<Record<string, Admit>> = {
  '/v1/chat/completions': (json) => {
    const request = parseChatRequest(json)
    const bounds = (contextLength: number) => ({ ...boundsOfChat(request, contextLength), n: 1 })
    return { model: request.model, stream: request.stream, bounds }
  },
  '/v1/translations': (json) => {
    const request = parseTranslationRequest(json)
    const bounds = (contextLength: number) => ({ ...boundsOfTranslation(request, contextLength), n: 1 })
    return { model: request.model, stream: request.stream, bounds }
  },
}

/** The paths that a worker answers. */
export const INFERENCE_PATHS: readonly string[] = Object.keys(ADMITS)

/** Reads a request by its path's own schema. @throws ApiError 400 */
export function admit(path: string, json: Record<string, unknown>): Admitted {
  const reader = ADMITS[path]
  if (!reader) throw new TypeError(`no worker answers ${path}`)
  return reader(json)
}
