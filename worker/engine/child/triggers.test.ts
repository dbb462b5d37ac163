import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TriggerWatch } from './triggers.ts'

const reasoning = { open: '<think>', close: '</think>' }

/** The text from the first trigger on, told by a watch that sees the text in these pieces. */
function find(
  pieces: readonly string[],
  options: { triggers: readonly string[]; inside?: boolean; thinks?: boolean },
) {
  const { triggers, inside = false, thinks = false } = options
  const watch = new TriggerWatch({ triggers, inside, ...(thinks && { reasoning }) })
  for (const [index, piece] of pieces.entries()) {
    const found = watch.push(piece)
    if (!found) continue
    const seen = pieces.slice(0, index + 1).join('')
    return seen.length - found.behind - found.trigger.length
  }
  return undefined
}

describe('a trigger', () => {
  it.each([
    ['<call>', ['<call>'], 0],
    ['Sure. <call>{', ['<call>'], 6],
    ['a b', ['b', 'a'], 0],
    ['a <cal', ['<call>'], undefined],
    ['<<call>', ['<call>'], 1],
  ])('in "%s"', (text, triggers, at) => {
    expect(find([text], { triggers })).toBe(at)
    expect(find([...text], { triggers })).toBe(at)
  })

  it('inside the reasoning is none, unless it closes it', () => {
    const text = '<think>shall I <call>?</think><call>'
    expect(find([...text], { triggers: ['<call>'], thinks: true })).toBe(30)
    expect(find([...`\n${text}`], { triggers: ['<call>'], thinks: true })).toBe(31)
    expect(find([...text], { triggers: ['<call>'] })).toBe(15)
    expect(find([...text], { triggers: ['</think>'], thinks: true })).toBe(22)
    expect(
      find([...'shall I <call>?</think><call>'], { triggers: ['<call>'], thinks: true, inside: true }),
    ).toBe(23)
  })

  it('of an answer that does not begin with reasoning is found at once', () => {
    expect(find(['<', 'call>'], { triggers: ['<call>'], thinks: true })).toBe(0)
    expect(find(['I say <think> <call>'], { triggers: ['<call>'], thinks: true })).toBe(14)
  })

  it('is found where the whole text has it, however that is cut', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'b', '<think>', '</think>', ' ', '<'),
      maxLength: 12,
    })
    const triggers = fc.array(
      fc.string({ unit: fc.constantFrom('a', 'b', '<'), minLength: 1, maxLength: 3 }),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    fc.assert(
      fc.property(text, triggers, fc.boolean(), fc.boolean(), (whole, wanted, thinks, inside) => {
        const options = { triggers: wanted, thinks, inside }
        const cut = find([...whole], options)
        const once = find([whole], options)
        // Cut finely, a trigger that ends sooner may be found before a longer one that began sooner.
        expect(cut === undefined).toBe(once === undefined)
        if (cut !== undefined) expect(wanted.some((trigger) => whole.startsWith(trigger, cut))).toBe(true)
      }),
    )
  })
})
