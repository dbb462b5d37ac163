/** Fires requests at a server over many connections, and judges every answer. */

import { setTimeout as sleep } from 'node:timers/promises'
import { generator, type Random } from '../../attest/fuzz/mutate.ts'
import { Bodies } from './bodies.ts'
import { type Answer, Connection } from './connection.ts'
import { judge } from './judge.ts'
import { ROUTES } from './routes.ts'
import { type Aim, goodShot, makeShot, type Shot } from './shots.ts'

export interface Stand {
  readonly port: number
  readonly secret: string
  /** What the server wrote to its log that it may not have; empties it. */
  faults(): string[]
  /** Connections that it holds. */
  connections(): Promise<number>
}

/** A request that was not answered as it has to be. */
export interface Defect {
  /** Repeats it, see `--case`. */
  readonly number: number
  readonly what: string
  readonly shot: Shot
  readonly answer?: Answer | undefined
}

export interface Tally {
  requests: number
  answers: number
  /** Requests by kind, and answers by status. */
  readonly kinds: Map<string, number>
  readonly statuses: Map<number, number>
  readonly defects: Defect[]
  /** What no single request did. */
  readonly faults: string[]
}

export interface RunOptions {
  readonly seed: number
  /** Numbers of the first request and of the one after the last. */
  readonly from: number
  readonly to: number
  readonly connections: number
  /** Requests that are written at once on a connection, if their HTTP is right. */
  readonly pipelined: number
  /** Called now and then. */
  readonly progress?: (tally: Tally) => void
}

interface Numbered {
  readonly number: number
  readonly shot: Shot
}

const MAX_DEFECTS = 10
/** Bodies that are near their schema are made anew after so many requests. */
const EPISODE = 20_000
/** A partial request is taken back when no answer came for so long, ms. */
const PATIENCE_MS = 500
/** Connections of a lane beside its own, of requests that have to be alone. */
const MAX_ALONE = 16

/** Every good request once, which has to be answered with 200, then all that `options` asks for. */
export async function fire(stand: Stand, options: RunOptions): Promise<Tally> {
  const tally: Tally = {
    requests: 0,
    answers: 0,
    kinds: new Map(),
    statuses: new Map(),
    defects: [],
    faults: [],
  }
  await good(stand, tally)
  for (let from = options.from; from < options.to && tally.defects.length === 0; ) {
    const to = Math.min(options.to, (Math.floor(from / EPISODE) + 1) * EPISODE)
    await episode(stand, { ...options, from, to }, tally)
    from = to
  }
  const left = await leftOver(stand)
  if (left > 0) tally.faults.push(`${left} connections are left`)
  if ('polluted' in {}) tally.faults.push('the prototype of all objects has changed')
  return tally
}

/** Connections that the server still holds when it had time to notice that the client has none. */
async function leftOver(stand: Stand): Promise<number> {
  for (let tries = 0; tries < 500; tries++) {
    if ((await stand.connections()) === 0) return 0
    await sleep(10)
  }
  return await stand.connections()
}

/** One request of a run once more, on a connection of its own. */
export async function repeat(
  stand: Stand,
  seed: number,
  number: number,
): Promise<{ shot: Shot; answer: Answer | undefined }> {
  const shot = makeShot(aimAt(stand, seed + Math.floor(number / EPISODE)), numbersOf(seed, number))
  const connection = await Connection.open(stand.port)
  await connection.write(shot.pieces)
  const answer = await connection.next(shot.method)
  connection.destroy()
  return { shot, answer }
}

async function good(stand: Stand, tally: Tally): Promise<void> {
  const aim = aimAt(stand, 0)
  for (const target of aim.targets) {
    for (const body of target.route.good) {
      const shot = goodShot(target, aim, body)
      const connection = await Connection.open(stand.port)
      await connection.write(shot.pieces)
      const answer = await connection.next(shot.method)
      connection.destroy()
      note(stand, tally, { number: -1, shot }, answer)
      if (answer?.status !== 200)
        tally.defects.push({ number: -1, what: 'a good request was refused', shot, answer })
    }
  }
}

async function episode(stand: Stand, options: RunOptions, tally: Tally): Promise<void> {
  const aim = aimAt(stand, options.seed + Math.floor(options.from / EPISODE))
  let next = options.from
  const draw = (): Numbered | undefined => {
    if (next >= options.to || tally.defects.length >= MAX_DEFECTS) return undefined
    const number = next++
    if (number % 1000 === 0) options.progress?.(tally)
    return { number, shot: makeShot(aim, numbersOf(options.seed, number)) }
  }
  await Promise.all(Array.from({ length: options.connections }, () => lane(stand, options, tally, draw)))
}

function aimAt({ port, secret }: Stand, seed: number): Aim {
  const targets = ROUTES.map((route) => ({ route, bodies: new Bodies(route, seed) }))
  return { targets, host: `127.0.0.1:${port}`, secret }
}

/** The random numbers of one request, so that it can be made without those before it. */
function numbersOf(seed: number, number: number): Random {
  return generator(seed ^ Math.imul(number + 1, 0x9e3779b1))
}

/** One connection after the other, until nothing is left to be sent. */
async function lane(
  stand: Stand,
  { pipelined }: RunOptions,
  tally: Tally,
  draw: () => Numbered | undefined,
): Promise<void> {
  const waiting: Numbered[] = []
  const singles = new Set<Promise<void>>()
  let connection: Connection | undefined
  for (;;) {
    let single: Numbered | undefined
    while (waiting.length < pipelined && !single) {
      const drawn = draw()
      if (!drawn) break
      if (drawn.shot.connection === 'shared') waiting.push(drawn)
      else single = drawn
    }
    if (single) {
      const done = alone(stand, tally, single).finally(() => singles.delete(done))
      singles.add(done)
      if (singles.size >= MAX_ALONE) await Promise.race(singles)
    } else if (waiting.length === 0) {
      connection?.destroy()
      return void (await Promise.all(singles))
    }
    if (waiting.length === 0) continue
    if (!connection || connection.ended) connection = await Connection.open(stand.port)
    if (!(await together(stand, tally, waiting, connection))) {
      connection.destroy()
      connection = undefined
    }
  }
}

/**
 * Writes all and reads an answer to each; those that came are taken off `waiting`.
 * @returns whether the connection may be used again. What a server did not read before it closed is sent again.
 */
async function together(
  stand: Stand,
  tally: Tally,
  waiting: Numbered[],
  connection: Connection,
): Promise<boolean> {
  await connection.write(waiting.flatMap(({ shot }) => shot.pieces))
  let answered = 0
  for (let first = waiting[0]; first; first = waiting[0]) {
    const answer = await read(connection, first, tally)
    if (!answer && answered > 0) return false
    waiting.shift()
    answered++
    note(stand, tally, first, answer)
    if (!answer) tally.defects.push({ ...first, what: 'no answer' })
    if (!answer || answer.headers.get('connection') === 'close') return false
  }
  return true
}

/** Of one that may break its connection: whatever comes back has to be whole answers. */
async function alone(stand: Stand, tally: Tally, numbered: Numbered): Promise<void> {
  const { shot } = numbered
  const connection = await Connection.open(stand.port)
  const timer = setTimeout(
    () => connection.half(),
    shot.connection === 'partial' ? PATIENCE_MS : 60 * PATIENCE_MS,
  )
  await connection.write(shot.pieces)
  let answers = 0
  if (shot.kind === 'halves') connection.half()
  for (;;) {
    const answer = await read(connection, numbered, tally)
    if (!answer) break
    note(stand, tally, numbered, answer)
    answers++
    connection.half()
  }
  clearTimeout(timer)
  connection.destroy()
  if (answers === 0 && shot.connection === 'alone') tally.defects.push({ ...numbered, what: 'no answer' })
  if (answers === 0) note(stand, tally, numbered, undefined)
}

async function read(
  connection: Connection,
  { number, shot }: Numbered,
  tally: Tally,
): Promise<Answer | undefined> {
  try {
    return await connection.next(shot.method)
  } catch (error) {
    // Whoever hung up first may find the answer cut off.
    if (shot.connection !== 'partial') tally.defects.push({ number, what: String(error), shot })
    return undefined
  }
}

function note(stand: Stand, tally: Tally, { number, shot }: Numbered, answer: Answer | undefined): void {
  tally.requests++
  tally.kinds.set(shot.kind, (tally.kinds.get(shot.kind) ?? 0) + 1)
  const status = answer?.status ?? 0
  tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1)
  for (const what of stand.faults()) tally.defects.push({ number, what, shot })
  if (!answer) return
  tally.answers++
  // What is no HTTP has no path, and is answered in OpenAI's shape.
  const faces = shot.connection === 'shared' ? shot.faces : [...shot.faces, 'openai' as const]
  const what = judge(answer, shot.method, faces)
  if (what !== undefined) tally.defects.push({ number, what, shot, answer })
}

/** A defect for people: what was wrong with what, and how to have it again. */
export function tell({ number, what, shot, answer }: Defect): string {
  const sent = JSON.stringify(Buffer.concat(shot.pieces).toString('latin1').slice(0, 2000))
  const got = answer ? `${answer.status} ${JSON.stringify(answer.body.slice(0, 1000))}` : 'nothing'
  return `--case ${number}: ${what} (${shot.kind})\n  sent ${sent}\n  got ${got}\n`
}
