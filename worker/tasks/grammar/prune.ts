/** Takes out of a grammar what can never match, so that no answer can be led into a place that it cannot leave. */

import type { Expression } from './expression.ts'

export type Rules = ReadonlyMap<string, Expression>

/**
 * The rules without alternatives that match nothing (a contradiction, or a recursion without an end).
 * @returns undefined when `root` itself matches nothing
 */
export function prune(rules: Rules): Map<string, Expression> | undefined {
  const productive = findProductive(rules)
  if (!productive.has('root')) return undefined
  const pruned = new Map<string, Expression>()
  for (const [name, body] of rules) {
    const kept = productive.has(name) ? pruneExpression(body, productive) : undefined
    if (kept !== undefined) pruned.set(name, kept)
  }
  return pruned
}

/** The rules with nothing that is only another name of a rule. */
export function withoutAliases(rules: Rules): Map<string, Expression> {
  const follow = (expression: Expression): Expression => {
    // A rule that is only its own name matches nothing, and is pruned as such.
    const passed = new Set<Expression>()
    let at = expression
    for (let next = bodyOf(at); next?.kind === 'rule' && !passed.has(next); next = bodyOf(at)) {
      passed.add(next)
      at = next
    }
    return at
  }
  const bodyOf = (at: Expression): Expression | undefined =>
    at.kind === 'rule' ? rules.get(at.name) : undefined
  const replace = (expression: Expression): Expression => {
    switch (expression.kind) {
      case 'rule':
        return follow(expression)
      case 'sequence':
      case 'choice':
        return { ...expression, items: expression.items.map(replace) }
      case 'repeat':
        return { ...expression, item: replace(expression.item) }
      default:
        return expression
    }
  }
  return new Map([...rules].map(([name, body]) => [name, replace(body)]))
}

/** The rules that `root` leads to, in order. */
export function dropUnreachable(rules: Rules): Map<string, Expression> {
  const reached = new Set(['root'])
  // A set may grow while it is walked: what is added is walked too.
  for (const name of reached) {
    const body = rules.get(name)
    if (body !== undefined) for (const other of references(body)) reached.add(other)
  }
  return new Map([...rules].filter(([name]) => reached.has(name)))
}

/** The names of the rules that an expression refers to. */
export function references(expression: Expression): string[] {
  switch (expression.kind) {
    case 'rule':
      return [expression.name]
    case 'sequence':
    case 'choice':
      return expression.items.flatMap(references)
    case 'repeat':
      return references(expression.item)
    default:
      return []
  }
}

/** Rules that match at least one text: those whose body does, given the rules already known to. */
function findProductive(rules: Rules): Set<string> {
  const users = new Map<string, string[]>()
  for (const [name, body] of rules) {
    for (const used of new Set(references(body))) {
      const list = users.get(used)
      if (list === undefined) users.set(used, [name])
      else list.push(name)
    }
  }
  const productive = new Set<string>()
  const queue = [...rules.keys()]
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const body = rules.get(name)
    if (productive.has(name) || body === undefined || !isProductive(body, productive)) continue
    productive.add(name)
    queue.push(...(users.get(name) ?? []))
  }
  return productive
}

function isProductive(expression: Expression, productive: ReadonlySet<string>): boolean {
  switch (expression.kind) {
    case 'rule':
      return productive.has(expression.name)
    case 'sequence':
      return expression.items.every((item) => isProductive(item, productive))
    case 'choice':
      return expression.items.some((item) => isProductive(item, productive))
    case 'repeat':
      return expression.min === 0 || isProductive(expression.item, productive)
    case 'class':
      return expression.set.length > 0
    case 'text':
      return true
  }
}

function pruneExpression(expression: Expression, productive: ReadonlySet<string>): Expression | undefined {
  if (expression.kind === 'repeat') {
    const item = pruneExpression(expression.item, productive)
    if (item !== undefined) return { ...expression, item }
    return expression.min === 0 ? { kind: 'text', text: '' } : undefined
  }
  if (!isProductive(expression, productive)) return undefined
  if (expression.kind !== 'sequence' && expression.kind !== 'choice') return expression
  const items = expression.items.flatMap((item) => pruneExpression(item, productive) ?? [])
  return { ...expression, items }
}
