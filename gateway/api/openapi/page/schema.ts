/** A JSON Schema for people: members one under the other, variants folded. */

import type { JsonSchema } from '../../../../worker/protocol/readers.ts'
import { type Html, html } from '../../../html.ts'
import { inline } from './prose.ts'

const REF = '#/components/schemas/'

/** The members of an object, of an array's items or of each variant; nothing for plain values. */
export function membersOf(schema: JsonSchema): Html {
  const [only, ...more] = objectsIn(schema)
  if (!only) return html``
  if (more.length === 0) return fields(only)
  const variants = [only, ...more].map(
    (variant) =>
      html`<details class="variant"><summary>${typeOf(variant)}</summary>${fields(variant)}</details>`,
  )
  return html`${variants}`
}

/** The objects that a value can be or hold, but for those that stand elsewhere. */
function objectsIn({ properties, items, allOf, anyOf, ...schema }: JsonSchema): JsonSchema[] {
  if (properties) return [{ ...schema, properties }]
  const inner = [items, allOf, anyOf].flat().filter((each) => typeof each === 'object' && each !== null)
  return (inner as JsonSchema[]).flatMap(objectsIn)
}

function fields({ properties, required = [] }: JsonSchema): Html {
  const must = required as readonly string[]
  const members = Object.entries(properties as Record<string, JsonSchema>)
  return html`<ul class="fields">${members.map(([name, schema]) => field(name, schema, must.includes(name)))}</ul>`
}

function field(name: string, schema: JsonSchema, required: boolean): Html {
  const handling = schema['x-handling']
  const nested = membersOf(schema)
  return html`<li><div class="head"><code class="name">${name}</code> <span class="type">${typeOf(schema)}</span>${
    required && html` <span class="badge required">required</span>`
  }${
    typeof handling === 'string' &&
    handling !== 'honoured' &&
    html` <span class="badge ${handling}">${handling}</span>`
  }${schema.default !== undefined && html` <span class="default">default <code>${JSON.stringify(schema.default)}</code></span>`}</div>${
    typeof schema.description === 'string' && html`<p>${inline(schema.description)}</p>`
  }${nested.html !== '' && html`<details><summary>Members</summary>${nested}</details>`}</li>`
}

/** What a value is, in a line. */
export function typeOf(schema: JsonSchema): Html {
  const { $ref, anyOf, allOf, enum: choices, const: constant, type } = schema
  if (typeof $ref === 'string') return reference($ref.slice(REF.length))
  if (Array.isArray(allOf)) return typeOf(allOf[0] as JsonSchema)
  if (Array.isArray(anyOf)) return alternatives((anyOf as JsonSchema[]).map(typeOf))
  if (Array.isArray(choices))
    return alternatives(choices.map((value) => html`<code>${JSON.stringify(value)}</code>`))
  if (constant !== undefined) return html`<code>${JSON.stringify(constant)}</code>`
  if (Array.isArray(type)) return alternatives(type.map((each) => typeOf({ ...schema, type: each })))
  if (type === 'array') return array(schema)
  if (type === 'object') return objectType(schema)
  if (type === 'null') return html`null`
  return html`${typeof type === 'string' ? type : 'anything'}${range(schema)}`
}

export function reference(name: string): Html {
  return html`<a href="#schema-${name}">${name}</a>`
}

function alternatives(types: readonly Html[]): Html {
  const distinct = [...new Map(types.map((type) => [type.html, type])).values()]
  return html`${distinct.map((type, index) => html`${index > 0 && html` <i>or</i> `}${type}`)}`
}

function array({ items, maxItems }: JsonSchema): Html {
  const of =
    typeof items === 'object' && items !== null ? html` of ${typeOf(items as JsonSchema)}` : undefined
  return html`array${of}${typeof maxItems === 'number' && ` (at most ${maxItems.toLocaleString('en')})`}`
}

/** A variant is named by what tells it from the others. */
function objectType({ properties, additionalProperties }: JsonSchema): Html {
  const { type, role } = (properties ?? {}) as Record<string, JsonSchema | undefined>
  const mark = choiceOf(type) ?? choiceOf(role)
  if (mark !== undefined) return html`object <code>${mark}</code>`
  const values = typeof additionalProperties === 'object' ? (additionalProperties as JsonSchema) : {}
  return Object.keys(values).length > 0 ? html`map of ${typeOf(values)}` : html`object`
}

function choiceOf(schema: JsonSchema | undefined): string | undefined {
  const values: unknown = schema?.enum ?? (schema?.const === undefined ? undefined : [schema.const])
  return Array.isArray(values) && typeof values[0] === 'string' ? values[0] : undefined
}

/** Bounds, where they say more than that the value is a number. */
function range({ minimum, maximum, minLength, maxLength }: JsonSchema): string {
  const [least, most] = typeof maxLength === 'number' ? [minLength ?? 0, maxLength] : [minimum, maximum]
  if (typeof most === 'number' && most < 2 ** 31 - 1) {
    const unit = typeof maxLength === 'number' ? ' characters' : ''
    return ` (${Number(least ?? 0).toLocaleString('en')} to ${most.toLocaleString('en')}${unit})`
  }
  return typeof least === 'number' && least > 0 ? ` (from ${least})` : ''
}
