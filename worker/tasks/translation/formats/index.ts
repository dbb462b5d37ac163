/** @module A text of any format as parts, and back. */

import type { TelegramEntity } from '../../../protocol/telegram.ts'
import type { TranslationFormat, TranslationInput } from '../../../protocol/translation.ts'
import { protect } from '../protect.ts'
import { type Encode, Ids, type Part, words } from '../rich.ts'
import { decodeHtml, encodeHtml, readHtml } from './html.ts'
import { readMarkdown } from './markdown.ts'
import { TelegramReader } from './telegram.ts'

/** How words are written inside a format. */
export interface Codec {
  readonly encode: Encode
  readonly decode: Encode
}

/** An input, taken apart. */
export interface Parsed {
  readonly parts: readonly Part[]
  /** Where the entities are in the translated parts; absent: the format has none. */
  readonly entities?: (parts: readonly Part[]) => TelegramEntity[]
  /** For numbers of slots that are added later. */
  readonly ids: Ids
}

const same: Encode = (text) => text
const plain: Codec = { encode: same, decode: same }
const html: Codec = { encode: encodeHtml, decode: decodeHtml }

/** How the format writes words. */
export function codecOf(format: TranslationFormat): Codec {
  return format === 'html' ? html : plain
}

/** Reads an input; whatever is no words comes back as slots. */
export function parse({ text, entities = [] }: TranslationInput, format: TranslationFormat): Parsed {
  const ids = new Ids()
  const message = format === 'telegram' ? new TelegramReader(text, entities, ids) : undefined
  const parts = (message?.parts ?? read(text, format, ids)).flatMap((part) =>
    part.kind === 'words' ? protect(part.text, ids) : [part],
  )
  return { parts, ids, ...(message && { entities: (translated) => message.entities(translated) }) }
}

function read(text: string, format: TranslationFormat, ids: Ids): Part[] {
  if (format === 'html') return readHtml(text, ids)
  if (format === 'markdown') return readMarkdown(text, ids)
  return [words(text)]
}

/** What of an input has to come back as it was, as it is written there: for evaluations. */
export function protectedParts(input: TranslationInput, format: TranslationFormat): string[] {
  return parse(input, format).parts.flatMap((part) =>
    part.kind === 'words' || part.raw === '' ? [] : [part.raw],
  )
}
