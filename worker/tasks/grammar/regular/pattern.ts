/**
 * Reads the regular expressions of `pattern` (ECMA-262, as JSON Schema wants them) into regular languages. What
 * is not regular or looks around (backreferences, lookahead, `\b`) is refused by name.
 */

import { type Budget, MAX_DEPTH } from '../limits.ts'
import { type CharRange, type CharSet, chars, codePoint, complement, normalise, union } from './charset.ts'
import { propertySet } from './property.ts'
import { ANYTHING, inOrder, oneOf, type Regular, repeated, set } from './regular.ts'

/** A pattern that cannot be read; the message says why and never quotes more than a few characters. */
export class PatternError extends Error {}

const DIGITS = chars(['0', '9'])
const WORD = chars(['a', 'z'], ['A', 'Z'], ['0', '9'], '_')
const LINE_ENDS = chars('\n', '\r', '\u2028', '\u2029')
const SPACE = union(
  LINE_ENDS,
  chars(
    '\t',
    '\v',
    '\f',
    ' ',
    '\u00a0',
    '\u1680',
    ['\u2000', '\u200a'],
    '\u202f',
    '\u205f',
    '\u3000',
    '\ufeff',
  ),
)
const CLASSES: Readonly<Record<string, CharSet>> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
}
const CONTROL_ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', v: '\v', f: '\f', r: '\r' }

/** The texts in which `pattern` is found (it is not anchored, except by its own `^` and `$`). @throws PatternError */
export function searchPattern(pattern: string, budget: Budget): Regular {
  return inOrder(ANYTHING, new PatternReader(pattern, budget).read(), ANYTHING)
}

/** The texts that match `pattern` from the first to the last character. @throws PatternError */
export function wholePattern(pattern: string, budget: Budget): Regular {
  return new PatternReader(pattern, budget).read()
}

class PatternReader {
  readonly #chars: readonly string[]
  readonly #budget: Budget
  #at = 0
  #depth = 0

  constructor(pattern: string, budget: Budget) {
    this.#budget = budget
    budget.spend(10 * pattern.length)
    this.#chars = [...pattern]
  }

  read(): Regular {
    const regular = this.#readChoice()
    if (this.#at < this.#chars.length) throw new PatternError("has an unmatched ')'")
    return regular
  }

  #readChoice(): Regular {
    const alternatives = [this.#readSequence()]
    while (this.#take('|')) alternatives.push(this.#readSequence())
    return oneOf(...alternatives)
  }

  #readSequence(): Regular {
    const items: Regular[] = []
    for (let next = this.#peek(); next !== undefined && next !== '|' && next !== ')'; next = this.#peek()) {
      items.push(this.#readQuantified())
    }
    return inOrder(...items)
  }

  #readQuantified(): Regular {
    if (this.#take('^')) return { kind: 'start' }
    if (this.#take('$')) return { kind: 'end' }
    const item = this.#readAtom()
    const count = this.#readQuantifier()
    if (count === undefined) return item
    // Lazy or not: the same texts match.
    this.#take('?')
    if (this.#peek() === '+')
      throw new PatternError('has a possessive quantifier, which ECMA-262 does not know')
    return repeated(item, ...count)
  }

  #readQuantifier(): [min: number, max: number] | undefined {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY]
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY]
    if (this.#take('?')) return [0, 1]
    const braces = this.#bracesAhead()
    if (braces === undefined) return undefined
    this.#at += braces[0].length
    const min = Number(braces[1])
    const max =
      braces[2] === undefined ? min : braces[3] === '' ? Number.POSITIVE_INFINITY : Number(braces[3])
    if (max < min) throw new PatternError('has a quantifier with its numbers out of order')
    return [min, max]
  }

  /** `{n}`, `{n,}` or `{n,m}`; any other brace is a character. */
  #bracesAhead(): RegExpExecArray | undefined {
    if (this.#peek() !== '{') return undefined
    return (
      /^\{(\d{1,9})(,(\d{0,9}))?\}/.exec(this.#chars.slice(this.#at, this.#at + 22).join('')) ?? undefined
    )
  }

  #readAtom(): Regular {
    const char = this.#next()
    switch (char) {
      case '.':
        return set(complement(LINE_ENDS))
      case '(':
        return this.#readGroup()
      case '[':
        return set(this.#readClass())
      case '\\':
        return set(this.#readEscape())
      case '*':
      case '+':
      case '?':
        throw new PatternError(`has a '${char}' with nothing to repeat`)
      case '{':
        this.#at--
        if (this.#bracesAhead() !== undefined) throw new PatternError("has a '{' with nothing to repeat")
        this.#at++
        return set(chars('{'))
      default:
        return set(chars(char))
    }
  }

  #readGroup(): Regular {
    if (++this.#depth > MAX_DEPTH) throw new PatternError(`nests more than ${MAX_DEPTH} groups`)
    if (this.#take('?')) this.#readGroupKind()
    const regular = this.#readChoice()
    if (!this.#take(')')) throw new PatternError("has a '(' without its ')'")
    this.#depth--
    return regular
  }

  #readGroupKind(): void {
    if (this.#take(':')) return
    if (this.#take('=') || this.#take('!'))
      throw new PatternError('looks ahead (?= or ?!), which is not supported')
    if (!this.#take('<')) throw new PatternError("has a group that begins with '(?' and is not supported")
    if (this.#peek() === '=' || this.#peek() === '!') {
      throw new PatternError('looks behind (?<= or ?<!), which is not supported')
    }
    while (/[\w$]/.test(this.#peek() ?? '')) this.#at++
    if (!this.#take('>')) throw new PatternError('has a group whose name is not one')
  }

  #readClass(): CharSet {
    const negated = this.#take('^')
    const ranges: CharRange[] = []
    while (!this.#take(']')) {
      const from = this.#readClassMember()
      if (this.#peek() !== '-' || this.#peek(1) === ']' || this.#peek(1) === undefined) {
        ranges.push(...from)
        continue
      }
      this.#at++
      const to = this.#readClassMember()
      const [first, last] = [single(from), single(to)]
      if (first === undefined || last === undefined)
        throw new PatternError('has a range with a class at its end')
      if (first > last) throw new PatternError('has a range out of order in a character class')
      ranges.push([first, last])
    }
    const members = normalise(ranges)
    return negated ? complement(members) : members
  }

  #readClassMember(): CharSet {
    const char = this.#next("has a '[' without its ']'")
    if (char !== '\\') return chars(char)
    if (this.#take('b')) return chars('\b')
    return this.#readEscape()
  }

  /** What follows a backslash. */
  #readEscape(): CharSet {
    const char = this.#next('ends in a backslash')
    const known = CLASSES[char]
    if (known !== undefined) return known
    const control = CONTROL_ESCAPES[char]
    if (control !== undefined) return chars(control)
    if (char === 'b' || char === 'B')
      throw new PatternError(`uses the word boundary \\${char}, which is not supported`)
    if (char === 'p' || char === 'P') return this.#readProperty(char === 'P')
    if (char === 'x') return this.#readHex(2)
    if (char === 'u') return this.#readUnicode()
    if (char === 'c') return this.#readControl()
    if (char === '0' && !/\d/.test(this.#peek() ?? '')) return chars('\0')
    if (/[0-9k]/.test(char)) throw new PatternError('refers back to a group, which is not supported')
    // ECMA-262's u flag allows ^$\.*+?()[]{}|/ and - only; many patterns in use escape other punctuation.
    if (/[a-zA-Z]/.test(char))
      throw new PatternError(`uses the escape \\${char}, which ECMA-262 does not know`)
    return chars(char)
  }

  #readProperty(negated: boolean): CharSet {
    const rest = this.#chars.slice(this.#at, this.#at + 64).join('')
    const name = /^\{([A-Za-z0-9_]+(?:=[A-Za-z0-9_]+)?)\}/.exec(rest)?.[1]
    const members = name === undefined ? undefined : propertySet(name, this.#budget)
    if (name === undefined || members === undefined)
      throw new PatternError('uses a Unicode property that does not exist')
    this.#at += name.length + 2
    return negated ? complement(members) : members
  }

  #readUnicode(): CharSet {
    if (this.#take('{')) {
      const digits = /^([0-9a-fA-F]{1,6})\}/.exec(this.#chars.slice(this.#at, this.#at + 7).join(''))?.[1]
      if (digits === undefined || Number.parseInt(digits, 16) > 0x10ffff)
        throw new PatternError('has a bad \\u{…} escape')
      this.#at += digits.length + 1
      return point(Number.parseInt(digits, 16))
    }
    const high = this.#readHex(4)
    const value = single(high) ?? 0
    const isPair = value >= 0xd800 && value <= 0xdbff && this.#peek() === '\\' && this.#peek(1) === 'u'
    if (!isPair) return point(value)
    this.#at += 2
    const low = single(this.#readHex(4)) ?? 0
    if (low < 0xdc00 || low > 0xdfff) throw new PatternError('has half of a surrogate pair')
    return point(0x10000 + ((value - 0xd800) << 10) + (low - 0xdc00))
  }

  #readHex(length: number): CharSet {
    const digits = this.#chars.slice(this.#at, this.#at + length).join('')
    if (digits.length < length || !/^[0-9a-fA-F]+$/.test(digits))
      throw new PatternError('has a bad \\x or \\u escape')
    this.#at += length
    const value = Number.parseInt(digits, 16)
    return [[value, value]]
  }

  #readControl(): CharSet {
    const letter = this.#next('ends in \\c')
    if (!/[a-zA-Z]/.test(letter)) throw new PatternError('has a bad \\c escape')
    return [[codePoint(letter) % 32, codePoint(letter) % 32]]
  }

  #peek(ahead = 0): string | undefined {
    return this.#chars[this.#at + ahead]
  }

  #take(char: string): boolean {
    if (this.#peek() !== char) return false
    this.#at++
    return true
  }

  #next(otherwise = 'ends too early'): string {
    const char = this.#chars[this.#at++]
    if (char === undefined) throw new PatternError(otherwise)
    return char
  }
}

/** The one character of a set, if it has one only. */
function single(members: CharSet): number | undefined {
  const [range, ...others] = members
  return range !== undefined && others.length === 0 && range[0] === range[1] ? range[0] : undefined
}

/** Surrogates on their own match nothing: text that is UTF-8 holds none. */
function point(value: number): CharSet {
  if (value >= 0xd800 && value <= 0xdfff) throw new PatternError('has half of a surrogate pair')
  return [[value, value]]
}
