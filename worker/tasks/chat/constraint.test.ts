import { expect, it } from 'vitest'
import { parseChatRequest } from '../../protocol/chat.ts'
import { TOOL_FORMATS } from '../tools/index.ts'
import { constraintOf } from './constraint.ts'

const costly = {
  type: 'object',
  properties: { x: { type: 'string', pattern: '^((((a{0,9}){0,9}){0,9}))$' } },
  additionalProperties: false,
}
const cheap = { type: 'object', properties: { marker: { type: 'boolean' } }, additionalProperties: false }

function constrain(schemas: readonly object[]) {
  const tools = schemas.map((parameters, index) => ({
    type: 'function',
    function: { name: `f${index}`, parameters },
  }))
  const request = parseChatRequest({
    model: 'm',
    messages: [{ role: 'user', content: 'x' }],
    tools,
    tool_choice: 'required',
  })
  return constraintOf({
    request,
    tools: request.tools.map((tool, index) => ({ tool, index })),
    format: TOOL_FORMATS.generic,
    reasoning: undefined,
    paths: { prompt: 'messages', schema: '', tool: (_, index) => `tools[${index}]` },
  })
}

it('shares what compiling may cost among all tools: past it they may take any object', () => {
  const markers = (schemas: readonly object[]) => constrain(schemas)?.gbnf.match(/\bmarker\b(?!-)/g)?.length
  const one = markers([cheap])
  expect(one).toBeGreaterThan(0)
  // Each for itself is within the bound; all of them together took minutes of everybody's.
  const many = Array.from({ length: 126 }, () => costly)
  expect(markers([cheap, ...many, cheap])).toBe(one)
})

it('holds each tool to its schema that can be held, whatever becomes of the others', () => {
  const unwritable = { type: 'object', properties: { x: { type: 'string', pattern: '(?=a)b' } } }
  const gbnf = constrain([cheap, unwritable, cheap])?.gbnf
  expect(gbnf?.match(/marker\\"/g)).toHaveLength(2)
  expect(gbnf).toContain('f1')
})
