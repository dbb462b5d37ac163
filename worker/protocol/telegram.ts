/** Messages of Telegram as its Bot API writes them: a text, and entities that say what parts of it are. */

import { invalidRequest } from './errors.ts'
import { anything, isObject, type JsonSchema, type Reader } from './readers.ts'
import { invalidType } from './refusals.ts'

/** A part of a text. `url`, `user`, `language`, `custom_emoji_id` and whatever else an entity has come back as sent. */
export interface TelegramEntity {
  /** `bold`, `text_link`, `mention`, …; a type that is not known here is taken for a way of writing, like `bold`. */
  readonly type: string
  /** UTF-16 units from the beginning of the text. */
  readonly offset: number
  /** UTF-16 units, at least 1. */
  readonly length: number
  readonly [member: string]: unknown
}

/** Telegram takes 100 of them in a message. */
const MAX_ENTITIES = 256
/** Of all entities of a text as JSON: with their text they have to fit one event. */
const MAX_ENTITY_BYTES = 48 * 1024

export const telegramEntitySchema: JsonSchema = {
  type: 'object',
  properties: {
    type: { type: 'string', pattern: '^[a-z_]{1,64}$' },
    offset: { type: 'integer', minimum: 0, description: 'UTF-16 units from the beginning of the text.' },
    length: { type: 'integer', minimum: 1, description: 'UTF-16 units.' },
    url: { type: 'string' },
    user: { type: 'object' },
    language: { type: 'string' },
    custom_emoji_id: { type: 'string' },
  },
  required: ['type', 'offset', 'length'],
  additionalProperties: true,
}

/** A message: `{text, entities}`. */
export const telegramMessage: Reader<{ text: string; entities: TelegramEntity[] }> = {
  schema: {
    type: 'object',
    properties: {
      text: { type: 'string' },
      entities: { type: ['array', 'null'], items: telegramEntitySchema, maxItems: MAX_ENTITIES },
    },
    required: ['text'],
    additionalProperties: false,
  },
  read(value, path) {
    if (!isObject(value)) throw invalidType(path, 'an object', value)
    const unknown = Object.keys(value).find((name) => name !== 'text' && name !== 'entities')
    if (unknown !== undefined) {
      throw invalidRequest(
        path,
        `Invalid '${path}': a message is an object of 'text' and 'entities' only.`,
        'unknown_parameter',
      )
    }
    const { text, entities = null } = value
    if (typeof text !== 'string') throw invalidType(`${path}.text`, 'a string', text)
    return { text, entities: entities === null ? [] : readEntities(entities, text, `${path}.entities`) }
  },
}

function readEntities(value: unknown, text: string, path: string): TelegramEntity[] {
  if (!Array.isArray(value)) throw invalidType(path, 'an array', value)
  anything.read(value, path)
  const tooMuch = value.length > MAX_ENTITIES || Buffer.byteLength(JSON.stringify(value)) > MAX_ENTITY_BYTES
  if (tooMuch) throw wrong(path, `at most ${MAX_ENTITIES} entities in ${MAX_ENTITY_BYTES} bytes`)
  const entities = value.map((entry, index) => readEntity(entry, text, `${path}[${index}]`))
  const crossing = entities.findIndex((entity, index) =>
    entities.some((other, at) => at < index && cross(entity, other)),
  )
  if (crossing >= 0) throw wrong(`${path}[${crossing}]`, 'entities that lie inside or outside each other')
  return entities
}

function readEntity(value: unknown, text: string, path: string): TelegramEntity {
  if (!isObject(value)) throw invalidType(path, 'an object', value)
  const { type, offset, length } = value
  if (typeof type !== 'string' || !/^[a-z_]{1,64}$/.test(type)) {
    throw wrong(`${path}.type`, "the name of a kind of entity, such as 'bold'")
  }
  if (!isCount(offset)) throw wrong(`${path}.offset`, 'a whole number of UTF-16 units')
  if (!isCount(length) || length === 0) throw wrong(`${path}.length`, 'a positive number of UTF-16 units')
  const end = offset + length
  if (end > text.length) throw wrong(path, 'a part of the text')
  if (isInside(text, offset) || isInside(text, end)) throw wrong(path, 'whole characters')
  return { ...value, type, offset, length }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0

/** Between the two halves of one character. */
function isInside(text: string, at: number): boolean {
  return at > 0 && (text.codePointAt(at - 1) ?? 0) > 0xffff
}

function cross(a: TelegramEntity, b: TelegramEntity): boolean {
  const [aEnd, bEnd] = [a.offset + a.length, b.offset + b.length]
  return (
    (a.offset < b.offset && b.offset < aEnd && aEnd < bEnd) ||
    (b.offset < a.offset && a.offset < bEnd && bEnd < aEnd)
  )
}

function wrong(path: string, expected: string) {
  return invalidRequest(path, `Invalid '${path}': expected ${expected}.`, 'invalid_value')
}
