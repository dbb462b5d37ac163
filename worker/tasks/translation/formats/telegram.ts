import type { TelegramEntity } from '../../../protocol/telegram.ts'
import type { Ids, Part } from '../rich.ts'
import { words } from '../rich.ts'

/** Kinds of entities whose text nobody translates; all others are ways of writing words. */
const kept = new Set(
  'mention hashtag cashtag bot_command url email phone_number bank_card code pre custom_emoji text_mention'.split(
    ' ',
  ),
)

/** Tags that models know, for marks that a message has none of. */
const shown: Readonly<Record<string, string>> = {
  bold: 'b',
  italic: 'i',
  underline: 'u',
  strikethrough: 's',
  blockquote: 'q',
  expandable_blockquote: 'q',
  spoiler: 'span',
  text_link: 'a',
}

/** Where an entity of the input goes on: a pair of marks, or inside something kept. */
type Place = { readonly id: number } | { readonly id: number; readonly from: number; readonly to: number }

/** Entities of a message in the places that a translation gave them. */
export class TelegramReader {
  readonly parts: Part[]
  readonly #entities: readonly TelegramEntity[]
  readonly #places = new Map<TelegramEntity, Place>()

  constructor(text: string, entities: readonly TelegramEntity[], ids: Ids) {
    this.#entities = entities
    // The outer before the inner; of the same length the way of writing around what is kept.
    const sorted = entities.toSorted(
      (a, b) =>
        a.offset - b.offset || b.length - a.length || Number(kept.has(a.type)) - Number(kept.has(b.type)),
    )
    this.parts = this.#read(text, 0, text.length, sorted, ids)
  }

  /** The entities of the translated parts, in the order of the input; one whose words are gone is left out. */
  entities(parts: readonly Part[]): TelegramEntity[] {
    const spans = new Map<number, [start: number, end: number]>()
    let offset = 0
    for (const part of parts) {
      const length = part.kind === 'words' ? part.text.length : part.raw.length
      if (part.kind === 'close') spans.set(part.id, [spans.get(part.id)?.[0] ?? offset, offset])
      else if (part.kind !== 'words') spans.set(part.id, [offset, offset + length])
      offset += length
    }
    return this.#entities.flatMap((entity) => {
      const place = this.#places.get(entity)
      const span = place && spans.get(place.id)
      if (!place || !span) return []
      const [start, end] = 'from' in place ? [span[0] + place.from, span[0] + place.to] : span
      return end > start ? [{ ...entity, offset: start, length: end - start }] : []
    })
  }

  #read(text: string, from: number, to: number, entities: readonly TelegramEntity[], ids: Ids): Part[] {
    const parts: Part[] = []
    let at = from
    for (let index = 0; index < entities.length; ) {
      const entity = entities[index] as TelegramEntity
      const end = entity.offset + entity.length
      let next = index + 1
      while (next < entities.length && (entities[next]?.offset ?? end) < end) next++
      const inside = entities.slice(index + 1, next)
      if (entity.offset > at) parts.push(words(text.slice(at, entity.offset)))
      parts.push(...this.#entity(text, entity, inside, ids))
      at = end
      index = next
    }
    if (to > at) parts.push(words(text.slice(at, to)))
    return parts
  }

  #entity(text: string, entity: TelegramEntity, inside: readonly TelegramEntity[], ids: Ids): Part[] {
    const id = ids.next()
    const end = entity.offset + entity.length
    if (!kept.has(entity.type)) {
      this.#places.set(entity, { id })
      const tag = shown[entity.type] ?? 'span'
      return [
        { kind: 'open', id, raw: '', show: `<${tag}>` },
        ...this.#read(text, entity.offset, end, inside, ids),
        { kind: 'close', id, raw: '', show: `</${tag}>` },
      ]
    }
    for (const one of [entity, ...inside]) {
      const from = one.offset - entity.offset
      this.#places.set(one, { id, from, to: from + one.length })
    }
    return [{ kind: 'kept', id, raw: text.slice(entity.offset, end) }]
  }
}
