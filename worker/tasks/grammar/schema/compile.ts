/** JSON Schema into grammar rules. */

import { clip } from '../../../protocol/errors.ts'
import { invalidSchema } from '../errors.ts'
import {
  ambiguousChoice,
  charClass,
  choice,
  EMPTY,
  type Expression,
  NEVER,
  optional,
  sequence,
  text,
} from '../expression.ts'
import type { Grammar } from '../grammar.ts'
import {
  anyInteger,
  anyNumber,
  anyValue,
  automatonRules,
  COLON,
  COMMA,
  list,
  member,
  stringChar,
  stringOfLength,
  times,
} from '../json-text.ts'
import { type Budget, MAX_DEPTH } from '../limits.ts'
import { type Automaton, accepts, either } from '../regular/automaton.ts'
import { isFree, numberAutomaton } from '../regular/numbers.ts'
import { automaton, literal, oneOf } from '../regular/regular.ts'
import type { SchemaDocument, SchemaRef } from './document.ts'
import { type Conjunction, expandAll, nameOf } from './expand.ts'
import {
  type ArrayFacts,
  attempt,
  type Facts,
  factsOf,
  type NumberFacts,
  type ObjectFacts,
  type StringFacts,
} from './facts.ts'
import { memberValue, otherMembers } from './members.ts'
import { Overlap, stringTexts } from './overlap.ts'

export interface CompileOptions {
  readonly document: SchemaDocument
  readonly grammar: Grammar
  readonly strict: boolean
  /** Keeps the rules of several documents in one grammar apart. */
  readonly prefix?: string
}

export class SchemaCompiler {
  readonly #options: CompileOptions & { readonly budget: Budget }
  readonly #overlap: Overlap
  /** Facts by alternative: comparing many alternatives asks for those of each again and again. */
  readonly #known = new Map<string, Facts>()
  #depth = 0

  constructor(options: CompileOptions) {
    this.#options = { ...options, budget: options.grammar.budget }
    this.#overlap = new Overlap((refs) => this.#factsOf(this.#expand(refs)), options.grammar.budget)
  }

  /** One JSON value that all of `refs` accept. @throws ApiError */
  value(refs: readonly SchemaRef[]): Expression {
    const alternatives = this.#expand(refs)
    const { grammar, prefix = '' } = this.#options
    if (alternatives.some((atoms) => atoms.length === 0)) return anyValue(grammar)
    // Named by what it comes to, so that the same thing is one rule however it is written.
    const key = prefix + alternatives.map(keyOf).join('|')
    const path = refs[0]?.path ?? ''
    return grammar.rule(key, hintOf(path), () => {
      if (++this.#depth > MAX_DEPTH) throw invalidSchema(path, `nests more than ${MAX_DEPTH} deep`)
      const built = attempt(path, () => this.#build(key, alternatives))
      this.#depth--
      return built
    })
  }

  #expand(refs: readonly SchemaRef[]): Conjunction[] {
    return expandAll(refs, {
      ...this.#options,
      areDisjoint: (a, b) => this.#overlap.areDisjoint(this.#factsOf(a), this.#factsOf(b)),
    })
  }

  #factsOf(alternatives: readonly Conjunction[]): Facts[] {
    return alternatives.map((atoms) => {
      const key = keyOf(atoms)
      const facts = this.#known.get(key) ?? factsOf(atoms, this.#options)
      this.#known.set(key, facts)
      return facts
    })
  }

  #build(key: string, alternatives: readonly Conjunction[]): Expression {
    const facts = this.#factsOf(alternatives)
    const booleans = new Set(facts.flatMap((each) => each.booleans ?? []))
    const objects = facts.flatMap(({ object }) => object ?? [])
    const arrays = facts.flatMap(({ array }) => array ?? [])
    return choice(
      ...this.#several(
        objects.map((each, index) => this.#object(`${key}{${index}`, each)),
        () => this.#overlap.tellObjects(objects),
      ),
      ...this.#several(
        arrays.map((each, index) => this.#array(`${key}[${index}`, each)),
        () => this.#overlap.tellArrays(arrays),
      ),
      ...this.#strings(
        key,
        facts.flatMap(({ string }) => string ?? []),
      ),
      ...this.#numbers(facts.flatMap(({ number }) => number ?? [])),
      ...[...booleans].map((value) => text(String(value))),
      ...(facts.some((each) => each.null) ? [text('null')] : []),
    )
  }

  #several(alternatives: readonly Expression[], areApart: () => boolean): Expression[] {
    if (alternatives.length < 2) return [...alternatives]
    return [areApart() ? choice(...alternatives) : ambiguousChoice(...alternatives)]
  }

  #strings(key: string, facts: readonly StringFacts[]): Expression[] {
    const { grammar, budget } = this.#options
    const [first, ...others] = facts
    if (first === undefined) return []
    const free = facts.find(
      ({ min, max, texts }) => texts === undefined && min === 0 && max === Number.POSITIVE_INFINITY,
    )
    const only = free ?? (others.length === 0 && first.texts === undefined ? first : undefined)
    if (only !== undefined) return only.min > only.max ? [] : [stringOfLength(grammar, only.min, only.max)]
    const all = facts.map((each) => stringTexts(each, budget)).reduce((a, b) => either(a, b, budget))
    return [this.#string(`${key}"`, all)]
  }

  #string(key: string, texts: Automaton): Expression {
    return sequence(
      '"',
      automatonRules(this.#options.grammar, key, texts, stringChar(this.#options.grammar)),
      '"',
    )
  }

  #numbers(facts: readonly NumberFacts[]): Expression[] {
    const { grammar, budget } = this.#options
    if (facts.length === 0) return []
    const free = facts.filter(({ limits, values }) => values === undefined && isFree(limits))
    if (free.some(({ limits }) => !limits.integer)) return [anyNumber(grammar)]
    if (free.length === facts.length) return [anyInteger(grammar)]
    const key = `number ${JSON.stringify(facts)}`
    const build = () => {
      const all = facts.map((each) => numberTexts(each, budget)).reduce((a, b) => either(a, b, budget))
      return automatonRules(grammar, `${key}/`, all, charClass)
    }
    return [grammar.rule(key, 'number', build)]
  }

  /** `prefixItems`, each with all that may follow it, and then the rest. */
  #array(key: string, { min, max, prefix, rest }: ArrayFacts): Expression {
    const { grammar } = this.#options
    if (min > max) return NEVER
    const item = this.value(rest)
    if (prefix.length === 0) return list(grammar, `${key}item`, ['[', ']'], item, min, max)
    const after = (index: number): Expression => {
      if (index >= max) return EMPTY
      const next = prefix[index]
      if (next === undefined) {
        return times(grammar, `${key}rest`, sequence(COMMA, item), Math.max(0, min - index), max - index)
      }
      return grammar.rule(`${key}${index}`, 'i', () => {
        const more = sequence(index > 0 ? COMMA : '', this.value(next), after(index + 1))
        return index < min ? more : optional(more)
      })
    }
    return sequence('[', after(0), ']')
  }

  /**
   * Members in the order of the schema, then others. One rule stands for "at least one more member, from this one
   * on", another for what may follow a member; both know how many there were where that matters.
   */
  #object(key: string, facts: ObjectFacts): Expression {
    const { grammar } = this.#options
    const { min, max, declared, required } = facts
    const names = this.#names(facts)
    const other = this.#otherMember(key, facts, names)
    if (other !== undefined && min > required.size + 1) {
      const problem =
        'is not supported above the number of required members and one more: no grammar keeps names apart'
      throw invalidSchema(`${facts.path}.minProperties`, problem)
    }
    const lastRequired = declared.findLastIndex((name) => required.has(name))
    const isCounted =
      min > required.size || max < (other === undefined ? declared.length : Number.POSITIVE_INFINITY)

    const some = (index: number, before: number): Expression =>
      grammar.rule(`${key}${index},${before}`, 'm', () => {
        if (before >= max) return NEVER
        const name = declared[index]
        if (name === undefined) return this.#others(key, other, min - before, max - before)
        const value = names !== undefined && !accepts(names, name) ? undefined : memberValue(facts, name)
        const here =
          value === undefined ? NEVER : sequence(member(name, this.value(value)), after(index + 1, before))
        return required.has(name) ? here : choice(here, some(index + 1, before))
      })

    const after = (index: number, before: number): Expression => {
      const count = isCounted ? before + 1 : 0
      if (index === declared.length && other === undefined) return count >= min || !isCounted ? EMPTY : NEVER
      const more = sequence(COMMA, some(index, count))
      return index > lastRequired && count >= (isCounted ? min : 0) ? optional(more) : more
    }

    // From the end, so that the call stack holds one member at a time and not all.
    for (let index = declared.length; index > 0; index--) some(index, isCounted ? index : 0)
    const all = some(0, 0)
    return sequence('{', lastRequired < 0 && min === 0 ? optional(all) : all, '}')
  }

  /** One member that is not declared; undefined when there may be none. */
  #otherMember(key: string, facts: ObjectFacts, names: Automaton | undefined): Expression | undefined {
    const { grammar, budget } = this.#options
    const kinds = otherMembers(facts, names, budget).map((kind, index) => {
      const name =
        kind.names === undefined
          ? stringOfLength(grammar, 0, Number.POSITIVE_INFINITY)
          : this.#string(`${key}name${index}`, kind.names)
      return sequence(name, COLON, this.value(kind.value))
    })
    return kinds.length === 0 ? undefined : choice(...kinds)
  }

  /** At least one member that is not declared. */
  #others(key: string, other: Expression | undefined, least: number, most: number): Expression {
    if (other === undefined) return NEVER
    const more = times(
      this.#options.grammar,
      `${key}others`,
      sequence(COMMA, other),
      Math.max(0, least - 1),
      most - 1,
    )
    return sequence(other, more)
  }

  /** The names that `propertyNames` allows; undefined: all. */
  #names({ names }: ObjectFacts): Automaton | undefined {
    if (names.length === 0) return undefined
    const { budget } = this.#options
    const alternatives = this.#factsOf(this.#expand(names)).flatMap(({ string }) => string ?? [])
    return alternatives
      .map((each) => stringTexts(each, budget))
      .reduce((a, b) => either(a, b, budget), automaton(oneOf(), budget))
  }
}

function numberTexts({ limits, values }: NumberFacts, budget: Budget): Automaton {
  if (values === undefined) return numberAutomaton(limits, budget)
  return automaton(oneOf(...values.map((value) => literal(JSON.stringify(value)))), budget)
}

function keyOf(atoms: Conjunction): string {
  return atoms.map(nameOf).sort().join('&')
}

/** The last name of a path, so that a reader finds a rule again. */
function hintOf(path: string): string {
  return clip(/[^.[\]]+$/.exec(path.replace(/\[\d+\]$/, ''))?.[0] ?? 'schema', 24)
}
