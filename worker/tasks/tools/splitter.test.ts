import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ToolFormat } from '../../engine/dialect/formats.ts'
import { type AnswerPart, AnswerSplitter, type SplitterOptions, TOOL_FORMATS } from './index.ts'

const tools = new Set(['get_weather', 'send', 'a.b-c'])
const think = { open: '<think>', close: '</think>' }
const formats = Object.values(TOOL_FORMATS)

type Told = Exclude<AnswerPart, { at: number }> | { type: 'content' | 'reasoning'; text: string }

/** Joins neighbours of one kind, so that only what was told counts and not when. */
function joined(parts: readonly AnswerPart[]): Told[] {
  const all: Told[] = []
  for (const part of parts) {
    const told = 'at' in part ? { type: part.type, text: part.text } : part
    const last = all.at(-1)
    const joins = last?.type === told.type && 'text' in last && 'text' in told
    const sameCall = !('index' in told) || (last && 'index' in last && last.index === told.index)
    if (joins && sameCall) all[all.length - 1] = { ...told, text: last.text + told.text }
    else all.push(told)
  }
  return all
}

function parts(options: Partial<SplitterOptions>, ...pieces: string[]): AnswerPart[] {
  const splitter = new AnswerSplitter({ tools, ...options })
  return [...pieces.flatMap((piece) => splitter.push(piece)), ...splitter.end()]
}

const split = (options: Partial<SplitterOptions>, ...pieces: string[]) => joined(parts(options, ...pieces))

const content = (text: string): Told => ({ type: 'content', text })
const reasoning = (text: string): Told => ({ type: 'reasoning', text })
const call = (index: number, name: string, text: string): Told[] => [
  { type: 'call', index, name },
  ...(text === '' ? [] : [{ type: 'arguments', index, text } as const]),
]

/** As {@link ToolFormat} says that a turn is written. */
function write(format: ToolFormat, calls: readonly { name: string; json: string }[]): string {
  const { open, beforeName, beforeArguments, afterArguments, separator, close } = format
  const texts = calls.map(({ name, json }) => beforeName + name + beforeArguments + json + afterArguments)
  return open + texts.join(separator) + close
}

const marks = formats.flatMap(({ open, beforeName, close, separator, silent }) => [
  open,
  beforeName,
  close,
  separator,
  ...(silent ?? []),
])
const words = fc.constantFrom(
  ...marks,
  'get_weather',
  '{',
  '}',
  '"',
  '\\',
  ' ',
  '\n',
  'a',
  '😀',
  '<think>',
  '</think>',
  '<',
  '[',
  '{"name": "send", "arguments": {"x": "</tool_call>"}}',
)
const noise = fc.array(words, { maxLength: 12 }).map((parts) => parts.join(''))
/** A text, and the same in pieces cut anywhere. */
const cut = (text: string) =>
  fc.array(fc.nat(text.length), { maxLength: 8 }).map((places) => {
    const sorted = [0, ...places.toSorted((a, b) => a - b), text.length]
    return sorted.slice(1).map((end, index) => text.slice(sorted[index], end))
  })

describe('AnswerSplitter', () => {
  it('passes plain text through, blanks and all', () => {
    expect(split({}, ' Hello', '\n\n')).toEqual([content(' Hello\n\n')])
    expect(split({ toolFormat: TOOL_FORMATS.hermes }, ' a <', 'b> ')).toEqual([content(' a <b> ')])
    const splitter = new AnswerSplitter({ tools })
    expect(splitter.push('Hello ')).toEqual([{ type: 'content', at: 0, text: 'Hello ' }])
  })

  it.each(formats)('reads what a grammar for $name writes, cut anywhere', (format) => {
    const json = fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.stringify(value))
    const calls = fc.array(fc.record({ name: fc.constantFrom(...tools), json }), {
      minLength: 1,
      maxLength: format.name === 'harmony' ? 1 : 3,
    })
    const cases = calls.chain((list) => fc.tuple(fc.constant(list), cut(write(format, list))))
    fc.assert(
      fc.property(cases, ([list, pieces]) => {
        const expected = list.flatMap(({ name, json }, index) => call(index, name, json))
        expect(split({ toolFormat: format }, ...pieces)).toEqual(expected)
      }),
    )
  })

  it('does not depend on where any text was cut, and shows all of it where nothing is a call', () => {
    const cases = noise.chain((text) =>
      fc.tuple(fc.constant(text), cut(text), fc.constantFrom(...formats), fc.boolean(), fc.boolean()),
    )
    fc.assert(
      fc.property(cases, ([text, pieces, toolFormat, thinks, insideReasoning]) => {
        const options = {
          toolFormat,
          insideReasoning: thinks && insideReasoning,
          ...(thinks && { reasoning: think }),
        }
        expect(split(options, ...pieces)).toEqual(split(options, text))
        for (const part of parts(options, ...pieces))
          if ('at' in part)
            expect(text.slice(part.at)).toSatisfy((rest: string) => rest.startsWith(part.text))
        const { silent: _, ...shown } = toolFormat
        expect(split({ tools: new Set(), toolFormat: shown }, ...pieces)).toEqual(
          text === '' ? [] : [content(text)],
        )
      }),
      { numRuns: 1000 },
    )
  })

  it('never shows half a mark, and tells what it is in and where its parts stand', () => {
    const splitter = new AnswerSplitter({ tools, reasoning: think, toolFormat: TOOL_FORMATS.hermes })
    expect(splitter.push('<thi')).toEqual([])
    expect(splitter.inReasoning).toBe(false)
    expect(splitter.push('nk>\nHm')).toEqual([{ ...reasoning('Hm'), at: 8 }])
    expect(splitter.push('.\n</')).toEqual([{ ...reasoning('.'), at: 10 }])
    expect(splitter.inReasoning).toBe(true)
    expect(splitter.push('think>\n\nLet me see.\n<tool')).toEqual([{ ...content('Let me see.'), at: 22 }])
    expect(splitter.inReasoning).toBe(false)
    expect(splitter.push('_call>\n{"name": "get_')).toEqual([])
    expect(splitter.push('weather", "arguments": ')).toEqual([])
    expect(splitter.push('{"city": "Par')).toEqual([...call(0, 'get_weather', '{"city": "Par')])
    expect(splitter.push('is"}}\n</tool_call>')).toEqual([{ type: 'arguments', index: 0, text: 'is"}' }])
    expect(splitter.end()).toEqual([])
  })

  it('keeps a mark inside a string in the string', () => {
    const json = '{"text":"</tool_call> \\" } <tool_call>","more":[{"a":"]"}]}'
    const text = write(TOOL_FORMATS.hermes, [
      { name: 'send', json },
      { name: 'send', json: '{}' },
    ])
    expect(split({ toolFormat: TOOL_FORMATS.hermes }, text)).toEqual([
      ...call(0, 'send', json),
      ...call(1, 'send', '{}'),
    ])
  })

  it.each([
    ['<tool_call>{"name":"send","arguments":{"a":1}}</tool_call>', '{"a":1}'],
    ['<tool_call>\n{"arguments": {"a": 1}, "name": "send"}\n</tool_call>', '{"a": 1}'],
    ['<tool_call>{"id": "x", "type": "function", "name": "send"}</tool_call>', '{}'],
    ['<tool_call>{"name": "send", "arguments": null}</tool_call>', '{}'],
    ['<tool_call>{"name": "send", "arguments": "{\\"a\\": 1}"}</tool_call>', '{"a": 1}'],
    ['<tool_call>{"name": "send", "arguments": {"a": 1}, "id": 7}}</tool_call>\n', '{"a": 1}'],
    ['<tool_call>{"name": "send", "arguments": {"a": 1', '{"a": 1'],
    ['<tool_call>{"name": "send", "arguments": ', ''],
    ['<tool_call>{"name": "send", "arguments": "half', '"half'],
  ])('takes a call as models vary it: %s', (text, json) => {
    expect(split({ toolFormat: TOOL_FORMATS.hermes }, text)).toEqual(call(0, 'send', json))
  })

  it.each([
    '<tool_call>{"name": "rm", "arguments": {}}</tool_call>',
    '<tool_call>{"name": 7}</tool_call>',
    '<tool_call> is how it writes a call',
    '<tool_call>{"x": 1}',
    '<tool_call>{"name": "se',
  ])('leaves as content what calls no tool: %s', (text) => {
    expect(split({ toolFormat: TOOL_FORMATS.hermes }, `Hi\n${text}`)).toEqual([content(`Hi\n${text}`)])
  })

  it('reads on behind calls', () => {
    const one = write(TOOL_FORMATS.hermes, [{ name: 'send', json: '{}' }])
    expect(split({ toolFormat: TOOL_FORMATS.hermes }, `First ${one}\n\nThen`)).toEqual([
      content('First'),
      ...call(0, 'send', '{}'),
      content('\n\nThen'),
    ])
    expect(split({ toolFormat: TOOL_FORMATS.hermes }, `${one}\nThen`)).toEqual([
      ...call(0, 'send', '{}'),
      content('Then'),
    ])
  })

  it('takes a bare object for a call at the beginning of an answer only', () => {
    const options = { toolFormat: TOOL_FORMATS.llama3 }
    const json = '{"name": "send", "parameters": {"a": 1}}'
    expect(split(options, `<|python_tag|>${json}`)).toEqual(call(0, 'send', '{"a": 1}'))
    expect(split(options, `See ${json}`)).toEqual([content(`See ${json}`)])
    expect(joined(new AnswerSplitter({ tools, ...options }).push('{"city": "'))).toEqual([
      content('{"city": "'),
    ])
  })

  describe('arguments between tags', () => {
    const parameters = () => ({
      properties: {
        text: { type: 'string' },
        unit: { enum: ['C', 'F'] },
        maybe: { type: ['string', 'null'] },
        count: { type: 'integer' },
        list: { type: 'array' },
      },
    })
    const qwen = { toolFormat: TOOL_FORMATS['hermes-tags'], parameters }
    const glm = { toolFormat: TOOL_FORMATS.glm, parameters }
    const writeQwen = (args: readonly (readonly [string, string])[]) => {
      const list = args.map(([key, value]) => `<parameter=${key}>\n${value}\n</parameter>\n`)
      return `<tool_call>\n<function=send>\n${list.join('')}</function>\n</tool_call>`
    }
    const writeGlm = (args: readonly (readonly [string, string])[]) => {
      const list = args.map(([key, value]) => `<arg_key>${key}</arg_key>\n<arg_value>${value}</arg_value>\n`)
      return `<tool_call>send\n${list.join('')}</tool_call>`
    }
    const minimax = { toolFormat: TOOL_FORMATS.minimax, parameters }
    const writeMinimax = (args: readonly (readonly [string, string])[]) => {
      const list = args.map(([key, value]) => `<parameter name="${key}">${value}</parameter>\n`)
      return `<minimax:tool_call>\n<invoke name="send">\n${list.join('')}</invoke>\n</minimax:tool_call>`
    }
    const argumentsOf = (parts: readonly Told[]) =>
      parts.map((part) => (part.type === 'arguments' ? part.text : '')).join('')

    it.each([
      [qwen, writeQwen],
      [glm, writeGlm],
      [minimax, writeMinimax],
    ] as const)('become the object that they mean, cut anywhere', (options, write) => {
      const value = fc.record({
        text: fc.string().filter((text) => !/^\n|\n$|<\/(parameter|arg_value)>/.test(text)),
        unit: fc.constantFrom('C', 'F'),
        maybe: fc.constantFrom('null', '7', 'True'),
        count: fc.integer(),
        list: fc.array(
          fc.oneof(
            fc.integer(),
            fc.string().filter((text) => !text.includes('<')),
          ),
        ),
        other: fc.constantFrom(true, 'True ', 'words', 7),
      })
      const cases = value.chain((args) => {
        const texts = Object.entries(args).map(
          ([key, arg]) => [key, typeof arg === 'string' ? arg : JSON.stringify(arg)] as const,
        )
        return fc.tuple(fc.constant(args), cut(write(texts)))
      })
      fc.assert(
        fc.property(cases, ([args, pieces]) => {
          const parts = split(options, ...pieces)
          expect(parts[0]).toEqual({ type: 'call', index: 0, name: 'send' })
          expect(parts).toHaveLength(2)
          expect(JSON.parse(argumentsOf(parts))).toEqual({
            ...args,
            maybe: args.maybe === 'null' ? null : args.maybe,
            other: args.other === 'True ' ? true : args.other,
          })
        }),
      )
    })

    it('may be none, several calls, and the form that a grammar forces', () => {
      expect(split(qwen, `Hm\n${writeQwen([])}\n${writeQwen([['count', '1']])}`)).toEqual([
        content('Hm'),
        ...call(0, 'send', '{}'),
        ...call(1, 'send', '{"count": 1}'),
      ])
      expect(split(glm, writeGlm([]) + writeGlm([['a', 'x']]))).toEqual([
        ...call(0, 'send', '{}'),
        ...call(1, 'send', '{"a": "x"}'),
      ])
      expect(split(glm, '<tool_call>\n{"name": "send", "arguments": {}}\n</tool_call>')).toEqual(
        call(0, 'send', '{}'),
      )
    })

    it('are no whole object when the answer was cut off', () => {
      expect(split(qwen, writeQwen([['text', 'a"b']]).slice(0, -38))).toEqual(
        call(0, 'send', '{"text": "a\\"b'),
      )
      expect(split(qwen, '<tool_call>\n<function=send>\n<parameter=count>\n1\n</parameter>\n')).toEqual(
        call(0, 'send', '{"count": 1'),
      )
    })

    it.each([
      '<tool_call>\n<function=rm>\n</function>\n</tool_call>',
      '<tool_call>send it',
      '<function=send>',
    ])('are content where they call nothing: %s', (text) => {
      expect(split(qwen, text)).toEqual([content(text)])
      expect(split(glm, text)).toEqual([content(text)])
    })
  })

  describe('arguments as Gemma writes them', () => {
    const options = { toolFormat: TOOL_FORMATS.gemma }
    const loosely = (value: unknown): string => {
      if (typeof value === 'string') return `<|"|>${value}<|"|>`
      if (Array.isArray(value)) return `[${value.map(loosely).join(',')}]`
      if (typeof value !== 'object' || value === null) return JSON.stringify(value)
      return `{${Object.entries(value)
        .map(([key, item]) => `${key}:${loosely(item)}`)
        .join(',')}}`
    }

    it('become JSON, cut anywhere', () => {
      const text = fc.string({ unit: fc.constantFrom('a', '"', '\\', '}', ',', ':', '\n', '<', '😀') })
      const { value } = fc.letrec((tie) => ({
        value: fc.oneof(
          { maxDepth: 2 },
          text,
          fc.integer(),
          fc.boolean(),
          fc.constant(null),
          fc.array(tie('value')),
          tie('object'),
        ),
        object: fc.dictionary(fc.stringMatching(/^[a-z][a-z_-]{0,6}$/), tie('value')),
      }))
      const cases = fc
        .dictionary(fc.stringMatching(/^[a-z][a-z_-]{0,6}$/), value)
        .chain((args) =>
          fc.tuple(fc.constant(args), cut(`<|tool_call>call:send${loosely(args)}<tool_call|>`)),
        )
      fc.assert(
        fc.property(cases, ([args, pieces]) => {
          const parts = split(options, ...pieces)
          expect(parts).toEqual(call(0, 'send', expect.any(String) as never))
          expect(parts[1]).toSatisfy((part: { text: string }) =>
            isDeepStrictEqual(JSON.parse(part.text), JSON.parse(JSON.stringify(args))),
          )
        }),
      )
    })

    it('may follow each other, and end early', () => {
      const two = '<|tool_call>call:send{a: 1,b:yes}<tool_call|><|tool_call>call:get_weather{}<tool_call|>'
      expect(split(options, two)).toEqual([
        ...call(0, 'send', '{"a":1,"b":"yes"}'),
        ...call(1, 'get_weather', '{}'),
      ])
      expect(split(options, '<|tool_call>call:send{a:<|"|>ha')).toEqual(call(0, 'send', '{"a":"ha'))
      expect(split(options, '<|tool_call>call:send{"a":"ha')).toEqual(call(0, 'send', '{"a":"ha'))
      expect(split(options, '<|tool_call>call:rm{}<tool_call|>')).toEqual([
        content('<|tool_call>call:rm{}<tool_call|>'),
      ])
    })
  })

  it('reads the channels of gpt-oss', () => {
    const harmony = {
      reasoning: { open: '<|channel|>analysis<|message|>', close: '<|end|>' },
      toolFormat: TOOL_FORMATS.harmony,
    }
    const thought = '<|channel|>analysis<|message|>Weather?<|end|><|start|>assistant'
    expect(split(harmony, `${thought}<|channel|>final<|message|>It rains.`)).toEqual([
      reasoning('Weather?'),
      content('It rains.'),
    ])
    const called =
      '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city":"Paris"}<|call|>'
    expect(split(harmony, thought + called)).toEqual([
      reasoning('Weather?'),
      ...call(0, 'get_weather', '{"city":"Paris"}'),
    ])
    expect(split({ ...harmony, tools: new Set() }, '<|channel|>final<|message|>Hi')).toEqual([content('Hi')])
  })

  it('tells reasoning that the prompt began, that never ends, and that only seems to begin', () => {
    const options = { reasoning: think, insideReasoning: true }
    expect(split(options, '\nHm\n</think>\n\nYes ')).toEqual([reasoning('Hm'), content('Yes ')])
    expect(split(options, 'Hm </thin')).toEqual([reasoning('Hm </thin')])
    expect(split(options, '\n\n</think>\n\nYes')).toEqual([content('Yes')])
    expect(split({ reasoning: think }, 'The mark is <think>.')).toEqual([content('The mark is <think>.')])
  })

  it('is not slowed by a call that never comes to its name', () => {
    const splitter = new AnswerSplitter({ tools, toolFormat: TOOL_FORMATS.hermes })
    const shown = [...splitter.push('<tool_call>{"arguments": {"a": "')]
    for (let i = 0; i < 20_000; i++) shown.push(...splitter.push('word '))
    expect(joined(shown)).toEqual([
      content(expect.stringMatching(/^<tool_call>\{"arguments": \{"a": "word/) as never),
    ])
  })
})
