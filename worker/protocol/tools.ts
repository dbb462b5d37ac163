/** Tools that a model may call, and the choice among them. */

import { invalidRequest } from './errors.ts'
import { defaulted, object, optional, required } from './fields.ts'
import { indentedBytes } from './json-size.ts'
import { toolName } from './messages.ts'
import {
  anyObject,
  arrayOf,
  boolean,
  choice,
  isObject,
  mapped,
  type Reader,
  tagged,
  text,
  textOr,
  titled,
} from './readers.ts'
import { invalidCombination } from './refusals.ts'

/** The most tools of a request. */
export const MAX_TOOLS = 128
/** The most bytes of all tools of a request, as a chat template may write them: indented by four. */
const MAX_TOOLS_BYTES = 2 * 1024 * 1024

export interface FunctionTool {
  type: 'function'
  name: string
  description?: string
  /** JSON Schema of the arguments; absent: an empty object. */
  parameters?: Record<string, unknown>
  /** The arguments are held to the schema while they are written. */
  strict: boolean
}

export interface CustomTool {
  type: 'custom'
  name: string
  description?: string
  /** What its input looks like. */
  format: { type: 'text' } | { type: 'grammar'; syntax: 'regex'; definition: string }
}

export type ChatTool = FunctionTool | CustomTool

export interface ToolChoice {
  mode: 'none' | 'auto' | 'required'
  /** Only these, each the name of a tool of the request; absent: all. */
  names?: readonly string[]
}

const description = optional(text(), 'What it does and when to call it; the model reads this.')

const parameters = optional(anyObject, 'JSON Schema of its arguments; absent: an empty object.')

/** Members of a function, as both APIs name them. */
export const functionFields = {
  name: required(toolName, 'Its name.'),
  description,
  parameters,
  strict: defaulted(boolean, false, 'Hold the arguments to the schema while they are written.'),
}

/** Members of a custom tool but its format, as both APIs name them. */
export const customFields = { name: required(toolName, 'Its name.'), description }

/** Lark is refused by name: its grammars are not read. */
export const regexFields = {
  syntax: required(choice('regex'), 'A regular expression; `lark` grammars are not read.'),
  definition: required(text({ max: 8192 }), 'The regular expression that the whole input matches.'),
}

export const textFormat = object({ type: required(choice('text'), 'Any text.') })

const grammarFormat = mapped(
  object({
    type: required(choice('grammar'), 'Text of a grammar.'),
    grammar: required(object(regexFields), 'The grammar.'),
  }),
  ({ grammar }) => ({ type: 'grammar' as const, ...grammar }),
)

const functionTool: Reader<FunctionTool> = mapped(
  object({
    type: required(choice('function'), 'A function.'),
    function: required(object(functionFields), 'The function.'),
  }),
  ({ type, function: fields }) => ({ type, ...fields }),
)

const customTool: Reader<CustomTool> = mapped(
  object({
    type: required(choice('custom'), 'A tool whose input is plain text.'),
    custom: required(
      object({
        ...customFields,
        format: defaulted(
          tagged('type', { text: textFormat, grammar: grammarFormat }),
          { type: 'text' },
          'What its input looks like.',
        ),
      }),
      'The tool.',
    ),
  }),
  ({ type, custom }) => ({ type, ...custom }),
)

/** Tools as chat completions write them. */
export const chatTools: Reader<ChatTool[]> = mapped(
  arrayOf(titled('ChatTool', tagged('type', { function: functionTool, custom: customTool })), 0, MAX_TOOLS),
  checkTools,
)

/** @throws ApiError 400 for two tools of one name, and for more text than a prompt could hold */
export function checkTools<T extends { readonly name: string }>(tools: T[], path: string): T[] {
  const seen = new Set<string>()
  for (const [index, { name }] of tools.entries()) {
    if (seen.has(name)) {
      throw invalidRequest(
        `${path}[${index}]`,
        `Invalid '${path}': two tools have the same name. Names must be unique.`,
        'invalid_value',
      )
    }
    seen.add(name)
  }
  if (indentedBytes(tools, MAX_TOOLS_BYTES) > MAX_TOOLS_BYTES) throw tooMuch(path)
  return tools
}

function tooMuch(path: string) {
  return invalidRequest(
    path,
    `Invalid '${path}': the tools are too large. Written as JSON that is indented by four, they may have ${MAX_TOOLS_BYTES} bytes. Send fewer of them, or nest their schemas less.`,
    'invalid_value',
  )
}

/** Functions in their deprecated form. */
export const legacyFunctions: Reader<ChatTool[]> = mapped(
  arrayOf(object({ name: functionFields.name, description, parameters }), 0, MAX_TOOLS),
  (functions, path) =>
    checkTools(
      functions.map((each) => ({ type: 'function', ...each, strict: false })),
      path,
    ),
)

const named = object({ name: required(toolName, 'A tool of the request.') })

const namedFunction = mapped(
  object({
    type: required(choice('function'), 'This function.'),
    function: required(named, 'The function.'),
  }),
  (value) => value.function.name,
)

const namedCustom = mapped(
  object({
    type: required(choice('custom'), 'This custom tool.'),
    custom: required(named, 'The tool.'),
  }),
  (value) => value.custom.name,
)

const allowedTools: Reader<ToolChoice> = mapped(
  object({
    type: required(choice('allowed_tools'), 'Only some tools.'),
    allowed_tools: required(
      object({
        mode: required(choice('auto', 'required'), 'Whether one of them must be called.'),
        tools: required(
          arrayOf(tagged('type', { function: namedFunction, custom: namedCustom }), 1, MAX_TOOLS),
          'Those tools.',
        ),
      }),
      'Which, and whether one must be called.',
    ),
  }),
  ({ allowed_tools: { mode, tools } }) => ({ mode, names: tools }),
)

/** `none`, `auto` or `required`. */
export const plainChoice: Reader<ToolChoice> = mapped(choice('none', 'auto', 'required'), (mode) => ({
  mode,
}))

/** A choice of exactly these names. */
export function forced(name: string): ToolChoice {
  return { mode: 'required', names: [name] }
}

/** A choice as chat completions write it. */
export const chatToolChoice: Reader<ToolChoice> = titled(
  'ChatToolChoice',
  textOr(
    plainChoice,
    tagged('type', {
      function: mapped(namedFunction, forced),
      custom: mapped(namedCustom, forced),
      allowed_tools: allowedTools,
    }),
    "one of 'none', 'auto', 'required' or an object",
    isObject,
  ),
)

/** A choice in its deprecated form. */
export const legacyChoice: Reader<ToolChoice> = textOr(
  mapped(choice('none', 'auto'), (mode) => ({ mode })),
  mapped(named, ({ name }) => forced(name)),
  "one of 'none', 'auto' or an object",
  isObject,
)

/**
 * The choice among `tools`: by default `auto` with tools and `none` without.
 * @throws ApiError 400 at `path` when it names a tool that is not there, or demands one where there is none
 */
export function resolveChoice(
  chosen: ToolChoice | undefined,
  tools: readonly ChatTool[],
  path: string,
  toolsPath: string,
): ToolChoice {
  if (tools.length === 0) {
    if (chosen && (chosen.mode === 'required' || chosen.names)) {
      throw invalidCombination(path, `'${path}' is only allowed when '${toolsPath}' are specified.`)
    }
    return { mode: 'none' }
  }
  const known = new Set(tools.map(({ name }) => name))
  if (chosen?.names?.some((name) => !known.has(name))) {
    throw invalidRequest(
      path,
      `Invalid value for '${path}': it names a tool that is not in '${toolsPath}'.`,
      'invalid_value',
    )
  }
  return chosen ?? { mode: 'auto' }
}
