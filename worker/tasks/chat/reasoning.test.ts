import { describe, expect, it } from 'vitest'
import { type ScriptedOptions, scriptedEngine } from '../../engine/testing/scripted.ts'
import { validateAgainstOpenAi } from '../../testing/openai-schemas.ts'
import { run as runPath } from '../testing.ts'

const messages = [{ role: 'user', content: 'Hi' }]
const info = { reasoning: { open: '<think>', close: '</think>' } }
const plain = { stream: true, stream_options: { include_obfuscation: false } }

const run = (body: Record<string, unknown>, engine: ScriptedOptions) =>
  runPath('/v1/chat/completions', { messages, ...body }, scriptedEngine({ info, ...engine }))

describe('reasoning', () => {
  const thinks = { script: () => ['<think>', 'let me', ' see', '</think>', '\n', '42'] }

  it('has a field and a count of its own', async () => {
    const { body, result } = await run({}, thinks)
    validateAgainstOpenAi('Chat', body)
    expect(body.choices).toMatchObject([{ message: { content: '42', reasoning_content: 'let me see' } }])
    expect(result.usage).toMatchObject({
      completion_tokens: 6,
      completion_tokens_details: { reasoning_tokens: 4 },
    })
  })

  it('streams before the content', async () => {
    const { documents } = await run(plain, thinks)
    for (const document of documents) validateAgainstOpenAi('ChatChunk', document)
    const deltas = documents.map((document) => (document.choices as { delta: object }[])[0]?.delta)
    expect(deltas).toEqual([
      { role: 'assistant', content: '', refusal: null },
      { reasoning_content: 'let me' },
      { reasoning_content: ' see' },
      { content: '42' },
      {},
    ])
  })

  it('may have begun in the prompt, and may take all the tokens', async () => {
    const { body } = await run(
      { max_tokens: 2 },
      { script: () => ['still ', 'thinking', '…'], reasoning: () => true },
    )
    expect(body.choices).toMatchObject([
      { finish_reason: 'length', message: { content: '', reasoning_content: 'still thinking' } },
    ])
    expect(body.usage).toMatchObject({ completion_tokens_details: { reasoning_tokens: 2 } })
  })

  it('is asked for as much as the request says', async () => {
    const engine = scriptedEngine({ info })
    await runPath('/v1/chat/completions', { messages, reasoning_effort: 'low' }, engine)
    expect(engine.runs[0]?.request).toMatchObject({ prompt: { reasoningEffort: 'low' }, specialText: true })
  })

  it('is free of the grammar that holds the answer', async () => {
    const engine = scriptedEngine({ info, script: () => ['{}'] })
    const body = { messages, response_format: { type: 'json_object' } }
    await runPath('/v1/chat/completions', body, engine)
    const grammar = engine.runs[0]?.request.grammar
    expect(grammar?.gbnf).toMatch(/^root ::= \("<think>" until-0 blanks\)\? x-root\n/)
    expect(grammar?.insideReasoning).toMatchObject({
      triggers: ['</think>'],
      gbnf: expect.stringMatching(/^root ::= "<\/think>" blanks x-root\n/),
    })
    await runPath('/v1/chat/completions', { ...body, reasoning_effort: 'none' }, engine)
    expect(engine.runs[1]?.request.grammar).toEqual({ gbnf: expect.stringMatching(/^root ::= /) })
    expect(engine.runs[1]?.request.grammar?.gbnf).not.toContain('think')
  })
})
