/** @module What a model is shown in the place of slots, and how they are found again in what it says. */

import type { Codec } from './formats/index.ts'
import { isSlot, joined, literal, type Part, type Slot, words } from './rich.ts'

/** A way of showing slots. */
export interface Mask {
  /** A word of the instruction for it: what a mark looks like; absent: slots are shown as they are. */
  readonly example?: string
  /** The text for a model; undefined when the words hold something that would look like a slot. */
  hide(parts: readonly Part[]): string | undefined
  /** The parts of an answer to it, and the slots that it lost, doubled or put in a wrong order. */
  find(parts: readonly Part[], answer: string): Found
}

export interface Found {
  readonly parts: readonly Part[]
  readonly wrong: readonly Slot[]
}

const shownAs = (slot: Slot): string => ('show' in slot ? slot.show : undefined) ?? slot.raw

/** Slots as they are written: models know `{name}`, `<b>` and addresses from their training. */
export function natural(codec: Codec): Mask {
  return {
    hide(parts) {
      const slots = parts.filter(isSlot).map(shownAs)
      const text = (part: Part) => (part.kind === 'words' ? codec.encode(part.text) : shownAs(part))
      const isClear = parts.every(
        (part) => part.kind !== 'words' || !slots.some((slot) => text(part).includes(slot)),
      )
      return isClear ? parts.map(text).join('') : undefined
    },
    find(parts, answer) {
      const slots = parts.filter(isSlot)
      const shown = [...new Set(slots.map(shownAs))].toSorted((a, b) => b.length - a.length)
      if (shown.length === 0) return { parts: joined([words(codec.decode(answer))]), wrong: [] }
      const waiting = [...slots]
      const pieces = answer.split(new RegExp(`(${shown.map((one) => literal(one)).join('|')})`))
      const read = pieces.map((piece, index): Part | undefined => {
        if (index % 2 === 0) return words(codec.decode(piece))
        const at = waiting.findIndex((slot) => shownAs(slot) === piece)
        return waiting.splice(at, at < 0 ? 0 : 1)[0]
      })
      return checked(slots, read)
    },
  }
}

interface Numbered {
  readonly example?: string
  readonly show: (slot: Slot, number: number) => string
  /** Must find what `show` writes and what models make of it; the group is the number. */
  readonly pattern: RegExp
  readonly isClose?: (text: string) => boolean
}

function numbered({ example, show, pattern, isClose }: Numbered): Mask {
  const numbers = (slots: readonly Slot[]) => [...new Set(slots.map(({ id }) => id))]
  return {
    ...(example !== undefined && { example }),
    hide(parts) {
      const ids = numbers(parts.filter(isSlot))
      if (parts.some((part) => part.kind === 'words' && part.text.search(pattern) >= 0)) return undefined
      const texts = parts.map((part) =>
        part.kind === 'words' ? part.text : show(part, ids.indexOf(part.id) + 1),
      )
      return texts.join('')
    },
    find(parts, answer) {
      const slots = parts.filter(isSlot)
      const ids = numbers(slots)
      const read: (Part | undefined)[] = []
      let at = 0
      for (const match of answer.matchAll(pattern)) {
        const id = ids[Number(match[1]) - 1]
        const kind = isClose?.(match[0]) ? 'close' : 'open'
        read.push(words(answer.slice(at, match.index)))
        read.push(slots.find((slot) => slot.id === id && (slot.kind === 'kept' || slot.kind === kind)))
        at = match.index + match[0].length
      }
      return checked(slots, [...read, words(answer.slice(at))])
    },
  }
}

/** `<x1/>`, `<g1>…</g1>`: as translators' exchange formats write them. */
export const tags: Mask = numbered({
  example: '<x1/> or <g1>…</g1>',
  show: ({ kind }, number) =>
    kind === 'kept' ? `<x${number}/>` : kind === 'open' ? `<g${number}>` : `</g${number}>`,
  pattern: /<\s*\/?\s*[xg]\s*(\d{1,4})\s*\/?\s*>/gi,
  isClose: (text) => /<\s*\//.test(text),
})

/** `[[1]]`: nothing else looks like it. Marks come in pairs `[[1]]…[[/1]]`. */
export const brackets: Mask = numbered({
  example: '[[1]]',
  show: ({ kind }, number) => (kind === 'close' ? `[[/${number}]]` : `[[${number}]]`),
  pattern: /[[【]\s*[[【]\s*\/?\s*(\d{1,4})\s*[\]】]\s*[\]】]/g,
  isClose: (text) => text.includes('/'),
})

/** `{var1}`: what the embedded model has learnt to copy. */
export const braces: Mask = numbered({
  show: ({ kind }, number) => (kind === 'close' ? `{end${number}}` : `{var${number}}`),
  pattern: /\{\s*(?:var|end)(\d{1,4})\s*\}/gi,
  isClose: (text) => /end/i.test(text),
})

/** Each slot exactly once, and what opens before what closes; a part that is undefined is a slot too many. */
function checked(slots: readonly Slot[], read: readonly (Part | undefined)[]): Found {
  const parts = joined(read.filter((part) => part !== undefined))
  const found = parts.filter(isSlot)
  const surplus = read.includes(undefined)
  const wrong = slots.filter((slot) => {
    if (found.filter((one) => one === slot).length !== 1) return true
    if (slot.kind !== 'close') return false
    const open = slots.find(({ kind, id }) => kind === 'open' && id === slot.id)
    return open !== undefined && found.indexOf(open) > found.indexOf(slot)
  })
  return { parts, wrong: wrong.length === 0 && (surplus || crossing(found)) ? slots : wrong }
}

/** Pairs that neither hold each other nor lie apart. */
function crossing(slots: readonly Slot[]): boolean {
  const open: number[] = []
  const ids = new Set(slots.filter(({ kind }) => kind === 'close').map(({ id }) => id))
  for (const { kind, id } of slots) {
    if (kind === 'open' && ids.has(id)) open.push(id)
    if (kind === 'close' && open.includes(id) && open.pop() !== id) return true
  }
  return false
}
