import { describe, expect, it } from 'vitest'
import { ApiError } from '../../protocol/errors.ts'
import { TOOL_FORMATS } from '../tools/index.ts'
import { type CallFormat, toolCallGbnf } from './index.ts'
import { GbnfMatcher } from './testing.ts'

const city = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
}
const tools = [
  { name: 'weather', schema: city, path: 'tools[0].function.parameters' },
  {
    name: 'weather-now',
    schema: { $ref: '#/$defs/c', $defs: { c: city } },
    path: 'tools[1].function.parameters',
  },
  { name: 'stop', schema: {}, path: 'tools[2].function.parameters' },
]

function matcher(format: CallFormat, parallel: boolean): GbnfMatcher {
  return new GbnfMatcher(toolCallGbnf({ format, tools, parallel }))
}

describe.each(Object.values(TOOL_FORMATS))('calls as $name writes them', (format) => {
  const call = (name: string, json: string): string =>
    format.beforeName + name + format.beforeArguments + json + format.afterArguments
  const turn = (...calls: string[]): string => format.open + calls.join(format.separator) + format.close
  const rome = call('weather', '{"city": "Rome"}')

  it('name a tool and hold its schema', () => {
    const grammar = matcher(format, false)
    expect(grammar.matches(turn(rome))).toBe(true)
    expect(grammar.matches(turn(call('weather-now', '{"city":"a"}')))).toBe(true)
    expect(grammar.matches(turn(call('stop', '{"any": ["thing"]}')))).toBe(true)
    expect(grammar.matches(turn(call('weather', '{}')))).toBe(false)
    expect(grammar.matches(turn(call('weathe', '{"city":"a"}')))).toBe(false)
    expect(grammar.matches(turn(call('stop', '[]')))).toBe(false)
    expect(grammar.matches(`text ${turn(rome)}`)).toBe(false)
  })

  it('are one unless several may be', () => {
    const many = format.single !== true
    expect(matcher(format, true).matches(turn(rome, rome))).toBe(many)
    expect(matcher(format, false).matches(turn(rome, rome))).toBe(false)
  })
})

it('says which tool has a schema that cannot be held', () => {
  const bad = { name: 'x', schema: { type: 'object', not: {} }, path: 'tools[3].function.parameters' }
  const call = (): string =>
    toolCallGbnf({ format: TOOL_FORMATS.hermes, tools: [...tools, bad], parallel: true })
  expect(call).toThrow(ApiError)
  expect(call).toThrow(/tools\[3\]\.function\.parameters\.not/)
})

it('holds strict tools to the rules of strict mode', () => {
  const open = { name: 'x', schema: { type: 'object', properties: {} }, path: 'tools[0].function.parameters' }
  const call = (strict: boolean): string =>
    toolCallGbnf({ format: TOOL_FORMATS.hermes, tools: [{ ...open, strict }], parallel: true })
  expect(() => call(true)).toThrow(/additionalProperties' must be there and false in strict mode/)
  expect(() => call(false)).not.toThrow()
})
