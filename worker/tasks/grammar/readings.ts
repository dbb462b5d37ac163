/**
 * Bounds the work of the engine: llama.cpp follows every reading of the text so far at the same time, and each
 * one costs it a walk through the vocabulary at every token. A schema whose alternatives stay undecided while
 * they nest (`[[[[…` as one of two kinds of list, at each level) would double the readings at each level.
 */

import type { Expression } from './expression.ts'
import { MAX_READINGS, TooComplex } from './limits.ts'
import { type Rules, references } from './prune.ts'

const CURE = 'let each alternative begin with a required property that has a constant of its own'

/** @throws TooComplex when more than MAX_READINGS readings may be open at one time, or any number of them */
export function checkReadings(rules: Rules): void {
  const readings = new Map<string, number>()
  // Components come after those that they refer to, so what is not known yet is in the component itself.
  for (const component of components(rules)) {
    const members = new Set(component)
    let most = 1
    for (const name of component) {
      const body = rules.get(name)
      if (body !== undefined) most = Math.max(most, count(body, readings, members))
    }
    for (const name of component) readings.set(name, most)
  }
}

function count(
  expression: Expression,
  readings: ReadonlyMap<string, number>,
  own: ReadonlySet<string>,
): number {
  switch (expression.kind) {
    case 'rule':
      return readings.get(expression.name) ?? 1
    case 'repeat':
      return count(expression.item, readings, own)
    case 'sequence':
      return Math.max(1, ...expression.items.map((item) => count(item, readings, own)))
    case 'choice': {
      const each = expression.items.map((item) => count(item, readings, own))
      if (expression.ambiguous !== true) return Math.max(1, ...each)
      const recursive = expression.items.filter((item) => references(item).some((name) => own.has(name)))
      const sum = each.reduce((total, one) => total + one, 0)
      if (recursive.length > 1 || sum > MAX_READINGS) {
        throw new TooComplex(`has alternatives that begin alike and nest; ${CURE}`)
      }
      return sum
    }
    default:
      return 1
  }
}

/** Strongly connected components of the rules, each after those that it refers to (Tarjan's algorithm). */
function components(rules: Rules): string[][] {
  const edges = new Map([...rules].map(([name, body]) => [name, [...new Set(references(body))]]))
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const open: string[] = []
  const isOpen = new Set<string>()
  const found: string[][] = []

  function lower(name: string, to: number | undefined): void {
    low.set(name, Math.min(low.get(name) ?? 0, to ?? 0))
  }

  for (const start of rules.keys()) {
    if (index.has(start)) continue
    // With a stack of its own: a chain of rules may be longer than the call stack is deep.
    const work: { readonly name: string; next: number }[] = [{ name: start, next: 0 }]
    for (let frame = work.at(-1); frame !== undefined; frame = work.at(-1)) {
      const { name } = frame
      if (frame.next === 0) {
        low.set(name, index.size)
        index.set(name, index.size)
        open.push(name)
        isOpen.add(name)
      }
      const target = edges.get(name)?.[frame.next++]
      if (target !== undefined) {
        if (!index.has(target)) work.push({ name: target, next: 0 })
        else if (isOpen.has(target)) lower(name, index.get(target))
        continue
      }
      work.pop()
      const parent = work.at(-1)
      if (parent !== undefined) lower(parent.name, low.get(name))
      if (low.get(name) !== index.get(name)) continue
      const component = open.splice(open.indexOf(name))
      for (const member of component) isOpen.delete(member)
      found.push(component)
    }
  }
  return found
}
