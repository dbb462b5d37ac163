import { describe, expect, it } from 'vitest'
import * as templates from '../testing/templates.ts'
import { TOOL_FORMATS } from './formats.ts'
import { reasoningOf, toolFormatOf } from './recognise.ts'

const byName = new Map(Object.entries(templates))

describe('what a template tells', () => {
  it.each([
    ['qwen', 'hermes', '<think>'],
    ['qwenCoder', 'hermes-tags', undefined],
    ['llama3', 'llama3', undefined],
    ['mistral', 'mistral', undefined],
    ['deepseekR1', undefined, '<think>'],
    ['gemma', undefined, undefined],
    ['harmony', 'harmony', '<|channel|>analysis<|message|>'],
    ['translateGemma', undefined, undefined],
  ])('%s: tools as %s, reasoning behind %s', (name, format, open) => {
    expect(toolFormatOf(byName.get(name))).toBe(format)
    expect(reasoningOf(byName.get(name))?.open).toBe(open)
  })

  it('is no reasoning where a turn ends as the reasoning of another family does', () => {
    expect(reasoningOf('<|user|>{{ content }}<|end|><|assistant|>')).toBeUndefined()
  })

  it.each([
    ["{% if tools %}[TOOL_CALLS]{{ name + '[ARGS]' }}", 'mistral-args'],
    ['{% if tools %}<｜tool▁calls▁begin｜>```json', 'deepseek'],
    ['{% if tools %}<｜tool▁calls▁begin｜>', 'deepseek-bare'],
    ['{% if tools %}<|START_ACTION|>', 'command'],
    ['{% if tools %}<|tool_calls_section_begin|>', 'kimi'],
    ['{% if tools %}<|tool_call>call:', 'gemma'],
    ['{% if tools %}<minimax:tool_call><invoke name="', 'minimax'],
    ['{% if tools %}<TOOLCALL>', 'nemotron'],
    ['{% if xml_tools %}<tool_call>{"name": ', 'hermes'],
    ['{% if tools %}<|tool_call|><|/tool_call|>', 'phi'],
    ['{% if tools %}<|tool_call|>', 'granite'],
    ['{% if tools %}<function=', 'functionary'],
    ['{% if tools %}<tool_call><arg_key>', 'glm'],
    ['{% if tools %}<tool_call>\n<function=f>\n<parameter=p>', 'hermes-tags'],
    ['{% if tools %}<tool_call>{\\"name\\": ', 'hermes'],
    ['{% if tools %}<tool_call><invoke name=', undefined],
    ['no mention, only <tool_call>{"name": ', undefined],
    [undefined, undefined],
  ])('%s: %s', (template, format) => {
    expect(toolFormatOf(template)).toBe(format)
  })
})

describe('TOOL_FORMATS', () => {
  it.each(Object.entries(TOOL_FORMATS))('%s begins with its trigger, by its own name', (name, format) => {
    expect(format.name).toBe(name)
    expect((format.open + format.beforeName).startsWith(format.trigger ?? '')).toBe(true)
  })
})
