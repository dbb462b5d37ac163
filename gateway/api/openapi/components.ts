import type { JsonSchema } from '../../../worker/protocol/readers.ts'

/** Schemas with a `title` stand once, under their title; everything else refers to them. */
export class Components {
  readonly schemas: Record<string, JsonSchema> = {}
  /** What each title was first given to. */
  readonly #sources = new Map<string, string>()

  /** The schema with its named parts replaced by references. @throws Error when two schemas have one title */
  refer(schema: JsonSchema): JsonSchema {
    const { title, ...rest } = schema
    if (typeof title !== 'string') return this.#walk(schema)
    const source = JSON.stringify(rest)
    const known = this.#sources.get(title)
    if (known === undefined) {
      this.#sources.set(title, source)
      // Its place comes before those of its parts.
      this.schemas[title] = {}
      this.schemas[title] = this.#walk(rest)
    } else if (known !== source) {
      throw new Error(`two schemas are called ${title}`)
    }
    return { $ref: `#/components/schemas/${title}` }
  }

  #walk(schema: JsonSchema): JsonSchema {
    return Object.fromEntries(
      Object.entries(schema).map(([keyword, value]) => [keyword, this.#part(keyword, value)]),
    )
  }

  #part(keyword: string, value: unknown): unknown {
    if (keyword === 'properties') {
      const members = Object.entries(value as Record<string, JsonSchema>)
      return Object.fromEntries(members.map(([name, member]) => [name, this.refer(member)]))
    }
    if (keyword === 'anyOf' || keyword === 'allOf')
      return (value as JsonSchema[]).map((each) => this.refer(each))
    const isSchema = ['items', 'additionalProperties', 'propertyNames'].includes(keyword)
    return isSchema && typeof value === 'object' ? this.refer(value as JsonSchema) : value
  }
}
