/** @module What a model was taught, told by the text of its chat template: how it writes tool calls and reasoning. */

import type { ModelInfo, ToolFormatName } from '../types.ts'

/** In this order: earlier marks are rarer. Each test sees a template that mentions tools. */
const toolMarks: readonly (readonly [ToolFormatName, (has: (text: string) => boolean) => boolean])[] = [
  ['harmony', (has) => has('<|channel|>') && has('functions.')],
  ['mistral-args', (has) => has('[TOOL_CALLS]') && has('[ARGS]')],
  ['mistral', (has) => has('[TOOL_CALLS]')],
  ['deepseek', (has) => has('<｜tool▁calls▁begin｜>') && has('```json')],
  ['deepseek-bare', (has) => has('<｜tool▁calls▁begin｜>')],
  ['gemma', (has) => has('<|tool_call>call:')],
  ['kimi', (has) => has('<|tool_calls_section_begin|>')],
  ['minimax', (has) => has('<minimax:tool_call>') && has('<invoke name=')],
  ['nemotron', (has) => has('<TOOLCALL>')],
  ['command', (has) => has('<|START_ACTION|>')],
  ['phi', (has) => has('<|tool_call|>') && has('<|/tool_call|>')],
  ['granite', (has) => has('<|tool_call|>')],
  ['hermes-tags', (has) => has('<tool_call>') && has('<function=') && has('<parameter=')],
  ['glm', (has) => has('<tool_call>') && has('<arg_key>')],
  ['hermes', (has) => has('<tool_call>') && (has('{"name": ') || has('{\\"name\\": '))],
  ['functionary', (has) => has('<function=')],
  ['llama3', (has) => has('<|start_header_id|>') && has('"parameters": ')],
]

/** gpt-oss writes its channels from variables: only the mark itself stands in its template. */
const harmonyReasoning = { open: '<|channel|>analysis<|message|>', close: '<|end|>' }

const reasoningMarks: readonly NonNullable<ModelInfo['reasoning']>[] = [
  { open: '[THINK]', close: '[/THINK]' },
  { open: '<think>', close: '</think>' },
  { open: '<thought>', close: '</thought>' },
  { open: '<|channel>thought', close: '<channel|>' },
  { open: '<seed:think>', close: '</seed:think>' },
  { open: '<|START_THINKING|>', close: '<|END_THINKING|>' },
]

/** @returns undefined for a model that was taught no tools, or only in a way that we cannot read. */
export function toolFormatOf(template: string | undefined): ToolFormatName | undefined {
  if (template === undefined || !/tools\b/.test(template)) return undefined
  return toolMarks.find(([, matches]) => matches((text) => template.includes(text)))?.[0]
}

/** @returns undefined for a model whose template knows of no reasoning. */
export function reasoningOf(template: string | undefined): ModelInfo['reasoning'] {
  if (template === undefined) return undefined
  if (template.includes('<|channel|>')) return harmonyReasoning
  return reasoningMarks.find(({ close }) => template.includes(close))
}

/** Families whose models are asked to translate in words of their own; each test sees a name as a slug. */
const translators: readonly (readonly [string, RegExp])[] = [
  ['hunyuan-mt', /\b(hunyuan|hy)-?mt/],
  ['seed-x', /\bseed-?x\b/],
  ['translategemma', /\btranslate-?gemma/],
]

/**
 * @param names what the file calls the model, as slugs, the most telling first
 * @returns `hunyuan-mt`, `seed-x` and `translategemma` for these; else the first name
 */
export function familyOf(names: readonly string[], template: string | undefined): string | undefined {
  if (isTranslateGemma(template)) return 'translategemma'
  const translator = translators.find(([, pattern]) => names.some((name) => pattern.test(name)))
  return translator?.[0] ?? names[0]
}

/** Its template takes language codes beside the text of a message. */
export function isTranslateGemma(template: string | undefined): boolean {
  return template?.includes('source_lang_code') === true && template.includes('target_lang_code')
}
