import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ChildEngine, embeddedModel, startEngine } from '../../engine/index.ts'
import { TOOL_FORMATS } from '../tools/index.ts'
import { jsonObjectGbnf, schemaToGbnf, toolCallGbnf } from './index.ts'
import { person, schemaCases } from './schema-cases.ts'
import { GbnfMatcher } from './testing.ts'

const ajv = new Ajv2020({ strict: false })
let engine: ChildEngine

beforeAll(async () => {
  engine = await startEngine({ modelPath: embeddedModel.path, gpu: 'off', threads: 1, sequences: 4 })
})

afterAll(() => engine?.close())

async function write(gbnf: string, maxTokens: number, seed = 1): Promise<{ text: string; finish: string }> {
  const request = {
    prompt: { kind: 'chat', messages: [{ role: 'user', content: 'What is Chrysalis?' }] },
    maxPromptTokens: 100,
    maxTokens,
    sampling: { temperature: 1, topP: 1, presencePenalty: 0, frequencyPenalty: 0, seed },
    stop: [],
    grammar: { gbnf },
  } as const
  const answer = { text: '', finish: '' }
  for await (const event of engine.generate(request, new AbortController().signal)) {
    if (event.type === 'text') answer.text += event.text
    if (event.type === 'end') answer.finish = event.finishReason
  }
  return answer
}

describe('the real engine', () => {
  it.each(Object.entries(schemaCases))('takes the grammar of: %s', async (_, { schema }) => {
    const gbnf = schemaToGbnf(schema, 'schema')
    const { text } = await write(gbnf, 8)
    expect(text).not.toBe('')
  })

  const short = { type: 'string', maxLength: 12 }
  const held: Record<string, object> = {
    'an object': {
      ...person,
      properties: { name: short, age: { type: 'integer', minimum: 18, maximum: 99 } },
      required: ['name', 'age'],
    },
    'a list of choices': {
      type: 'array',
      items: { enum: ['red', 'green', 'blue'] },
      minItems: 2,
      maxItems: 4,
    },
    'a pattern': { type: 'string', pattern: '^[A-Z]{2}-\\d{3}$' },
    'a date': { type: 'string', format: 'date' },
    alternatives: {
      anyOf: [
        {
          type: 'object',
          properties: { kind: { const: 'a' }, n: { type: 'number', minimum: 0, maximum: 1 } },
          required: ['kind', 'n'],
          additionalProperties: false,
        },
        { type: 'null' },
      ],
    },
    recursion: {
      type: 'object',
      properties: { name: short, next: { anyOf: [{ $ref: '#' }, { type: 'null' }] } },
      required: ['name', 'next'],
      additionalProperties: false,
    },
  }

  it.each(Object.entries(held))('writes what the schema wants: %s', async (_, schema) => {
    const gbnf = schemaToGbnf(schema, 'schema')
    const validate = ajv.compile({ ...schema })
    const grammar = new GbnfMatcher(gbnf)
    for (const seed of [1, 2, 3]) {
      const { text, finish } = await write(gbnf, 300, seed)
      expect(finish, text).toBe('stop')
      expect(validate(JSON.parse(text)), text).toBe(true)
      expect(grammar.matches(text), text).toBe(true)
    }
  })

  it('writes a JSON object', async () => {
    const { text } = await write(jsonObjectGbnf(), 40)
    expect(text.startsWith('{')).toBe(true)
  })

  it.each(Object.values(TOOL_FORMATS).map((format) => [format.name, format] as const))(
    'calls tools as %s does',
    async (_, format) => {
      const schema = { type: 'object', properties: { city: { enum: ['Bern', 'Rome'] } }, required: ['city'] }
      const tools = ['weather', 'time'].map((name) => ({ name, schema, path: `tools.${name}` }))
      const gbnf = toolCallGbnf({ format, tools, parallel: false })
      const { text, finish } = await write(gbnf, 200)
      expect(finish, text).toBe('stop')
      const before = format.open + format.beforeName
      expect(text.startsWith(before)).toBe(true)
      const name = tools.map((tool) => tool.name).find((name) => text.startsWith(name, before.length)) ?? ''
      const json = text.slice(before.length + name.length + format.beforeArguments.length)
      expect(json).toMatch(/^\{"city": ?"(Bern|Rome)"\}/)
    },
  )
})
