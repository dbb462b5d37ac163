/** @module The beginning of a tool call, up to its arguments, in the ways that models vary it. */

import type { ArgumentTags, ToolFormat } from '../../engine/dialect/formats.ts'
import type { Input, Reading } from './input.ts'

export interface CallHead {
  readonly name: string
  /** The arguments follow between tags. */
  readonly tagged?: true
  /** Set when the arguments stood before the name, or when there are none; else they are next. */
  readonly arguments?: string
}

const nameKeys = new Set(['name', 'tool_name'])
const argumentKeys = new Set(['arguments', 'parameters'])
const otherKeys = new Set(['id', 'type', 'tool_call_id'])
/** Between a name and its arguments stand marks and a channel or an id at most. */
const widestGap = 128

/**
 * Reads a call as far as its arguments; undefined when this is no call of one of these tools. An unknown name is
 * no call: it is shown as the text that it is, where a reader sees it and no program runs it.
 */
export function readHead(
  input: Input,
  format: ToolFormat,
  tools: ReadonlySet<string>,
): Reading<CallHead | undefined> {
  if (format.tags) return readWithTags(input, format.tags, tools)
  return format.call === 'object'
    ? readObject(input, format.trigger, tools)
    : readTagged(input, format, tools)
}

/** The form that a grammar forces, or the one with tags. */
function* readWithTags(
  input: Input,
  { begin, beforeName, afterName, beforeKey, end }: ArgumentTags,
  tools: ReadonlySet<string>,
): Reading<CallHead | undefined> {
  yield* input.accept(begin)
  yield* input.blanks()
  if (yield* input.follows('{')) return yield* readObject(input, undefined, tools)
  if (!(yield* input.accept(beforeName))) return undefined
  const name = yield* input.word()
  if (!tools.has(name) || !(yield* input.accept(afterName))) return undefined
  yield* input.blanks()
  const goesOn = (yield* input.follows(beforeKey)) || (yield* input.follows(end))
  return goesOn ? { name, tagged: true } : undefined
}

function* readObject(
  input: Input,
  trigger: string | undefined,
  tools: ReadonlySet<string>,
): Reading<CallHead | undefined> {
  if (trigger !== undefined) yield* input.accept(trigger)
  yield* input.blanks()
  if (yield* input.accept('[')) yield* input.blanks()
  if (!(yield* input.accept('{'))) return undefined
  let name: string | undefined
  let early: string | undefined
  for (;;) {
    const key = yield* readKey(input)
    if (key === undefined) return undefined
    if (nameKeys.has(key)) {
      name = yield* input.string()
      if (name === undefined || !tools.has(name)) return undefined
    } else if (argumentKeys.has(key)) {
      if (name !== undefined) return { name }
      early = yield* input.value()
      if (early === undefined) return undefined
    } else if (!otherKeys.has(key) || (yield* input.value()) === undefined) return undefined
    yield* input.blanks()
    // The closing brace is left for whoever reads the rest of the object.
    if (yield* input.follows('}')) return name === undefined ? undefined : { name, arguments: early ?? '{}' }
    if (!(yield* input.accept(','))) return undefined
  }
}

function* readKey(input: Input): Reading<string | undefined> {
  yield* input.blanks()
  const key = yield* input.string()
  yield* input.blanks()
  if (!(yield* input.accept(':'))) return undefined
  yield* input.blanks()
  return key
}

function* readTagged(
  input: Input,
  { open, beforeName }: ToolFormat,
  tools: ReadonlySet<string>,
): Reading<CallHead | undefined> {
  if (open !== '') yield* input.accept(open)
  yield* input.blanks()
  if (!(yield* input.accept(beforeName))) return undefined
  const name = yield* input.word()
  if (!tools.has(name)) return undefined
  for (let gap = 0; gap < widestGap; gap++) {
    if (yield* input.follows('{')) return { name }
    if (yield* input.atEnd()) return undefined
    input.take(1)
  }
  return undefined
}

/** What may stand behind the arguments in the object of a call: further members, then its brace. */
export function* skipTail(input: Input): Reading<void> {
  for (;;) {
    yield* input.blanks()
    if (yield* input.accept('}')) return
    if (!(yield* input.accept(','))) return
    if ((yield* readKey(input)) === undefined) return
    if ((yield* input.value()) === undefined) return
  }
}
