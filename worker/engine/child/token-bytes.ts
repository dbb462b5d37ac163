/** @module The bytes that one token stands for, which may be a part of a character. */

import { type LlamaModel, LlamaVocabularyType, type Token } from 'node-llama-cpp'
import { rawTokenText } from './library.ts'

/** Byte-level BPE writes each byte as one letter: printable ones as themselves, the others from U+0100 on. */
function byteLetters(): ReadonlyMap<string, number> {
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  const letters = new Map<string, number>()
  let next = 0x100
  for (let byte = 0; byte < 256; byte++) {
    letters.set(String.fromCodePoint(printable(byte) ? byte : next++), byte)
  }
  return letters
}

const letters = byteLetters()

/** Bytes of a byte-level BPE token; undefined when it is not written that way (an added token). */
export function bytesOfLetters(text: string): Buffer | undefined {
  const bytes = Array.from(text, (letter) => letters.get(letter))
  return bytes.includes(undefined) ? undefined : Buffer.from(bytes as number[])
}

/** The byte of `<0x0A>`; undefined for any other text. */
export function byteOfName(text: string): number | undefined {
  const digits = /^<0x([0-9A-F]{2})>$/i.exec(text)?.[1]
  return digits === undefined ? undefined : Number.parseInt(digits, 16)
}

/** @returns the bytes of any token of the model; control tokens are their names. */
export function tokenBytes(model: LlamaModel): (token: number) => Buffer {
  const known = new Map<number, Buffer>()
  return (token) => {
    const bytes = known.get(token) ?? readBytes(model, token as Token)
    known.set(token, bytes)
    return bytes
  }
}

function readBytes(model: LlamaModel, token: Token): Buffer {
  const { control, unknown, userDefined, byte } = model.getTokenAttributes(token)
  if (control || unknown) return Buffer.from(model.detokenize([token], true))
  const text = rawTokenText(model, token)
  if (byte) {
    const value = byteOfName(text)
    if (value !== undefined) return Buffer.from([value])
  }
  if (userDefined) return Buffer.from(text)
  if (model.vocabularyType === LlamaVocabularyType.bpe) return bytesOfLetters(text) ?? Buffer.from(text)
  if (model.vocabularyType === LlamaVocabularyType.spm) return Buffer.from(text.replaceAll('\u2581', ' '))
  return Buffer.from(model.detokenize([token]))
}
