/** @module How models write tool calls: one table, read by whoever writes them (grammars) and whoever reads them. */

import type { ToolFormatName } from '../types.ts'

/**
 * The text of a turn that calls tools is
 *
 *     open call (separator call)* close        call = beforeName NAME beforeArguments ARGUMENTS afterArguments
 *
 * where NAME stands as it is and ARGUMENTS is the JSON text of one object. Models vary the blanks between these; a
 * reader allows for that, a grammar writes exactly this.
 */
export interface ToolFormat {
  readonly name: ToolFormatName
  /** How `open` begins: from this text on a grammar is held lazily. Absent: nothing tells a call from an answer but its form. */
  readonly trigger?: string
  readonly open: string
  readonly beforeName: string
  readonly beforeArguments: string
  readonly afterArguments: string
  readonly separator: string
  readonly close: string
  /** A turn holds one call, since what ends a call ends the turn. */
  readonly single?: boolean
  /** `object`: a call is one JSON object with the name in it. `tagged`: the name stands between marks. */
  readonly call: 'object' | 'tagged'
  /** Its marks are special tokens in the models that know it: ask the engine for `specialText`. */
  readonly special?: boolean
  /**
   * The models write calls of their own accord in another form, with each argument between tags: so there is no `trigger`,
   * and a reader takes both. The texts above are what a grammar forces, which they follow as well.
   */
  readonly tags?: ArgumentTags
  /** The models write arguments of their own accord nearly as JSON: no `trigger` either, and a reader takes both. */
  readonly loose?: { readonly begin: string }
  /** Marks that frame turns and are part of no answer; a reader drops them. */
  readonly silent?: readonly string[]
}

/** `begin beforeName NAME afterName (beforeKey KEY afterKey VALUE afterValue)* end`, with blanks between the marks. */
export interface ArgumentTags {
  readonly begin: string
  readonly beforeName: string
  readonly afterName: string
  readonly beforeKey: string
  readonly afterKey: readonly string[]
  /** Values are JSON, but texts stand as they are. */
  readonly afterValue: string
  readonly end: string
}

/** An object between marks, each call in marks of its own. */
function wrapped(begin: string, end: string) {
  return {
    open: `${begin}\n`,
    beforeName: '{"name": "',
    beforeArguments: '", "arguments": ',
    afterArguments: '}',
    separator: `\n${end}\n${begin}\n`,
    close: `\n${end}`,
    call: 'object',
  } as const
}

const hermes = wrapped('<tool_call>', '</tool_call>')

/** A list of objects behind one mark. */
const listed = {
  beforeName: '{"name": "',
  beforeArguments: '", "arguments": ',
  afterArguments: '}',
  separator: ', ',
  close: ']',
  call: 'object',
  special: true,
} as const satisfies Partial<ToolFormat>

const deepseek = {
  trigger: '<｜tool▁calls▁begin｜>',
  open: '<｜tool▁calls▁begin｜>',
  close: '<｜tool▁calls▁end｜>',
  call: 'tagged',
  special: true,
} as const satisfies Partial<ToolFormat>

/** All formats by name. Which one a model was taught, its template tells: `ModelInfo.toolFormat`. */
export const TOOL_FORMATS: Readonly<Record<ToolFormatName, ToolFormat>> = {
  /** For models that were taught none: what we ask for in the system message. */
  generic: { name: 'generic', trigger: '<tool_call>', ...hermes },
  /** Qwen 2.5 and 3, Hermes, Granite 4 and many fine-tunes. */
  hermes: { name: 'hermes', trigger: '<tool_call>', ...hermes },
  /** Qwen3-Coder and what follows it: `<function=name><parameter=key>value</parameter></function>`. */
  'hermes-tags': {
    name: 'hermes-tags',
    ...hermes,
    tags: {
      begin: '<tool_call>',
      beforeName: '<function=',
      afterName: '>',
      beforeKey: '<parameter=',
      afterKey: ['>'],
      afterValue: '</parameter>',
      end: '</function>',
    },
  },
  /** GLM 4.5 and later. */
  glm: {
    name: 'glm',
    ...hermes,
    tags: {
      begin: '<tool_call>',
      beforeName: '',
      afterName: '',
      beforeKey: '<arg_key>',
      afterKey: ['</arg_key>', '<arg_value>'],
      afterValue: '</arg_value>',
      end: '</tool_call>',
    },
  },
  /** MiniMax M2. */
  minimax: {
    name: 'minimax',
    ...wrapped('<minimax:tool_call>', '</minimax:tool_call>'),
    tags: {
      begin: '<minimax:tool_call>',
      beforeName: '<invoke name="',
      afterName: '">',
      beforeKey: '<parameter name="',
      afterKey: ['">'],
      afterValue: '</parameter>',
      end: '</invoke>',
    },
  },
  /** Llama 3.1 to 3.3: the answer is the bare object. */
  llama3: {
    name: 'llama3',
    open: '',
    beforeName: '{"name": "',
    beforeArguments: '", "parameters": ',
    afterArguments: '}',
    separator: '; ',
    close: '',
    call: 'object',
    silent: ['<|python_tag|>'],
  },
  /** Mistral 7B v0.3, Nemo, Small 3. */
  mistral: { name: 'mistral', trigger: '[TOOL_CALLS]', open: '[TOOL_CALLS][', ...listed },
  /** Mistral Small 3.2, Magistral, Devstral: `[TOOL_CALLS]name[ARGS]{…}`. */
  'mistral-args': {
    name: 'mistral-args',
    trigger: '[TOOL_CALLS]',
    open: '',
    beforeName: '[TOOL_CALLS]',
    beforeArguments: '[ARGS]',
    afterArguments: '',
    separator: '',
    close: '',
    call: 'tagged',
    special: true,
  },
  /** Granite 3. */
  granite: { name: 'granite', trigger: '<|tool_call|>', open: '<|tool_call|>[', ...listed },
  /** Phi-4-mini. */
  phi: { name: 'phi', trigger: '<|tool_call|>', open: '<|tool_call|>[', ...listed, close: ']<|/tool_call|>' },
  /** Nemotron Nano 2. */
  nemotron: {
    name: 'nemotron',
    ...listed,
    trigger: '<TOOLCALL>',
    open: '<TOOLCALL>[',
    close: ']</TOOLCALL>',
  },
  /** Command R7B and A. */
  command: {
    name: 'command',
    ...listed,
    trigger: '<|START_ACTION|>',
    open: '<|START_ACTION|>[',
    beforeName: '{"tool_name": "',
    beforeArguments: '", "parameters": ',
    close: ']<|END_ACTION|>',
    silent: ['<|START_RESPONSE|>', '<|END_RESPONSE|>', '<|START_TEXT|>', '<|END_TEXT|>'],
  },
  /** Functionary 3.1 and Llama 3.1 with custom tools: `<function=name>{…}</function>`. */
  functionary: {
    name: 'functionary',
    trigger: '<function=',
    open: '',
    beforeName: '<function=',
    beforeArguments: '>',
    afterArguments: '</function>',
    separator: '',
    close: '',
    call: 'tagged',
  },
  /** DeepSeek V3 and R1: arguments in a fenced block. */
  deepseek: {
    name: 'deepseek',
    ...deepseek,
    beforeName: '<｜tool▁call▁begin｜>function<｜tool▁sep｜>',
    beforeArguments: '\n```json\n',
    afterArguments: '\n```<｜tool▁call▁end｜>',
    separator: '\n',
  },
  /** DeepSeek V3.1 and later. */
  'deepseek-bare': {
    name: 'deepseek-bare',
    ...deepseek,
    beforeName: '<｜tool▁call▁begin｜>',
    beforeArguments: '<｜tool▁sep｜>',
    afterArguments: '<｜tool▁call▁end｜>',
    separator: '',
  },
  /** Kimi K2; it numbers its calls, which nobody reads. */
  kimi: {
    name: 'kimi',
    trigger: '<|tool_calls_section_begin|>',
    open: '<|tool_calls_section_begin|>',
    beforeName: '<|tool_call_begin|>functions.',
    beforeArguments: ':0<|tool_call_argument_begin|>',
    afterArguments: '<|tool_call_end|>',
    separator: '',
    close: '<|tool_calls_section_end|>',
    call: 'tagged',
    special: true,
  },
  /** Gemma 4: `<|tool_call>call:name{key:<|"|>text<|"|>}<tool_call|>`. */
  gemma: {
    name: 'gemma',
    open: '',
    beforeName: '<|tool_call>call:',
    beforeArguments: '',
    afterArguments: '<tool_call|>',
    separator: '',
    close: '',
    call: 'tagged',
    special: true,
    loose: { begin: '<|tool_call>' },
    silent: ['<turn|>'],
  },
  /** gpt-oss. `<|call|>` ends the turn, so a turn holds one call. */
  harmony: {
    name: 'harmony',
    trigger: '<|channel|>commentary to=functions.',
    open: '',
    beforeName: '<|channel|>commentary to=functions.',
    beforeArguments: ' <|constrain|>json<|message|>',
    afterArguments: '',
    separator: '',
    close: '',
    single: true,
    call: 'tagged',
    special: true,
    silent: [
      '<|start|>assistant',
      '<|channel|>final<|message|>',
      '<|channel|>commentary<|message|>',
      '<|end|>',
      '<|call|>',
      '<|return|>',
    ],
  },
}

/** With what a call begins in an answer's text; undefined where it begins as other answers may. */
export function callMark({ trigger, tags, loose }: ToolFormat): string | undefined {
  return trigger ?? tags?.begin ?? loose?.begin
}
