import { describe, expect, it } from 'vitest'
import { MAX_CONTENT_BYTES } from '../../../attest/seal/constants.ts'
import { Gate, type ScriptedOptions, scriptedEngine } from '../../engine/testing/scripted.ts'
import type { GenerateRequest } from '../../engine/types.ts'
import { boundsOfTranslation } from '../../protocol/bounds.ts'
import { parseTranslationRequest } from '../../protocol/translation.ts'
import { type TaskContext, TranslationCache } from '../index.ts'
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
      script: ({ prompt }) => [prompt.kind === 'translation' ? `<Es ist: ${prompt.text}>` : ''],
    })
    const input = ' Good morning!  How are you?\n\n- The book is red.\n123\n'
    const { body } = await runPath(path, { target_language: 'de', input }, engine)
    expect(body.data).toMatchObject([
      { text: ' <Es ist: Good morning!>  <Es ist: How are you?>\n\n<Es ist: - The book is red.>\n123\n' },
    ])
    expect(body.usage).toMatchObject({ completion_tokens: 3 })
  })

  it('streams deltas, items and a last event', async () => {
    const { documents, metered } = await run({ input: 'Good morning', stream: true }, { script: echo })
    expect(documents).toMatchObject([
      { type: 'translation.delta', index: 0, delta: 'en>de:Good morning' },
      { type: 'translation.item.done', index: 0, text: 'en>de:Good morning', detected_source_language: 'en' },
      { type: 'translation.done', usage: { prompt_tokens: 12, completion_tokens: 3 } },
    ])
    expect(metered).toEqual([3, 3, 3])
  })

  it('shows a plain text as it comes once its beginning is known to be none of talk', async () => {
    const gate = new Gate()
    const begins = 'Das ist ein langer Satz, von dem schon viele Zeichen da sind, '
    const script = () => [begins, 'und es geht ', gate, 'weiter. ']
    const shown: string[] = []
    const running = runPath(
      path,
      { target_language: 'de', input: 'This is a sentence.', stream: true },
      scriptedEngine({ script }),
      {},
      (event) => {
        const { type, delta } = JSON.parse(event.type === 'event' ? event.json : '{}')
        if (type === 'translation.delta') shown.push(delta)
        if (shown.length === 1) gate.open()
      },
    )
    await gate.reached
    const { documents } = await running
    expect(shown).toEqual([`${begins}und es geht`, ' weiter.'])
    expect(documents.at(-2)).toMatchObject({ text: `${begins}und es geht weiter.` })
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

it('one text that cannot be translated takes nothing from the others', async () => {
  const engine = scriptedEngine({
    script: echo,
    promptTokens: ({ prompt }) => (prompt.kind === 'translation' && prompt.text.includes('long') ? 9999 : 1),
  })
  const input = ['The book', 'The long table', 'Βιβλίο']
  const { body, result } = await runPath(path, { target_language: 'de', input }, engine)
  expect(body.data).toMatchObject([
    { text: 'en>de:The book' },
    { text: 'The long table', error: { code: 'context_length_exceeded', param: 'input[1]' } },
    { text: 'Βιβλίο', detected_source_language: 'und', error: { code: 'language_not_detected' } },
  ])
  expect(result.finishReason).toBe('length')
  expect(body.usage).toMatchObject({ prompt_tokens: 1 })
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
})

/** A chat model of a maker whose prompts are not special. */
const chatModel = { promptStyle: 'jinja', family: 'qwen3' }
/** The last user message. */
const asked = ({ prompt }: GenerateRequest): string =>
  prompt.kind === 'chat' ? (prompt.messages.at(-1)?.content ?? '') : prompt.kind === 'text' ? prompt.text : ''
/** The text to translate, out of the question. */
const textIn = (request: GenerateRequest): string => asked(request).split('\n\n').slice(1).join('\n\n')

function general(options: ScriptedOptions, info = {}) {
  const engine = scriptedEngine({ ...options, info: { ...chatModel, contextLength: 4096, ...info } })
  Object.assign(engine.info, { languages: undefined })
  return engine
}

describe('a general model', () => {
  it('is asked for any language that has a name, with its wishes, in a prompt whose beginning all pieces share', async () => {
    const engine = general({ script: () => ['Kirja on täällä.'] })
    const { body } = await runPath(
      path,
      {
        input: ['The book is here.', 'The table is there.'],
        target_language: 'fi',
        formality: 'more',
        style: 'like a letter',
        context: 'A library.',
        glossary: [{ source: 'book', target: 'kirja' }],
      },
      engine,
    )
    expect(body.data).toMatchObject([
      { text: 'Kirja on täällä.', glossary: [{ source: 'book', target: 'kirja', applied: true }] },
      { text: 'Kirja on täällä.', glossary: [] },
    ])
    const [first, second] = engine.runs.map(({ request }) => request)
    expect(first?.cacheKey).toBe(second?.cacheKey)
    expect(first?.cacheKey).toBeDefined()
    expect(first?.prompt).toMatchObject({ kind: 'chat', reasoningEffort: 'none' })
    const system = first?.prompt.kind === 'chat' ? first.prompt.messages[0]?.content : ''
    for (const part of ['Finnish', 'formally', 'like a letter', 'A library.']) expect(system).toContain(part)
    expect(first && asked(first)).toContain('“kirja” for “book”')
    expect(second && asked(second)).not.toContain('kirja')
    await expect(runPath(path, { input: 'x', target_language: 'qaa' }, engine)).rejects.toMatchObject({
      param: 'target_language',
    })
  })

  it('translates without naming a language that is not clear', async () => {
    const engine = general({ script: () => ['Namen'] })
    const { body } = await runPath(path, { input: 'Xq', target_language: 'de' }, engine)
    expect(body.data).toMatchObject([{ text: 'Namen' }])
  })

  it('takes a long text in pieces that end with sentences, and joins them', async () => {
    const german = (text: string) =>
      text.replace(
        /This is sentence number (\d+)[^.]*/g,
        'Dies ist der Satz $1 eines ziemlich langen Textes über gar nichts',
      )
    const sentence = (index: number) =>
      `This is sentence number ${index} of a rather long text about nothing at all.`
    const paragraph = (index: number) =>
      Array.from({ length: 9 }, (_, at) => sentence(index * 10 + at)).join(' ')
    const input = Array.from({ length: 8 }, (_, index) => paragraph(index)).join('\n\n')
    const engine = general({ script: (request) => [german(textIn(request))] })
    const { body } = await runPath(path, { input, target_language: 'de' }, engine)
    expect(body.data).toMatchObject([{ text: german(input) }])
    expect(engine.runs.length).toBeGreaterThan(2)
    for (const { request } of engine.runs) expect(textIn(request)).toMatch(/^This is[\s\S]*\.$/)
    expect(engine.runs.slice(1).every(({ request }) => asked(request).includes('It goes on from here'))).toBe(
      true,
    )
  })

  it.each([
    ['talks first', 'Sure, here is the translation:\nDas Buch ist rot.'],
    ['refuses', "I'm sorry, but I can't help with that."],
    ['says it again', 'The book is very red.'],
    ['says nothing', ' '],
    ['explains', 'Das Buch ist rot.\n\nNote: I kept the tone.'],
    ['answers in the wrong script', 'Книга очень красная сегодня'],
  ])('is asked again when it %s, and what it took is charged', async (_, bad) => {
    let calls = 0
    const engine = general({ script: () => [calls++ === 0 ? bad : 'Das Buch ist sehr rot.'] })
    for (const stream of [false, true]) {
      calls = 0
      const { body, documents, result } = await runPath(
        path,
        { input: 'The book is very red.', target_language: 'de', stream },
        engine,
      )
      const item = stream ? documents.at(-2) : (body.data as object[])[0]
      expect(item).toMatchObject({ text: 'Das Buch ist sehr rot.' })
      expect(item).not.toHaveProperty('error')
      expect(result.usage.completion_tokens).toBe(2)
      expect(engine.runs.at(-1)?.request.sampling.temperature).toBeGreaterThan(0)
    }
  })

  it('is not believed for ever: the text stays, and the error says why', async () => {
    const engine = general({ script: () => ["I'm sorry, but I can't translate this."] })
    const { body } = await runPath(path, { input: 'The book is red.', target_language: 'de' }, engine)
    expect(body.data).toMatchObject([
      { text: 'The book is red.', error: { code: 'refused', type: 'translation_error', param: 'input[0]' } },
    ])
    expect(engine.runs).toHaveLength(3)
  })

  it('may talk about being sorry when the input does', async () => {
    const engine = general({ script: () => ["I'm sorry, but I can't help you today."] })
    const input = "I'm sorry, but I can't help with it: es tut mir leid, aber ich kann nicht"
    const { body } = await runPath(path, { input, source_language: 'de', target_language: 'en' }, engine)
    expect((body.data as object[])[0]).not.toHaveProperty('error')
  })

  it('has its quotation marks taken off, and its reasoning counted apart', async () => {
    const engine = general(
      { script: () => ['<think>hm', 'm</think>', '“Das Buch.”'] },
      { reasoning: { open: '<think>', close: '</think>' } },
    )
    const { body } = await runPath(path, { input: 'The book.', target_language: 'de' }, engine)
    expect(body.data).toMatchObject([{ text: 'Das Buch.' }])
    expect(body.usage).toMatchObject({
      completion_tokens: 3,
      completion_tokens_details: { reasoning_tokens: 2 },
    })
  })

  it('has retries only as far as the bounds go', async () => {
    const engine = general({ script: () => ["I'm sorry, but I can't translate this."] })
    const { body, result } = await runPath(
      path,
      { input: 'The book is red.', target_language: 'de' },
      engine,
      { maxOutputTokens: 128 },
    )
    expect(engine.runs).toHaveLength(1)
    expect(result.usage.completion_tokens).toBe(1)
    expect(body.data).toMatchObject([{ error: { code: 'refused' } }])
  })
})

describe('placeholders and markup', () => {
  const input = 'Hello {name}, see https://ton.org/a?b=1 and ask @bob!'
  const translated = (text: string) =>
    text.replace('Hello', 'Hallo').replace('see', 'siehe').replace('and ask', 'und frag')

  it('come back from a model that copies them', async () => {
    const engine = general({ script: (request) => [translated(textIn(request))] })
    const { body } = await runPath(path, { input, target_language: 'de' }, engine)
    expect(body.data).toMatchObject([{ text: translated(input) }])
    expect(engine.runs).toHaveLength(1)
  })

  it('are shown in other ways to a model that does not, before anything is streamed', async () => {
    const engine = general({
      script: (request) => [
        translated(textIn(request)).replace('{name}', '{Name}').replace('<x1/>', '< X1 />'),
      ],
    })
    const { documents } = await runPath(path, { input, target_language: 'de', stream: true }, engine)
    const deltas = documents.filter(({ type }) => type === 'translation.delta').map(({ delta }) => delta)
    expect(deltas.join('')).toBe(translated(input))
    expect(engine.runs.map(({ request }) => textIn(request))).toEqual([
      input,
      'Hello <x1/>, see <x2/> and ask <x3/>!',
    ])
  })

  it('are asked for again also among many sentences, within the bounds that a gateway reserves', async () => {
    const script = ({ prompt }: GenerateRequest) => {
      const text = prompt.kind === 'translation' ? prompt.text : ''
      return [
        'Das',
        ' ist',
        ' es,',
        text.includes('{name}') ? ' ohne Namen.' : ` ${text.match(/\{.*?\}/)?.[0] ?? 'so'}.`,
      ]
    }
    const engine = scriptedEngine({ script, promptTokens: () => 16 })
    const texts = [
      'Hello {name}, how are you?',
      ...Array.from({ length: 40 }, (_, i) => `This is the book ${i}.`),
    ]
    const body = { model: 'chrysalis/scripted', input: texts.join(' '), target_language: 'de' }
    const bounds = boundsOfTranslation(parseTranslationRequest(body), 512)
    const { body: answer } = await runPath(path, body, engine, bounds)
    expect((answer.data as object[])[0]).not.toHaveProperty('error')
    expect(engine.runs).toHaveLength(42)
  })

  it('are reported when they stay lost', async () => {
    const engine = general({ script: () => ['Hallo Welt, siehe dort und frag ihn!'] })
    const { body } = await runPath(path, { input, target_language: 'de' }, engine)
    expect(body.data).toMatchObject([
      {
        text: 'Hallo Welt, siehe dort und frag ihn!',
        error: { code: 'placeholder_lost', message: expect.stringContaining('3 of the 3 parts') },
      },
    ])
    expect(engine.runs).toHaveLength(3)
  })

  it('of HTML that a model cannot place stay around what they were around', async () => {
    const html = '<p>Tom &amp; <b>the red book</b> are <i>here</i>.</p><script>alert("Hi")</script>'
    const engine = general({
      script: (request) => [textIn(request).replace(/<.*?>/g, '').replace(/book/, 'Buch')],
    })
    const { body } = await runPath(path, { input: html, format: 'html', target_language: 'de' }, engine)
    expect(body.data).toMatchObject([
      { text: '<p>Tom &amp; <b>the red Buch</b> are <i>here</i>.</p><script>alert("Hi")</script>' },
    ])
  })

  it('of Markdown stay', async () => {
    const markdown =
      '# The book\n\n- read **this** [page](https://a.b/c_d)\n- `code here`\n\n```\nconst a = 1\n```\n'
    const engine = general({
      script: (request) => [textIn(request).replaceAll('this', 'dies').replace('book', 'Buch')],
    })
    const { body } = await runPath(
      path,
      { input: markdown, format: 'markdown', target_language: 'de' },
      engine,
    )
    expect(body.data).toMatchObject([{ text: markdown.replace('this', 'dies').replace('book', 'Buch') }])
  })

  it('of Telegram are found at their new places, in UTF-16', async () => {
    const text = '🙂 Hello @bob, read the news now'
    const entities = [
      { type: 'mention', offset: 9, length: 4 },
      { type: 'bold', offset: 15, length: 13 },
      { type: 'text_link', offset: 20, length: 8, url: 'https://ton.org' },
    ]
    expect(text.slice(15, 28)).toBe('read the news')
    const engine = general({
      script: (request) => [
        textIn(request)
          .replace('Hello', 'Guten Tag 🙂🙂')
          .replace('read', 'lies')
          .replace('the news', 'das Neue'),
      ],
    })
    const request = { format: 'telegram', target_language: 'de' }
    const { body } = await runPath(
      path,
      { ...request, input: [{ text, entities }, 'Hello there, my friend'] },
      engine,
    )
    const [item, plain] = body.data as { text: string; entities: { offset: number; length: number }[] }[]
    expect(item?.text).toBe('🙂 Guten Tag 🙂🙂 @bob, lies das Neue now')
    expect(item?.entities.map(({ offset, length }) => item.text.slice(offset, offset + length))).toEqual([
      '@bob',
      'lies das Neue',
      'das Neue',
    ])
    expect(item?.entities[2]).toMatchObject({ type: 'text_link', url: 'https://ton.org' })
    expect(plain).toMatchObject({ entities: [] })
  })
})

describe('a glossary', () => {
  const glossary = [{ source: 'gateway', target: 'Zugang' }]

  it('is enforced by putting the term in its place when the model does not say it', async () => {
    const engine = general({
      script: (request) => [
        textIn(request).includes('<x1/>') ? 'Das <x1/> ist offen.' : 'Das Tor ist nun offen.',
      ],
    })
    const { body } = await runPath(
      path,
      { input: 'The Gateway is open.', target_language: 'de', glossary },
      engine,
    )
    expect(body.data).toMatchObject([
      { text: 'Das Zugang ist offen.', glossary: [{ ...glossary[0], applied: true }] },
    ])
  })

  it('is left to a model that says its terms without being told', async () => {
    const prompts: string[] = []
    const engine = scriptedEngine({
      info: { languages: ['de', 'en'] },
      script: (request) => {
        prompts.push('text' in request.prompt ? request.prompt.text : '')
        return ['Der Zugang ist offen.']
      },
    })
    const body = { input: 'The gateway is open.', target_language: 'de', source_language: 'en', glossary }
    expect((await runPath(path, body, engine)).body.data).toMatchObject([
      { text: 'Der Zugang ist offen.', glossary: [{ ...glossary[0], applied: true }] },
    ])
    expect(prompts).toEqual(['The gateway is open.'])
  })

  it('that cannot be kept is reported', async () => {
    const engine = general({ script: () => ['Das Tor ist nun offen.'] })
    const { body } = await runPath(
      path,
      { input: 'The gateway is open.', target_language: 'de', glossary },
      engine,
    )
    expect(body.data).toMatchObject([
      {
        text: 'Das Tor ist nun offen.',
        glossary: [{ ...glossary[0], applied: false }],
        error: { code: 'glossary_not_applied' },
      },
    ])
  })

  it('means whole words', async () => {
    const engine = general({ script: () => ['Die Zugänge sind nun offen.'] })
    const { body } = await runPath(
      path,
      { input: 'The gateways are open.', target_language: 'de', glossary },
      engine,
    )
    expect(body.data).toMatchObject([{ glossary: [] }])
  })
})

describe('alternatives', () => {
  it('are other translations that passed the checks, each once', async () => {
    const engine = general({
      script: ({ sampling }) => [
        sampling.temperature === 0 ? 'Das Buch.' : sampling.seed === 1000 ? 'Ein Buch.' : 'Das Buch.',
      ],
    })
    const { body } = await runPath(
      path,
      { input: 'The book.', target_language: 'de', alternatives: 2 },
      engine,
    )
    expect(body.data).toMatchObject([{ text: 'Das Buch.', alternatives: ['Ein Buch.'] }])
    expect(body.usage).toMatchObject({ completion_tokens: 3 })
  })
})

describe('the cache', () => {
  const cached = (cache: TranslationCache, cacheKey: string, engine: ReturnType<typeof general>, more = {}) =>
    runPath(path, { input: 'The book of {name}.', target_language: 'de', ...more }, engine, {
      cacheKey,
      translationCache: cache,
    })

  it('gives a payer its own translations again, for nothing, and nobody else', async () => {
    const cache = new TranslationCache(2 ** 20)
    const engine = general({ script: () => [`Das Buch von {name}, ${engine.runs.length}.`] })
    const first = await cached(cache, 'a', engine)
    const again = await cached(cache, 'a', engine)
    expect(again.body.data).toEqual(first.body.data)
    expect(again.result.usage.total_tokens).toBe(0)
    const streamed = await cached(cache, 'a', engine, { stream: true })
    expect(streamed.documents.map(({ type }) => type)).toEqual([
      'translation.delta',
      'translation.item.done',
      'translation.done',
    ])
    expect(engine.runs).toHaveLength(1)
    await cached(cache, 'b', engine)
    await cached(cache, 'a', engine, { formality: 'more' })
    await cached(cache, 'a', engine, { target_language: 'fr' })
    expect(engine.runs.length).toBeGreaterThanOrEqual(4)
  })

  it('keeps nothing that failed, nothing when it is off, and no more than it may', async () => {
    const engine = general({ script: () => ['Das Buch.'] })
    const cache = new TranslationCache(2 ** 20)
    const failed = await cached(cache, 'a', engine)
    expect(failed.body.data).toMatchObject([{ error: { code: 'placeholder_lost' } }])
    const runs = engine.runs.length
    await cached(cache, 'a', engine)
    expect(engine.runs).toHaveLength(2 * runs)
    const small = new TranslationCache(600)
    for (const name of ['a', 'b', 'c']) small.set(name, 'text')
    expect(['a', 'b', 'c'].map((name) => small.get(name))).toEqual([undefined, 'text', 'text'])
    const off = new TranslationCache(0)
    off.set('a', 'text')
    expect(off.get('a')).toBeUndefined()
  })
})

describe('families of models', () => {
  it.each([
    [
      'hunyuan-mt',
      'de',
      {
        kind: 'chat',
        messages: [
          {
            role: 'user',
            content:
              'Translate the following segment into German, without additional explanation.\n\nThe book.',
          },
        ],
      },
    ],
    [
      'hunyuan-mt',
      'zh',
      {
        kind: 'chat',
        messages: [{ role: 'user', content: '把下面的文本翻译成中文，不要额外解释。\n\nThe book.' }],
      },
    ],
    [
      'seed-x',
      'de',
      { kind: 'text', text: 'Translate the following English sentence into German:\nThe book. <de>' },
    ],
    ['translategemma', 'de', { kind: 'translation', text: 'The book.', source: 'en', target: 'de' }],
  ])('%s into %s is asked in its own way', async (family, target, prompt) => {
    const engine = general({ script: () => [target === 'zh' ? '这本书' : 'Das Buch.'] }, { family })
    await runPath(path, { input: 'The book.', source_language: 'en', target_language: target }, engine)
    expect(engine.runs[0]?.request.prompt).toMatchObject(prompt)
  })

  it('without a template continues a line', async () => {
    const engine = general({ script: () => [' Das Buch.'] }, { promptStyle: 'plain' })
    const { body } = await runPath(
      path,
      { input: 'The book.', source_language: 'en', target_language: 'de' },
      engine,
    )
    expect(engine.runs[0]?.request).toMatchObject({
      prompt: { kind: 'text', text: 'English: The book.\nGerman:' },
      stop: ['\n'],
    })
    expect(body.data).toMatchObject([{ text: 'Das Buch.' }])
  })

  it.each([
    ['formality', 'less'],
    ['style', 'funny'],
  ])('that only translate refuse a wish for %s', async (param, value) => {
    await expect(run({ input: 'The book', [param]: value })).rejects.toMatchObject({ status: 400, param })
  })

  it('that only translate take what they cannot follow when it is no must', async () => {
    const { body } = await run(
      { input: 'The book', formality: 'prefer_less', context: 'A shop.' },
      { script: echo },
    )
    expect(body.data).toMatchObject([{ text: 'en>de:The book' }])
  })
})
