import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PromptWriter, type StyledPrompt } from './prompt.ts'
import { type SpecialToken, type Tokenizer, Vocabulary } from './vocabulary.ts'

const markers = ['<s>', '<|user|>', '<|assistant|>', '<|end|>', '<|translate|>', '<|en|>', '<|de|>']
const specials: SpecialToken[] = [
  ...markers.map((text, index) => special(1000 + index, text)),
  { ...special(2000, '<tool>'), userDefined: true },
  { ...special(2001, '<|strip|>'), strip: { left: true, right: true } },
]

function special(id: number, text: string): SpecialToken {
  return { id, text, userDefined: false, strip: { left: false, right: false } }
}

/** Letters are their own tokens; a user-defined token is matched in any text, as llama.cpp does. */
const tokenizer: Tokenizer = {
  specials,
  beginToken: 1000,
  tokenize: (text, continues) => {
    const letters = (part: string) => [...part].map((letter) => letter.codePointAt(0) ?? 0)
    const tokens = text.split(/(<tool>)/).flatMap((part) => (part === '<tool>' ? [2000] : letters(part)))
    return continues ? tokens : [32, ...tokens]
  },
}
const vocabulary = new Vocabulary(tokenizer)
const format = { style: 'jinja', beginText: '<s>', endText: '<|end|>' }
const template =
  "{{ bos_token }}{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] | trim }}{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"

/** Tokens as text, special tokens in brackets. */
function show(prompt: StyledPrompt, writer: PromptWriter): string {
  const names = new Map(specials.map(({ id, text }) => [id, `[${text}]`]))
  return vocabulary
    .encode(writer.write(prompt))
    .map((token) => names.get(token) ?? String.fromCodePoint(token))
    .join('')
}

const chat = (...contents: string[]): StyledPrompt => ({
  kind: 'chat',
  messages: contents.map((content, index) => ({ role: index % 2 === 0 ? 'user' : 'assistant', content })),
})

describe('PromptWriter', () => {
  it("writes the template's own markers as tokens", () => {
    const writer = new PromptWriter({ ...format, template }, vocabulary)
    expect(show(chat('Hi', 'Hello', 'Bye'), writer)).toBe(
      '[<s>][<|user|>] Hi[<|assistant|>] Hello[<|end|>][<|user|>] Bye[<|assistant|>]',
    )
  })

  it('never lets a text make a token of its own', () => {
    const writer = new PromptWriter({ ...format, template }, vocabulary)
    const evil = fc.array(
      fc.constantFrom(...markers, '<tool>', '{{ bos_token }}', '{% raw %}', 'x', '<', ' '),
      {
        maxLength: 6,
      },
    )
    fc.assert(
      fc.property(evil, evil, (first, second) => {
        const pieces = writer.write(chat(first.join(''), second.join('')))
        const tokens = vocabulary.encode(pieces).filter((token) => token >= 1000)
        expect(tokens).toEqual([1000, 1001, 1002, 1003, 1002])
        const kept = pieces.filter((piece) => !piece.trusted).map((piece) => piece.text)
        expect(kept).toEqual([first.join('').trim(), second.join('').trim()].filter(Boolean))
      }),
    )
  })

  it('puts a system message where the template has no place for it', () => {
    const strict = `{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}{% endif %}<|{{ m.role }}|>{{ m.content }}{% endfor %}`
    const writer = new PromptWriter({ ...format, template: strict }, vocabulary)
    const prompt: StyledPrompt = {
      kind: 'chat',
      messages: [
        { role: 'system', content: 'Be kind' },
        { role: 'user', content: 'Hi' },
      ],
    }
    expect(show(prompt, writer)).toBe('[<s>][<|user|>] Be kind\n\nHi')
  })

  it('refuses what the template refuses, and a template that does not parse', () => {
    const never = new PromptWriter({ ...format, template: "{{ raise_exception('no') }}" }, vocabulary)
    expect(() => never.write(chat('Hi'))).toThrow(expect.objectContaining({ code: 'ERR_UNSUPPORTED_PROMPT' }))
    const broken = () => new PromptWriter({ ...format, template: '{% for' }, vocabulary)
    expect(broken).toThrow(expect.objectContaining({ code: 'ERR_MODEL_INVALID' }))
  })

  it('asks the embedded model with its own tokens, and any other in words', () => {
    const prompt = { kind: 'translation', text: 'Hi <|de|>', source: 'en', target: 'de' } as const
    const own = new PromptWriter({ ...format, template, style: 'chrysalis-tiny-1' }, vocabulary)
    expect(show(prompt, own)).toBe('[<s>][<|translate|>][<|en|>][<|de|>] Hi <|de|>[<|assistant|>]')
    const other = new PromptWriter({ ...format, template }, vocabulary)
    expect(show(prompt, other)).toMatch(/from English to German.*Hi <\|de\|>\[<\|assistant\|>\]$/s)
    expect(() => own.write({ ...prompt, target: 'fi' })).toThrow(
      expect.objectContaining({ code: 'ERR_UNSUPPORTED_PROMPT' }),
    )
  })
})

describe('Vocabulary', () => {
  it('cuts what looks like a user-defined token, also across pieces and where two overlap', () => {
    const untrusted = (text: string) => ({ text, trusted: false })
    const userDefined = vocabulary.encode([
      untrusted('a<to'),
      { text: 'ol>', trusted: true },
      untrusted('<tool>'),
    ])
    expect(String.fromCodePoint(...userDefined.slice(2))).toBe('a<tool><tool>')
    const overlapping: SpecialToken[] = ['<a>', '<<a>', '>>'].map((text, index) => ({
      ...special(3000 + index, text),
      userDefined: true,
    }))
    const tokens = new Vocabulary({
      specials: overlapping,
      tokenize: (text) => [overlapping.find((token) => text.includes(token.text))?.id ?? 0],
    }).encode([untrusted('x<<a>>>')])
    expect(tokens.filter((token) => token !== 0)).toEqual([])
  })

  it('strips space around tokens that ask for it, in the template only', () => {
    const pieces = [
      { text: 'a \n<|strip|>\n b', trusted: true },
      { text: ' c', trusted: false },
    ]
    expect(vocabulary.encode(pieces)).toEqual([1000, 32, 97, 2001, 32, 98, 32, 99])
  })
})
