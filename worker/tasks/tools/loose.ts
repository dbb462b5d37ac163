/** @module Objects as Gemma writes them, bare keys and texts between marks of their own, as JSON. */

import type { Input } from './input.ts'

/** Stands where JSON has a quote. */
const quote = '<|"|>'
const structure = new Set('{}[],:')

/**
 * Reads one object, JSON or nearly so, and yields pieces of its JSON text, and undefined where more text is needed. What
 * ends early ends here too.
 */
export function* readLooseObject(input: Input): Generator<string | undefined, void, undefined> {
  let depth = 0
  do {
    yield* input.blanks()
    if (yield* input.atEnd()) return
    const next = input.rest.charAt(0)
    if (structure.has(next)) {
      if (next === '{' || next === '[') depth++
      if (next === '}' || next === ']') depth--
      yield input.take(1)
    } else if (yield* input.accept(quote)) {
      const { text, found } = yield* input.before(quote)
      const json = JSON.stringify(text)
      yield found ? json : json.slice(0, -1)
    } else if (next === '"') {
      const json = yield* input.attempt(input.value())
      // A text without an end.
      if (json === undefined) yield input.take(input.rest.length)
      else yield json
    } else {
      const word = (yield* input.bare()).trim()
      const isKey = yield* input.follows(':')
      yield isKey || !isLiteral(word) ? JSON.stringify(word) : word
    }
  } while (depth > 0)
}

function isLiteral(word: string): boolean {
  return /^(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)$/.test(word)
}
