/**
 * @module Text that arrives in pieces, read as if it were there already: a reader is a generator that yields while it
 * cannot know yet. So what it decides never depends on where the pieces were cut.
 */

/** Yields when it needs more text, returns what it has read. */
export type Reading<T> = Generator<undefined, T, undefined>

const blank = /[ \t\r\n]/
/** A call's name and what stands around it; longer than any that is meant as one. */
const longestHead = 16_384

export class Input {
  #text = ''
  #at = 0
  #ended = false
  /** Units before the text that is kept. */
  #dropped = 0
  /** Where to come back to when an attempt fails. */
  #held: number | undefined

  /** Everything there is from the cursor on. */
  get rest(): string {
    return this.#text.slice(this.#at)
  }

  /** Units of the whole text before the cursor. */
  get position(): number {
    return this.#dropped + this.#at
  }

  get isEmpty(): boolean {
    return this.#at === this.#text.length
  }

  get ended(): boolean {
    return this.#ended
  }

  add(text: string): void {
    const from = this.#held ?? this.#at
    this.#text = this.#text.slice(from) + text
    this.#at -= from
    this.#dropped += from
    if (this.#held !== undefined) this.#held = 0
  }

  end(): void {
    this.#ended = true
  }

  take(length: number): string {
    const taken = this.#text.slice(this.#at, this.#at + length)
    this.#at += taken.length
    return taken
  }

  /** Takes what is there, up to the first of these characters. */
  takeUntil(characters: ReadonlySet<string>): string {
    let end = this.#at
    while (end < this.#text.length && !characters.has(this.#text.charAt(end))) end++
    return this.take(end - this.#at)
  }

  /** Comes back to the cursor's place when the reading gives undefined. */
  *attempt<T>(reading: Reading<T | undefined>): Reading<T | undefined> {
    this.#held = this.#at
    const result = yield* reading
    if (result === undefined) this.#at = this.#held
    this.#held = undefined
    return result
  }

  /** Whether this text stands at the cursor. */
  *follows(text: string): Reading<boolean> {
    for (;;) {
      const found = this.#text.slice(this.#at, this.#at + text.length)
      if (found === text) return true
      if (this.#ended || !text.startsWith(found)) return false
      yield
    }
  }

  /** Takes this text if it stands at the cursor. */
  *accept(text: string): Reading<boolean> {
    if (!(yield* this.follows(text))) return false
    this.#at += text.length
    return true
  }

  *blanks(): Reading<string> {
    return yield* this.#run(blank)
  }

  /** A name of a tool, or nothing. */
  *word(): Reading<string> {
    return yield* this.#run(/[\w.-]/)
  }

  /** A key between tags, blanks around it left out. */
  *key(): Reading<string> {
    return (yield* this.#run(/[^<>"]/)).trim()
  }

  /** A word without quotes, up to what structures an object. */
  *bare(): Reading<string> {
    const first = this.take(1)
    return first + (yield* this.#run(/[^{}[\],:"<]/))
  }

  /** Everything before this mark, which is taken too; without the mark, everything, and `found` is false. */
  *before(mark: string): Reading<{ readonly text: string; readonly found: boolean }> {
    const first = new Set(mark.charAt(0))
    const parts: string[] = []
    while (!(yield* this.atEnd())) {
      parts.push(this.takeUntil(first))
      if (this.isEmpty) continue
      if (yield* this.accept(mark)) return { text: parts.join(''), found: true }
      parts.push(this.take(1))
    }
    return { text: parts.join(''), found: false }
  }

  /** The text that a JSON string stands for. */
  *string(): Reading<string | undefined> {
    if (!(yield* this.follows('"'))) return undefined
    const raw = yield* this.value()
    const value = raw === undefined ? undefined : parse(raw)
    return typeof value === 'string' ? value : undefined
  }

  /** A JSON value as it is written; undefined when there is none, or none that ends in time. */
  *value(): Reading<string | undefined> {
    if (yield* this.atEnd()) return undefined
    if (!'{["'.includes(this.#text.charAt(this.#at))) return (yield* this.#run(/[\w.+-]/)) || undefined
    const scanner = new ValueScanner()
    let read = ''
    while (!scanner.done) {
      if (read.length > longestHead || (yield* this.atEnd())) return undefined
      read += this.take(scanner.scan(this.rest))
    }
    return read
  }

  /** Waits for a next character; true: there is none. */
  *atEnd(): Reading<boolean> {
    while (this.isEmpty) {
      if (this.#ended) return true
      yield
    }
    return false
  }

  *#run(characters: RegExp): Reading<string> {
    let run = ''
    while (run.length <= longestHead && !(yield* this.atEnd())) {
      const next = this.#text.charAt(this.#at)
      if (!characters.test(next)) break
      run += next
      this.#at++
    }
    return run
  }
}

/** Finds the end of a JSON object, list or string, which may come in pieces. */
export class ValueScanner {
  #depth = 0
  #inString = false
  #escaped = false
  done = false

  /** @returns how many units of this text belong to the value. */
  scan(text: string): number {
    for (let index = 0; index < text.length; index++) {
      this.#step(text.charAt(index))
      if (!this.done) continue
      return index + 1
    }
    return text.length
  }

  #step(character: string): void {
    if (this.#escaped) this.#escaped = false
    else if (this.#inString && character === '\\') this.#escaped = true
    else if (character === '"') this.#inString = !this.#inString
    else if (this.#inString) return
    else if (character === '{' || character === '[') this.#depth++
    else if (character === '}' || character === ']') this.#depth--
    this.done = this.#depth <= 0 && !this.#inString
  }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
