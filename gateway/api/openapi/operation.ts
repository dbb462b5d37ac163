import type { FieldTable } from '../../../worker/protocol/fields.ts'
import type { JsonSchema } from '../../../worker/protocol/readers.ts'

/** One route as the OpenAPI document and the reference page tell it. */
export interface Operation {
  readonly method: 'get' | 'post'
  /** With parameters in braces, as OpenAPI writes them. */
  readonly path: string
  readonly id: string
  readonly tag: string
  readonly summary: string
  /** Some sentences of CommonMark. */
  readonly about: string
  /** By what the caller is known; absent: no key is needed. */
  readonly key?: 'bearer' | 'payment' | 'deepl' | 'libretranslate'
  readonly parameters?: readonly Parameter[]
  readonly request?: {
    readonly name: string
    readonly table: FieldTable
    /** Forms are taken besides JSON. */
    readonly forms?: boolean
    readonly example: object
  }
  readonly answer: {
    readonly about: string
    readonly schema: JsonSchema
    readonly example?: object
    /** By default `application/json`. */
    readonly type?: string
  }
  /** The data of each event, when a stream is asked for. */
  readonly events?: { readonly about: string; readonly schema: JsonSchema }
  /** Statuses besides success. */
  readonly errors: readonly number[]
  /** By default OpenAI's envelope. */
  readonly failure?: JsonSchema
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly about: string
  readonly schema: JsonSchema
  /** Stands in the path of the page's command. */
  readonly example?: string
}
