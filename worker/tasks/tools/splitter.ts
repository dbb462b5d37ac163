/** @module An answer's text, piece by piece, into reasoning, content and tool calls. */

import { callMark, type ToolFormat } from '../../engine/dialect/formats.ts'
import type { ModelInfo } from '../../engine/types.ts'
import { type CallHead, readHead, skipTail } from './head.ts'
import { Input, type Reading, ValueScanner } from './input.ts'
import { readLooseObject } from './loose.ts'
import { PartSink } from './sink.ts'
import { readTaggedArguments } from './tagged.ts'
import type { AnswerPart } from './types.ts'

export interface SplitterOptions {
  /** The model's marks; absent: it does not think aloud. */
  readonly reasoning?: ModelInfo['reasoning']
  /** The prompt ended inside the reasoning (the `prompt` event says so). */
  readonly insideReasoning?: boolean
  /** Give the model's own whenever it has one, also without tools: its silent marks are dropped. */
  readonly toolFormat?: ToolFormat
  /** A call of any other name stays content. */
  readonly tools: ReadonlySet<string>
  /**
   * The JSON Schema of a tool's parameters, which tells texts from other values where a model writes arguments between
   * tags. Without it what reads as JSON is JSON.
   */
  readonly parameters?: (tool: string) => Record<string, unknown> | undefined
}

/**
 * Splits streamed text; never shows half a mark. How the text was cut into pieces changes nothing but the moment at
 * which a part is told.
 *
 * A call counts from the moment its name and the beginning of its arguments are known; until then it may still turn
 * out to be text, and all of it is shown as content. From then on the arguments are told as the model writes them,
 * valid or not (OpenAI's own clients are told to expect that), up to the end of the JSON value: a mark inside a
 * string ends nothing.
 */
export class AnswerSplitter {
  readonly #options: SplitterOptions
  readonly #input = new Input()
  readonly #sink: PartSink
  readonly #reading: Reading<void>
  /** Characters with which a mark may begin. */
  readonly #suspects: ReadonlySet<string>
  readonly #silent: readonly string[]
  /** Marks that stand behind and between calls. */
  readonly #glue: readonly string[]

  constructor(options: SplitterOptions) {
    this.#options = options
    const { reasoning, toolFormat } = options
    this.#silent = toolFormat?.silent ?? []
    this.#glue = toolFormat ? glueOf(toolFormat) : []
    const marks = [...this.#silent, reasoning?.open ?? '', this.#callBegin ?? '']
    this.#suspects = new Set(marks.map((mark) => mark.charAt(0)).filter(Boolean))
    this.#sink = new PartSink(reasoning !== undefined || this.#callBegin !== undefined)
    this.#reading = this.#readAnswer()
  }

  /** @returns what is certain by now; the rest comes with later pieces. */
  push(text: string): AnswerPart[] {
    this.#input.add(text)
    this.#reading.next()
    return this.#sink.take()
  }

  /** The answer is over: what was held back. A call that is not complete ends as it stands. */
  end(): AnswerPart[] {
    this.#input.end()
    this.#reading.next()
    this.#sink.end()
    return this.#sink.take()
  }

  /** Whether the next text is reasoning, as far as is known; what is held back counts to where it stands. */
  get inReasoning(): boolean {
    return this.#sink.type === 'reasoning'
  }

  /** What a call begins with; undefined where none is looked for. */
  get #callBegin(): string | undefined {
    const { toolFormat, tools } = this.#options
    return toolFormat && tools.size > 0 ? (callMark(toolFormat) ?? bareCall) : undefined
  }

  /** Text that was just taken from the input. */
  #show(text: string): void {
    this.#sink.text(text, this.#input.position - text.length)
  }

  *#readAnswer(): Reading<void> {
    if (this.#options.insideReasoning) yield* this.#readReasoning()
    for (;;) {
      this.#show(this.#input.takeUntil(this.#suspects))
      if (yield* this.#input.atEnd()) return
      if (!(yield* this.#readMark())) this.#show(this.#input.take(1))
    }
  }

  /** @returns whether anything was read. */
  *#readMark(): Reading<boolean> {
    const { reasoning } = this.#options
    const input = this.#input
    if (reasoning && this.#sink.atStart && (yield* input.accept(reasoning.open))) {
      yield* this.#readReasoning()
      return true
    }
    for (const mark of this.#silent) if (yield* input.accept(mark)) return true
    const begin = this.#callBegin
    // Without a mark only an answer that is a call from its beginning can be told from one that shows JSON.
    if (begin === undefined || (begin === bareCall && !this.#sink.atStart)) return false
    return (yield* input.follows(begin)) && (yield* this.#readCalls())
  }

  *#readReasoning(): Reading<void> {
    const close = this.#options.reasoning?.close ?? ''
    const suspects = new Set(close.charAt(0))
    this.#sink.turnTo('reasoning')
    while (!(yield* this.#input.atEnd())) {
      this.#show(this.#input.takeUntil(suspects))
      if (this.#input.isEmpty) continue
      if (yield* this.#input.accept(close)) {
        this.#sink.turnTo('content')
        return
      }
      this.#show(this.#input.take(1))
    }
  }

  /** @returns whether there was at least one. */
  *#readCalls(): Reading<boolean> {
    const { toolFormat, tools } = this.#options
    if (!toolFormat) return false
    for (let count = 0; ; count++) {
      const head = yield* this.#input.attempt(readHead(this.#input, toolFormat, tools))
      if (head === undefined) return count > 0
      const index = this.#sink.call(head.name)
      if (head.tagged && toolFormat.tags) {
        const schema = this.#options.parameters?.(head.name)
        yield* this.#tell(index, readTaggedArguments(this.#input, toolFormat.tags, schema))
      } else if (toolFormat.loose) yield* this.#tell(index, readLooseObject(this.#input))
      else {
        yield* this.#readArguments(index, head)
        if (toolFormat.call === 'object') yield* skipTail(this.#input)
      }
      yield* this.#skipGlue()
    }
  }

  *#readArguments(index: number, head: CallHead): Reading<void> {
    const input = this.#input
    const isObject = head.arguments === undefined && (yield* input.follows('{'))
    const whole = isObject ? undefined : (head.arguments ?? (yield* input.attempt(input.value())))
    if (whole !== undefined) {
      this.#sink.arguments(index, plainArguments(whole))
      return
    }
    const scanner = new ValueScanner()
    while (!scanner.done && !(yield* input.atEnd()))
      this.#sink.arguments(index, input.take(scanner.scan(input.rest)))
  }

  *#tell(index: number, pieces: Iterable<string | undefined>): Reading<void> {
    for (const piece of pieces) {
      if (piece === undefined) yield
      else this.#sink.arguments(index, piece)
    }
  }

  *#skipGlue(): Reading<void> {
    for (;;) {
      this.#show(yield* this.#input.blanks())
      if (!(yield* this.#acceptGlue())) return
    }
  }

  *#acceptGlue(): Reading<boolean> {
    for (const mark of this.#glue) {
      if (!(yield* this.#input.accept(mark))) continue
      this.#sink.dropBlanks()
      return true
    }
    return false
  }
}

/** What a call of the format `llama3` begins with, and much else. */
const bareCall = '{'

/** Some models write the object inside a string, or null for none. */
function plainArguments(written: string): string {
  if (written === 'null') return '{}'
  if (!written.startsWith('"')) return written
  try {
    const text: unknown = JSON.parse(written)
    return typeof text === 'string' && text.trimStart().startsWith('{') ? text : written
  } catch {
    return written
  }
}

/** `\n</tool_call>\n<tool_call>\n` and the like, mark by mark; what begins a call is none. */
function glueOf(format: ToolFormat): string[] {
  const { afterArguments, separator, close, beforeName } = format
  const marks = `${afterArguments}${separator}${close}`.match(/<[^<>]+>|`+|\S/g) ?? []
  return [...new Set(marks)].filter((mark) => mark !== callMark(format) && !beforeName.startsWith(mark))
}
