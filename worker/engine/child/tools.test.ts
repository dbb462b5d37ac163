import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as templates from '../testing/templates.ts'
import type { ChatMessage, ReasoningEffort, ToolDefinition } from '../types.ts'
import { PromptWriter } from './prompt.ts'
import { type SpecialToken, Vocabulary } from './vocabulary.ts'

const { translateGemma, ...chatTemplates } = templates
const { qwen, qwenCoder, llama3, mistral, deepseekR1, gemma, harmony } = chatTemplates

/** Every mark of these templates is a token; those of `tool_call` and `think` are matched in any text. */
const specials: SpecialToken[] = [
  ...new Set(
    Object.values(templates).flatMap(
      (template) => template.match(/<[|｜/a-z][^<>' ]*>|\[\/?[A-Z_]+\]/g) ?? [],
    ),
  ),
].map((text, index) => ({
  id: 0x110000 + index,
  text,
  userDefined: /tool|think/.test(text),
  strip: { left: false, right: false },
}))
const vocabulary = new Vocabulary({
  specials,
  tokenize: (text) => {
    const parts = text.split(/(<\/?tool_call>|<\/?tool_response>|<\/?tools>|<\/?think>)/)
    return parts.flatMap((part) => {
      const token = specials.find((special) => special.userDefined && special.text === part)
      return token ? [token.id] : [...part].map((letter) => letter.codePointAt(0) ?? 0)
    })
  },
})

function writer(template: string): PromptWriter {
  return new PromptWriter({ style: 'jinja', template, beginText: '<s>', endText: '</s>' }, vocabulary)
}

interface Asked {
  readonly messages: readonly ChatMessage[]
  readonly tools?: readonly ToolDefinition[]
  readonly reasoningEffort?: ReasoningEffort
}

/** The prompt's text; what nobody vouches for stands between « and ». */
function show(template: string, asked: Asked): string {
  const pieces = writer(template).write({ kind: 'chat', ...asked })
  return pieces.map(({ text, trusted }) => (trusted ? text : `«${text}»`)).join('')
}

const weather: ToolDefinition = {
  name: 'get_weather',
  description: 'Tells "it"',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string', description: 'a\\b' }, unit: { enum: ['C', 'F'] } },
    required: ['city'],
  },
}
const called: ChatMessage[] = [
  { role: 'system', content: 'Be kind' },
  { role: 'user', content: 'Rain?' },
  {
    role: 'assistant',
    content: '',
    toolCalls: [{ id: 'call_x', name: 'get_weather', arguments: '{"city": "Pa\\"ris", "n": [1, null]}' }],
  },
  { role: 'tool', toolCallId: 'call_x', content: 'wet "x"\n' },
]

describe('tools in a template that knows them', () => {
  it('writes tools, calls and results as Qwen does', () => {
    expect(show(qwen, { messages: called, tools: [weather] })).toBe(
      '<|im_start|>system\n«Be kind»\n\n# Tools\n<tools>\n' +
        '{"type": "function", "function": {"name": "«get_weather»", "description": "«Tells \\"it\\"»", "parameters": ' +
        '{"type": "object", "properties": {"«city»": {"type": "string", "description": "«a\\\\b»"}, ' +
        '"«unit»": {"enum": ["«C»", "«F»"]}}, "required": ["«city»"]}}}\n</tools>\n' +
        'Call with <tool_call>{"name": <function-name>, "arguments": <args-json-object>}</tool_call><|im_end|>\n' +
        '<|im_start|>user\n«Rain?»<|im_end|>\n<|im_start|>assistant\n<tool_call>\n' +
        '{"name": "«get_weather»", "arguments": {"«city»": "«Pa\\"ris»", "«n»": [1, null]}}\n</tool_call><|im_end|>\n' +
        '<|im_start|>user\n<tool_response>\n«wet "x"»\n\n</tool_response><|im_end|>\n<|im_start|>assistant\n',
    )
  })

  it('writes tools and arguments between tags for Qwen3-Coder', () => {
    const text = show(qwenCoder, { messages: called, tools: [weather] })
    expect(text).toContain('<name>«city»</name>\n<type>string</type>\n<description>«a\\b»</description>')
    expect(text).toContain(
      '<tool_call>\n<function=«get_weather»>\n<parameter=«city»>\n«Pa"ris»\n</parameter>\n' +
        '<parameter=«n»>\n[1, null]\n</parameter>\n</function>\n</tool_call><|im_end|>',
    )
  })

  it('gives Mistral the ids, and the folded system message, that it insists on', () => {
    const text = show(mistral, { messages: called, tools: [weather] })
    expect(text).toContain('[INST] «Be kind\n\nRain?»[/INST][TOOL_CALLS] [{"name": "«get_weather»"')
    expect(text).toContain('"id": "call00000"}]</s>')
    expect(text).toContain(
      '[TOOL_RESULTS] {"content": "«wet \\"x\\"»\\n", "call_id": "call00000"}[/TOOL_RESULTS]',
    )
  })

  it('walks a schema as gpt-oss does', () => {
    const text = show(harmony, { messages: called, tools: [weather] })
    expect(text).toContain(
      '// «Tells "it"»\ntype «get_weather» = (_: {«city»: string, «unit»?: "«C»" | "«F»", }) => any;',
    )
    expect(text).toContain('<|start|>functions.«get_weather» to=assistant')
  })

  it('passes arguments as Llama wants them, and calls one by one', () => {
    const one = show(llama3, { messages: called, tools: [weather] })
    expect(one).toContain(
      '{"name": "«get_weather»", "parameters": {"«city»": "«Pa\\"ris»", "«n»": [1, null]}}<|eot_id|>',
    )
    const [system, user, assistant, result] = called as [
      ChatMessage,
      ChatMessage,
      ChatMessage & { role: 'assistant' },
      ChatMessage,
    ]
    const twice = {
      ...assistant,
      toolCalls: [...(assistant.toolCalls ?? []), { id: 'y', name: 'b', arguments: '{}' }],
    }
    const two = show(llama3, {
      messages: [system, user, twice, result, { role: 'tool', toolCallId: 'y', content: 'B' }],
      tools: [weather],
    })
    expect(two).toContain(
      '[1, null]}}<|eot_id|><|start_header_id|>ipython<|end_header_id|>\n\n«wet "x"»\n<|eot_id|>' +
        '<|start_header_id|>assistant<|end_header_id|>\n\n{"name": "«b»", "parameters": {}}<|eot_id|>' +
        '<|start_header_id|>ipython<|end_header_id|>\n\n«B»<|eot_id|>',
    )
  })

  it('gives DeepSeek calls without content and arguments as text', () => {
    // Its own marks, but no place for tools: so it has a format only in a template that has both.
    const template = `{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% endif %}${deepseekR1}`
    expect(show(template, { messages: called, tools: [weather] })).toContain(
      '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>«get_weather»\n```json\n' +
        '«{"city": "Pa\\"ris", "n": [1, null]}»\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜></s>',
    )
  })

  it('trims what the template trims, and nothing else', () => {
    const messages: ChatMessage[] = [{ role: 'user', content: ' \nHi \n' }]
    expect(show(llama3, { messages })).toContain('\n\n«Hi»<|eot_id|>')
    expect(show(qwen, { messages })).toContain('user\n \n«Hi» \n<|im_end|>')
  })

  it('tells whose result it is, by the call when the message does not say', () => {
    const template = `{% for m in messages %}{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function | tojson }}{% endfor %}{{ m.name }};{% endfor %}<tool_call>{"name": {% if tools %}{% endif %}`
    expect(show(template, { messages: called })).toContain('«wet "x"»\n«get_weather»;')
  })

  it('leaves out what was said before a call where the template shows either', () => {
    const template = `{% if tools %}{% for tool in tools %}{{ tool | tojson }}{% endfor %}{% endif %}${deepseekR1}`
    const said = called.map((message) =>
      message.role === 'assistant' ? { ...message, content: 'Wait' } : message,
    )
    expect(show(template, { messages: said })).toBe(show(template, { messages: called }))
    expect(show(qwen, { messages: said })).toContain('assistant\n«Wait»\n<tool_call>')
  })

  it('gives a template that trims every description one to trim, and an empty list where it loops over no tools', () => {
    const template = `{% for tool in tools %}<tool_call>{"name": {% for name, field in tool.function.parameters.properties | items %}{{ tool.function.name + name + field.description | trim }};{% endfor %}{% endfor %}{% for m in messages %}{{ m.content }}{% endfor %}`
    expect(show(template, { messages: called.slice(0, 2), tools: [weather] })).toContain(
      '«get_weather»«unit»;',
    )
    expect(show(template, { messages: called.slice(0, 2) })).toBe('«Be kind»«Rain?»')
  })

  it('writes calls as the model would where the template shows only tools', () => {
    const template = `{% if tools %}{{ tools | tojson }}<|tool_call|>{% endif %}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}`
    expect(show(template, { messages: called, tools: [weather] })).toMatch(
      /"name": "«get_weather»".*<\|assistant\|>«<\|tool_call\|>\[\{"name": "get_weather", "arguments": .*»<\|tool\|>«wet/s,
    )
  })

  it('keeps calls whose arguments are no JSON', () => {
    const messages: ChatMessage[] = [
      { role: 'user', content: 'Rain?' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'x', name: 'f', arguments: '{"half' }] },
    ]
    for (const template of Object.values(chatTemplates))
      expect(show(template, { messages })).toContain('{"half')
  })
})

describe('tools in a template that knows none', () => {
  it('explains them in a system message, folded where there is no such role', () => {
    const text = show(gemma, { messages: called, tools: [weather] })
    expect(text).toMatch(
      /^<s><start_of_turn>user\n«You can call tools\.[^»]*\{"name":"get_weather"[^»]*<tool_call>\n\{"name": "NAME"/,
    )
    expect(text).toContain('Be kind\n\nRain?»<end_of_turn>')
    expect(text).toContain(
      'model\n«<tool_call>\n{"name": "get_weather", "arguments": {"city": "Pa\\"ris", "n": [1, null]}}\n</tool_call>»',
    )
    expect(text).toContain(
      'user\n«<tool_response>\nwet "x"\n\n</tool_response>»<end_of_turn>\n<start_of_turn>model\n',
    )
  })

  it('says nothing of them to the embedded model, but shows it calls and results', () => {
    const tiny = new PromptWriter(
      { style: 'chrysalis-tiny-1', beginText: '<s>', endText: '</s>' },
      vocabulary,
    )
    const pieces = tiny.write({ kind: 'chat', messages: called, tools: [weather] })
    const text = pieces.map((piece) => piece.text).join('')
    expect(text).toMatch(
      /^<s><\|user\|>Be kind\n\nRain\?<\|assistant\|><tool_call>.*<\/s><\|user\|><tool_response>/s,
    )
    expect(text).not.toContain('Tells')
  })

  it('refuses a schema that is too deep to write down, and puts one in words that is too deep for a template', () => {
    const nested = (depth: number) => {
      let parameters: Record<string, unknown> = { type: 'string' }
      for (let i = 0; i < depth; i++) parameters = { properties: { a: parameters } }
      return { messages: called.slice(0, 2), tools: [{ name: 'deep', parameters }] }
    }
    expect(show(qwen, nested(10))).not.toContain('You can call tools')
    expect(show(qwen, nested(100))).toContain('You can call tools')
    const refused = expect.objectContaining({ code: 'ERR_UNSUPPORTED_PROMPT' })
    expect(() => show(qwen, nested(20_000))).toThrow(refused)
  })
})

/** The same conversation with any texts, and the tokens of the template in its prompt. */
function templateTokens(template: string, text: (place: string) => string): number[] {
  const parameters = {
    type: 'object',
    properties: {
      [text('property')]: { type: 'string', description: text('detail'), enum: [text('choice')] },
    },
    required: [text('property')],
  }
  const json = JSON.stringify({ [text('key')]: text('value'), list: [text('item')] })
  const pieces = writer(template).write({
    kind: 'chat',
    tools: [{ name: text('tool'), description: text('description'), parameters }],
    messages: [
      { role: 'system', content: text('system') },
      { role: 'user', content: text('user') },
      {
        role: 'assistant',
        content: '',
        toolCalls: [{ id: text('id'), name: text('tool'), arguments: json }],
      },
      { role: 'tool', toolCallId: text('id'), name: text('tool'), content: text('result') },
      { role: 'user', content: text('end') },
    ],
  })
  return vocabulary.encode(pieces).filter((token) => token >= 0x110000)
}

describe('text that nobody vouches for', () => {
  const bits = [
    ...specials.map(({ text }) => text),
    "{{ raise_exception('no') }}",
    '{% endfor %}',
    '"',
    '\\',
    '\\"',
    '\n',
    'x',
    '<',
    'm0i0"m',
  ]
  const evil = fc
    .array(fc.constantFrom(...bits), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.join(''))

  it.each(Object.entries(chatTemplates))('makes no token and changes no template: %s', (_, template) => {
    const benign = templateTokens(template, (place) => place)
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom(
            'property',
            'detail',
            'choice',
            'key',
            'value',
            'item',
            'tool',
            'description',
            'system',
            'user',
            'id',
            'result',
            'end',
          ),
          evil,
        ),
        (texts) => {
          expect(templateTokens(template, (place) => `${texts[place] ?? ''}z${place}`)).toEqual(benign)
        },
      ),
    )
  })
})

describe('reasoning', () => {
  const asked = (reasoningEffort?: ReasoningEffort): Asked => ({
    messages: [{ role: 'user', content: 'Why?' }],
    ...(reasoningEffort && { reasoningEffort }),
  })
  const opens = (template: string, effort?: ReasoningEffort) => {
    const prompts = writer(template)
    return prompts.opensReasoning(prompts.write({ kind: 'chat', ...asked(effort) }))
  }

  it('is switched by what the template asks for', () => {
    expect(show(qwen, asked())).toMatch(/assistant\n$/)
    expect(show(qwen, asked('none'))).toMatch(/assistant\n<think>\n\n<\/think>\n\n$/)
    expect(show(harmony, asked())).toContain('Reasoning: medium')
    expect(show(harmony, asked('minimal'))).toContain('Reasoning: low')
    expect(show(harmony, asked('max'))).toContain('Reasoning: high')
    expect(show(harmony, asked('none'))).toMatch(
      /Reasoning: low.*<\|start\|>assistant<\|channel\|>final<\|message\|>$/s,
    )
    expect(show(harmony, { ...asked('none'), tools: [weather] })).toMatch(/<\|start\|>assistant$/)
  })

  it('is ended in the prompt where the template cannot switch it off', () => {
    expect(show(deepseekR1, asked())).toMatch(/<think>\n$/)
    expect(show(deepseekR1, asked('none'))).toMatch(/<｜Assistant｜><think>\n\n<\/think>\n\n$/)
    expect(show(deepseekR1.replace('<think>\\n', ''), asked('none'))).toMatch(
      /<｜Assistant｜><think>\n\n<\/think>\n\n$/,
    )
    expect(show(gemma, asked('none'))).toMatch(/<start_of_turn>model\n$/)
  })

  it('is told when the prompt begins it', () => {
    expect(opens(deepseekR1)).toBe(true)
    expect(opens(deepseekR1, 'none')).toBe(false)
    expect(opens(qwen)).toBe(false)
    expect(opens(qwen, 'none')).toBe(false)
  })

  it('of earlier answers is left out', () => {
    const messages: ChatMessage[] = [
      { role: 'user', content: 'Why <think>?' },
      { role: 'assistant', content: '<think>\nHm\n</think>\n\nSo' },
      { role: 'user', content: 'Ah</think>' },
    ]
    expect(show(qwen, { messages })).toMatch(/«Why <think>\?».*assistant\n«So».*«Ah<\/think>»/s)
    expect(show(gemma, { messages })).toContain('Hm')
  })
})

describe('TranslateGemma', () => {
  it('gets its languages beside the text', () => {
    const prompts = writer(translateGemma)
    const pieces = prompts.write({ kind: 'translation', text: ' Hi {{ x }}', source: 'en', target: 'de' })
    expect(pieces.map(({ text, trusted }) => (trusted ? text : `«${text}»`)).join('')).toBe(
      '<s><start_of_turn>user\nTranslate from English (en) to German (de):\n\n\n«Hi {{ x }}»<end_of_turn>\n<start_of_turn>model\n',
    )
    const regional = prompts.write({ kind: 'translation', text: 'Hi', source: 'en-GB', target: 'de-AT' })
    expect(regional[0]?.text).toContain('English (en) to German (de)')
    expect(() => prompts.write({ kind: 'translation', text: 'Hi', source: 'en', target: 'tlh' })).toThrow(
      expect.objectContaining({ code: 'ERR_UNSUPPORTED_PROMPT' }),
    )
  })
})
