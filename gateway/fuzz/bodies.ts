/** Makes bad bodies out of good ones: what JSON can say that no request should. */

import fc from 'fast-check'
import { utf8 } from '../../attest/bytes.ts'
import { mutate, type Random } from '../../attest/fuzz/mutate.ts'
import { nearly } from '../../worker/protocol/arbitrary.ts'
import { CANARY, LONG_NAME, type Route } from './routes.ts'

/** JSON text that stands in a value as it is, since no value is written like that. */
class Raw {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Holder = Record<string | number, unknown>
type Slot = readonly [holder: Holder, key: string]

const LONG = CANARY + 'x'.repeat(5000)
const nested = (depth: number, open: string, close: string) =>
  new Raw(open.repeat(depth) + (close === '}' ? '1' : '') + close.repeat(depth))

/** Instead of a value. */
const ODD: readonly unknown[] = [
  ...[null, true, false, 0, -1, 0.5, -0, 1e300, 2 ** 31, 2 ** 53, -(2 ** 63), 1024, 129],
  ...['', CANARY, LONG, `\0${CANARY}`, '\ufeff', '\u202e', 'auto', 'alias', '1', 'null', '../../etc/passwd'],
  ...[[], {}, [[]], [null], [{}], [CANARY], { type: CANARY }, { [LONG_NAME]: 1 }],
  ...['1e999', '-1e999', '1'.repeat(400), '0.1e-400', `"\\ud800${CANARY}"`, '"\\u0000"'].map(
    (x) => new Raw(x),
  ),
  new Raw(`{"__proto__":{"polluted":1},"type":"${CANARY}"}`),
  new Raw('{"constructor":{"prototype":{"polluted":1}}}'),
  new Raw('{"a":1,"a":2,"toString":null,"valueOf":3,"toJSON":4}'),
  new Raw(`[${'0,'.repeat(4000)}0]`),
  nested(70, '[', ']'),
  nested(9000, '[', ']'),
  nested(70, '{"a":', '}'),
  nested(5000, '{"anyOf":[{"a":', '}]}'),
  ...[NaN, undefined].map((x) => new Raw(String(x))),
]

/** Names of members that no table has. */
const NAMES = [
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  '',
  'extra',
  '\0',
  '\ud800',
  'é',
  '$ref',
]

/** Values that a body may have before its next change. */
const MAX_SLOTS = 1000

type Step = (slot: Slot, random: Random, all: readonly Slot[]) => void

/** Changes of one value in its place. */
const STEPS: readonly Step[] = [
  ([holder, key], random) => put(holder, key, odd(random)),
  ([holder, key], random) => put(holder, key, odd(random)),
  ([holder, key]) => (Array.isArray(holder) ? holder.splice(Number(key), 1) : delete holder[key]),
  ([holder, key]) => put(holder, key, [holder[key]]),
  ([holder, key]) => put(holder, key, { [key]: holder[key] }),
  ([holder, key], random, all) => {
    const [from, name] = pick(all, random)
    put(holder, key, structured(from[name]))
  },
  ([holder], random) => {
    if (!Array.isArray(holder)) put(holder, random(4) === 0 ? LONG_NAME : pick(NAMES, random), odd(random))
  },
  ([holder, key], random) => {
    const value = holder[key]
    if (typeof value === 'number') put(holder, key, nearNumber(value, random))
    else if (typeof value === 'string') put(holder, key, nearText(value, random))
    else if (Array.isArray(value)) put(holder, key, Array(1 + random(300)).fill(value[0] ?? 0))
  },
  ([holder, key], random) => {
    const value = holder[key]
    if (!isPlain(value)) return
    const members = Object.entries(value).map(member)
    if (members.length > 0) members.push(pick(members, random), member([pick(NAMES, random), odd(random)]))
    put(holder, key, new Raw(`{${members.join(',')}}`))
  },
]

/** Makes bodies for one route. The same random numbers make the same bodies. */
export class Bodies {
  readonly #seeds: readonly unknown[]
  readonly #texts: readonly Uint8Array[]

  /** @param seed of the requests that are near the route's schema */
  constructor({ schema, good }: Route, seed: number) {
    const near = fc.sample(nearly(schema, 60), { numRuns: 150, seed })
    // Good ones as often as the others: most that a schema allows is refused for its first field.
    this.#seeds = [...Array.from({ length: Math.ceil(150 / good.length) }, () => good).flat(), ...near]
    this.#texts = good.map((each) => utf8(JSON.stringify(each)))
  }

  /** A request with up to four changes, as JSON text; now and then with its bytes changed. */
  make(random: Random): Uint8Array {
    if (random(12) === 0) return mutate(this.#texts, random)
    const body: Holder = { root: structured(pick(this.#seeds, random)) }
    for (let steps = random(5); steps > 0; steps--) {
      const slots = slotsOf(body)
      // Copies of copies would only be long.
      if (slots.length === 0 || slots.length > MAX_SLOTS) break
      pick(STEPS, random)(pick(slots, random), random, slots)
    }
    return utf8(Object.hasOwn(body, 'root') ? write(body.root) : '')
  }
}

/** One of several. */
export function pick<T>(values: readonly T[], random: Random): T {
  return values[random(values.length)] as T
}

/** A fresh one, since it may be changed in turn. */
function odd(random: Random): unknown {
  return structured(pick(ODD, random))
}

function slotsOf(value: unknown): Slot[] {
  if (value === null || typeof value !== 'object' || value instanceof Raw) return []
  const holder = value as Holder
  return Object.keys(holder).flatMap((key) => [[holder, key] as const, ...slotsOf(holder[key])])
}

/** A copy in which plain data is fresh. */
function structured(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(structured)
  if (!isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, structured(each)]))
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !(value instanceof Raw) && !Array.isArray(value)
}

/** Assignment would set the prototype for the name `__proto__`. */
function put(holder: Holder, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true })
}

function nearNumber(value: number, random: Random): unknown {
  return pick(
    [value + 1, value - 1, -value, value + 0.5, value * 1000, `${value}`, new Raw(`${value}.0`)],
    random,
  )
}

function nearText(value: string, random: Random): unknown {
  const at = random(value.length + 1)
  const insert = pick(['\0', '\ud800', '\n', '"', '<', '\u{1f980}', CANARY, '{{', '`', '\\'], random)
  return pick(
    [value.slice(0, at) + insert + value.slice(at), value.slice(at), value.repeat(1 + random(99))],
    random,
  )
}

function member([name, value]: readonly [string, unknown]): string {
  return `${JSON.stringify(name)}:${write(value)}`
}

function write(value: unknown): string {
  if (value instanceof Raw) return value.text
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
  if (isPlain(value)) return `{${Object.entries(value).map(member).join(',')}}`
  return JSON.stringify(value) ?? 'null'
}
