import { fromUtf8, utf8 } from '../../../attest/bytes.ts'
import type { ApiErrorObject } from '../../../worker/protocol/index.ts'
import type { DispatchRequest, DispatchResponse } from '../../dispatch/index.ts'
import { scripted } from './face.ts'

/** A worker that "translates" into capitals, behind the dispatcher's interface; keeps what it was asked. */
export class Translator {
  readonly asked: Record<string, unknown>[] = []
  /** What the first text's answer says is wrong with it. */
  error: ApiErrorObject | undefined
  /** The answer is no translation. */
  malformed = false
  /** Thrown instead of an answer. */
  fail: Error | undefined

  readonly dispatch = async (request: DispatchRequest): Promise<DispatchResponse> => {
    if (this.fail) throw this.fail
    const asked = JSON.parse(fromUtf8(request.body)) as Record<string, unknown>
    this.asked.push(asked)
    const texts = [asked.input].flat() as string[]
    const data = texts.map((text, index) => ({
      index,
      text: text.toUpperCase(),
      detected_source_language: asked.source_language === 'auto' ? 'en' : asked.source_language,
      ...(asked.alternatives !== undefined && { alternatives: [`${text}!`] }),
      ...(index === 0 && this.error && { error: this.error }),
    }))
    if (this.malformed) data.pop()
    const document = { object: 'translation', id: 'trans-1', created: 1, model: asked.model, data, usage: {} }
    return scripted(request, [{ type: 'body', bytes: utf8(JSON.stringify(document)) }])
  }
}
