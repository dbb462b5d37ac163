import { describe, expect, it } from 'vitest'
import { MAX_CONTENT_BYTES } from '../../../attest/seal/constants.ts'
import { Gate, type ScriptedOptions, scriptedEngine } from '../../engine/testing/scripted.ts'
import type { GenerateRequest } from '../../engine/types.ts'
import type { TaskContext } from '../index.ts'
import { run as runPath } from '../testing.ts'

const path = '/v1/translations'
const run = (
  body: Record<string, unknown>,
  options: ScriptedOptions = {},
  changes: Partial<TaskContext> = {},
) => runPath(path, { target_language: 'de', ...body }, scriptedEngine(options), changes)

/** Says source, target and text of the request: one token each. */
function echo({ prompt }: GenerateRequest): string[] {
  if (prompt.kind !== 'translation') throw new Error('a translation is asked for')
  return [`${prompt.source}>${prompt.target}`, ':', prompt.text]
}

describe('a translation', () => {
  it('is one document with usage', async () => {
    const { body, result } = await run({ input: 'Good morning' }, { script: echo })
    expect(body).toEqual({
      object: 'translation',
      id: 'trans-req-1',
      created: 1_750_000_000,
      model: 'chrysalis/scripted',
      data: [{ index: 0, text: 'en>de:Good morning', detected_source_language: 'en' }],
      usage: {
        prompt_tokens: 12,
        completion_tokens: 3,
        total_tokens: 15,
        prompt_tokens_details: { cached_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0 },
      },
    })
    expect(result.finishReason).toBe('stop')
  })

  it('takes many texts, each in its own language, and keeps their order', async () => {
    const input = ['Where is the station?', 'Où est la gare ?', '¿Dónde está la estación?', 'Где вокзал?']
    const { body } = await run({ input }, { script: echo, sequences: 2 })
    expect(body.data).toMatchObject(
      ['en', 'fr', 'es', 'ru'].map((language, index) => ({
        index,
        text: `${language}>de:${input[index]}`,
        detected_source_language: language,
      })),
    )
    expect(body.usage).toMatchObject({ completion_tokens: 12 })
  })

  it('returns at once what needs no translation', async () => {
    const engine = scriptedEngine({ script: echo })
    const input = ['', '  ', '42 + 1 🙂', 'Wo ist der Bahnhof?', 'The book']
    const { body } = await runPath(path, { target_language: 'de', input }, engine)
    expect(body.data).toMatchObject([
      { text: '', detected_source_language: 'und' },
      { text: '  ', detected_source_language: 'und' },
      { text: '42 + 1 🙂', detected_source_language: 'und' },
      { text: 'Wo ist der Bahnhof?', detected_source_language: 'de' },
      { text: 'en>de:The book', detected_source_language: 'en' },
    ])
    expect(engine.runs).toHaveLength(1)
  })

  it('believes a given source language, and serves regions by their language', async () => {
    const { body } = await run(
      { input: 'Hola', source_language: 'FR-ca', target_language: 'en-GB' },
      { script: echo },
    )
    expect(body.data).toMatchObject([{ text: 'fr>en:Hola', detected_source_language: 'fr' }])
  })

  it('takes sentences and lines one by one for a model of single sentences', async () => {
    const engine = scriptedEngine({
      script: ({ prompt }) => [prompt.kind === 'translation' ? `<${prompt.text}>` : ''],
    })
    const input = ' Good morning!  How are you?\n\n- The book is red.\n123\n'
    const { body } = await runPath(path, { target_language: 'de', input }, engine)
    expect(body.data).toMatchObject([
      { text: ' <Good morning!>  <How are you?>\n\n<- The book is red.>\n123\n' },
    ])
    expect(body.usage).toMatchObject({ completion_tokens: 3 })
    const general = scriptedEngine({ script: echo, info: { promptStyle: 'jinja' } })
    await runPath(path, { target_language: 'de', input }, general)
    expect(general.runs.map(({ request }) => request.prompt)).toMatchObject([{ text: input }])
  })

  it('streams deltas, items and a last event', async () => {
    const { documents, metered } = await run({ input: 'Good morning', stream: true }, { script: echo })
    expect(documents).toMatchObject([
      { type: 'translation.delta', index: 0, delta: 'en>de' },
      { type: 'translation.delta', index: 0, delta: ':' },
      { type: 'translation.delta', index: 0, delta: 'Good morning' },
      { type: 'translation.item.done', index: 0, text: 'en>de:Good morning', detected_source_language: 'en' },
      { type: 'translation.done', usage: { prompt_tokens: 12, completion_tokens: 3 } },
    ])
    expect(metered).toEqual([1, 2, 3, 3, 3])
  })

  it('streams a long text in events that fit a frame, whole characters each', async () => {
    const input = `${'x'.repeat(16_383)}${'\u{1f642}'.repeat(40_000)}\u0001`
    const events: number[] = []
    const { documents } = await runPath(
      path,
      { target_language: 'de', source_language: 'de', input, stream: true },
      scriptedEngine({ info: { contextLength: 8192 } }),
      {},
      (event) => events.push(event.type === 'event' ? Buffer.byteLength(event.json) : 0),
    )
    const deltas = documents
      .filter(({ type }) => type === 'translation.delta')
      .map(({ delta }) => String(delta))
    expect(deltas.length).toBeGreaterThan(4)
    expect(deltas.join('') === input).toBe(true)
    expect(deltas.every((delta) => delta.isWellFormed())).toBe(true)
    expect(Math.max(...events)).toBeLessThan(MAX_CONTENT_BYTES)
    const done = documents.find(({ type }) => type === 'translation.item.done')
    expect(done).toMatchObject({ index: 0, done: true, detected_source_language: 'de' })
    expect(done).not.toHaveProperty('text')
  })

  it('streams what JSON makes longest in events that fit a frame', async () => {
    const input = `a${'\u0001'.repeat(40_000)}`
    const sizes: number[] = []
    const body = { target_language: 'de', source_language: 'de', input, stream: true }
    const engine = scriptedEngine({ info: { contextLength: 8192 } })
    await runPath(path, body, engine, {}, (event) => {
      if (event.type === 'event') sizes.push(Buffer.byteLength(event.json))
    })
    expect(Math.max(...sizes)).toBeLessThan(MAX_CONTENT_BYTES)
  })

  it('works on its texts side by side, no more than there are sequences', async () => {
    const gates = [new Gate(), new Gate(), new Gate()]
    const engine = scriptedEngine({
      sequences: 2,
      script: ({ prompt }) => {
        const index = prompt.kind === 'translation' ? Number(prompt.text.at(-1)) : 0
        return [gates[index] ?? 'no gate', `${index}`]
      },
    })
    const input = ['The book 0', 'The book 1', 'The book 2']
    const running = runPath(path, { target_language: 'de', input }, engine)
    await Promise.all([gates[0]?.reached, gates[1]?.reached])
    expect(engine.runs).toHaveLength(2)
    gates[1]?.open()
    await gates[2]?.reached
    gates[2]?.open()
    gates[0]?.open()
    const { body } = await running
    expect(body.data).toMatchObject([{ text: '0' }, { text: '1' }, { text: '2' }])
  })

  it('keeps all its texts together within the bounds', async () => {
    const engine = scriptedEngine({ script: () => ['1', '2', '3', '4', '5'] })
    const input = ['The book', 'The table', 'The house']
    const body = { target_language: 'de', input }
    const cut = await runPath(path, body, engine, { maxOutputTokens: 7 })
    expect(cut.result).toMatchObject({ finishReason: 'length', usage: { completion_tokens: 7 } })
    const paid = await runPath(path, body, engine, { affordable: () => 6 })
    expect(paid.result.usage.completion_tokens).toBe(6)
    await expect(runPath(path, body, engine, { affordable: () => 2 })).rejects.toMatchObject({
      apiCode: 'max_charge_too_low',
    })
    await expect(runPath(path, body, engine, { maxPromptTokens: 20 })).rejects.toMatchObject({
      apiCode: 'context_length_exceeded',
      param: 'input',
    })
  })
})

describe('a translation is refused', () => {
  it.each([
    ['a target that the model lacks', { input: 'The book', target_language: 'fi' }, 'target_language'],
    ['a source that the model lacks', { input: 'Kirja', source_language: 'fi' }, 'source_language'],
    ['a text without a clear language', { input: 'Βιβλίο' }, 'source_language'],
    ['another model', { input: 'The book', model: 'other' }, 'model'],
  ])('for %s', async (_, body, param) => {
    await expect(run(body)).rejects.toMatchObject({ status: 400, param })
  })

  it('by its length before anything looks at it', async () => {
    const engine = scriptedEngine({ script: echo })
    const body = { target_language: 'de', input: ['The book', 'x '.repeat((512 * 32) / 2 + 1)] }
    const refused = { status: 400, apiCode: 'context_length_exceeded', param: 'input' }
    await expect(runPath(path, body, engine)).rejects.toMatchObject(refused)
    await expect(
      runPath(path, { ...body, input: '\u20ac'.repeat((512 * 32) / 3 + 1) }, engine),
    ).rejects.toMatchObject(refused)
    expect(engine.runs).toEqual([])
  })

  it('as a whole when the engine is lost, and nothing goes on', async () => {
    const gate = new Gate()
    const engine = scriptedEngine({ script: () => ['a', gate] })
    const running = runPath(path, { target_language: 'de', input: ['The book', 'The table'] }, engine)
    await gate.reached
    engine.lose()
    await expect(running).rejects.toMatchObject({ status: 503 })
    expect(engine.runs.map(({ state }) => state)).not.toContain('running')
  })

  it('as a whole when one text fails, and the others are stopped', async () => {
    const gate = new Gate()
    const engine = scriptedEngine({
      script: () => ['a', gate],
      promptTokens: ({ prompt }) =>
        prompt.kind === 'translation' && prompt.text.includes('long') ? 9999 : 1,
    })
    const input = ['The book', 'The long table']
    const body = { target_language: 'de', input }
    await expect(runPath(path, body, engine)).rejects.toMatchObject({ param: 'input' })
    expect(engine.runs.map(({ state }) => state)).not.toContain('running')
  })
})

describe('a general model', () => {
  it('is asked for any language that has a name', async () => {
    const engine = scriptedEngine({ script: echo })
    Object.assign(engine.info, { languages: undefined })
    const { body } = await runPath(path, { input: 'The book is here', target_language: 'fi' }, engine)
    expect(body.data).toMatchObject([{ text: 'en>fi:The book is here' }])
    await expect(runPath(path, { input: 'x', target_language: 'qaa' }, engine)).rejects.toMatchObject({
      param: 'target_language',
    })
  })
})
