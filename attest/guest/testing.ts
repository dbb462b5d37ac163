/** A TDX guest for tests: a file tree in memory, with the parts of the kernel that files stand for. */

import { createHash } from 'node:crypto'
import { concat, utf8 } from '../bytes.ts'
import type { MeasuredEvent } from '../eventlog/index.ts'
import { SimulatedTee } from '../simulate/tee.ts'
import { GuestError } from './errors.ts'
import { errno, type Files } from './files.ts'
import type { Exec } from './system.ts'
import { TdxGuest, type TdxGuestOptions } from './tdx-guest.ts'

type Registers = [Uint8Array, Uint8Array, Uint8Array, Uint8Array]

const REPORTS = '/sys/kernel/config/tsm/report'
const REGISTERS = '/sys/class/misc/tdx_guest/measurements'

/** What goes wrong: operations whose text ("write /sys/…") matches fail with the code, `times` times. */
interface Fault {
  match: RegExp
  code: string
  times?: number
}

interface Report {
  generation: number
  inblob: Uint8Array | undefined
}

/** A guest on Linux 6.16 whose quotes come from a simulated platform. Change its fields to break it. */
export class FakeGuest implements Files {
  readonly tree = new Map<string, Uint8Array>()
  readonly folders = new Set<string>()
  readonly faults: Fault[] = []
  /** Every operation, in order. */
  readonly calls: string[] = []
  rtmr: Registers = [1, 2, 3, 0].map((value) => new Uint8Array(48).fill(value)) as Registers
  provider = 'tdx_guest\n'
  /** What `generation` says instead of the truth. */
  generation: string | undefined
  free = 2 ** 40
  /** Changes the quote that the platform made. */
  outblob: (quote: Uint8Array) => Uint8Array = (quote) => quote
  /** How many times the kernel drops the report data without a word. */
  drops = 0
  /** How many times another program writes into our report, before it is read or after. */
  races = 0
  raceAfterRead = false
  readonly #reports = new Map<string, Report>()
  readonly #tee = SimulatedTee.ephemeral({ now: () => 0 })

  constructor() {
    this.text('/proc/sys/kernel/osrelease', '6.16.3-generic\n')
    this.text('/proc/sys/kernel/random/boot_id', '1a2b3c4d-0000-4000-8000-000000000001\n')
    this.text('/proc/cpuinfo', 'processor\t: 0\nflags\t\t: fpu tsc tdx_guest nx\n')
    this.text('/proc/mounts', 'configfs /sys/kernel/config configfs rw 0 0\n')
    this.text('/proc/meminfo', 'MemTotal:       67108864 kB\nMemAvailable:   66000000 kB\n')
    for (const pid of [100, 200]) this.process(pid, `${pid}00`)
    this.folders.add(REPORTS)
    this.folders.add('/sys/class/misc/tdx_guest')
    this.folders.add(REGISTERS)
    for (const name of ['mrtd:sha384', 'mrconfigid', 'mrowner', 'mrownerconfig'])
      this.tree.set(`${REGISTERS}/${name}`, new Uint8Array(48).fill(name.length))
  }

  text(path: string, text: string): void {
    this.tree.set(path, Buffer.from(text))
  }

  /** A process with its start in clock ticks, under a name as hostile as names may be. */
  process(pid: number, start: string): void {
    const fields = Array.from({ length: 30 }, (_, i) => (i === 19 ? start : 'S0'))
    this.text(`/proc/${pid}/stat`, `${pid} (a) b (c) 1) ${fields.join(' ')}\n`)
  }

  /** Takes away a folder or file with all below it. */
  without(path: string): this {
    for (const key of this.tree.keys()) if (key === path || key.startsWith(`${path}/`)) this.tree.delete(key)
    for (const key of this.folders) if (key === path || key.startsWith(`${path}/`)) this.folders.delete(key)
    return this
  }

  /** A reboot: registers, processes and reports are gone, and so is what lies in /run unless it is kept. */
  reboot({ keepRun = false } = {}): void {
    this.rtmr = [...this.rtmr.slice(0, 3), new Uint8Array(48)] as Registers
    this.text('/proc/sys/kernel/random/boot_id', '1a2b3c4d-0000-4000-8000-000000000002\n')
    this.#reports.clear()
    if (!keepRun) this.without('/run')
  }

  extend(register: 0 | 1 | 2 | 3, digest: Uint8Array): void {
    const hash = createHash('sha384').update(concat(this.rtmr[register], digest))
    this.rtmr[register] = new Uint8Array(hash.digest())
  }

  #call(operation: string): void {
    this.calls.push(operation)
    const fault = this.faults.find(({ match, times }) => times !== 0 && match.test(operation))
    if (fault === undefined) return
    if (fault.times !== undefined) fault.times--
    throw errno(fault.code, operation)
  }

  async read(path: string, limit: number): Promise<Uint8Array> {
    this.#call(`read ${path}`)
    const bytes = await this.#content(path)
    if (bytes.length > limit) throw errno('EFBIG', path)
    return bytes
  }

  async #content(path: string): Promise<Uint8Array> {
    const register = /measurements\/rtmr([0-3]):sha384$/.exec(path)?.[1]
    if (register !== undefined && this.folders.has(REGISTERS)) return this.rtmr[Number(register) as 0].slice()
    const [folder, name] = splitPath(path)
    const report = this.#reports.get(folder)
    if (report !== undefined) return this.#attribute(report, name)
    const bytes = this.tree.get(path)
    if (bytes === undefined) throw errno('ENOENT', path)
    return bytes.slice()
  }

  async #attribute(report: Report, name: string): Promise<Uint8Array> {
    if (name === 'provider') return Buffer.from(this.provider)
    if (name === 'generation') return Buffer.from(this.generation ?? `${report.generation}\n`)
    if (name !== 'outblob') throw errno('EACCES', name)
    if (report.inblob === undefined) throw errno('EINVAL', name)
    const quote = await this.#tee.quote(report.inblob, { report: { rtmr: this.rtmr } })
    if (this.races > 0 && this.raceAfterRead) this.#race(report)
    return this.outblob(quote)
  }

  #race(report: Report): void {
    this.races--
    report.generation++
    report.inblob = new Uint8Array(64).fill(0xee)
  }

  async write(path: string, bytes: Uint8Array): Promise<void> {
    this.#call(`write ${path}`)
    const register = /measurements\/rtmr([0-3]):sha384$/.exec(path)?.[1]
    if (register !== undefined) {
      if (bytes.length !== 48) throw errno('EINVAL', path)
      this.extend(Number(register) as 0, bytes)
      return
    }
    const [folder, name] = splitPath(path)
    const report = this.#reports.get(folder)
    if (report === undefined || name !== 'inblob') throw errno('ENOENT', path)
    if (this.drops > 0) {
      this.drops--
      return
    }
    report.generation++
    report.inblob = bytes.slice()
    if (this.races > 0 && !this.raceAfterRead) this.#race(report)
  }

  async exists(path: string): Promise<boolean> {
    return this.tree.has(path) || this.folders.has(path) || this.#reports.has(path)
  }

  async makeFolder(path: string): Promise<void> {
    this.#call(`mkdir ${path}`)
    if (this.#reports.has(path)) throw errno('EEXIST', path)
    if (splitPath(path)[0] !== REPORTS) throw errno('EPERM', path)
    this.#reports.set(path, { generation: 0, inblob: undefined })
  }

  async removeFolder(path: string): Promise<void> {
    this.#call(`rmdir ${path}`)
    if (!this.#reports.delete(path)) throw errno('ENOENT', path)
  }

  /** Names of the reports that are there now. */
  get reports(): string[] {
    return [...this.#reports.keys()]
  }

  async ensureFolder(path: string): Promise<void> {
    this.#call(`ensure ${path}`)
    this.folders.add(path)
  }

  async create(path: string, bytes: Uint8Array): Promise<void> {
    this.#call(`create ${path}`)
    if (this.tree.has(path)) throw errno('EEXIST', path)
    this.tree.set(path, bytes.slice())
  }

  async replace(path: string, bytes: Uint8Array): Promise<void> {
    this.#call(`replace ${path}`)
    this.tree.set(path, bytes.slice())
  }

  async rename(from: string, to: string): Promise<void> {
    this.#call(`rename ${from}`)
    const bytes = this.tree.get(from)
    if (bytes === undefined) throw errno('ENOENT', from)
    this.tree.delete(from)
    this.tree.set(to, bytes)
  }

  async remove(path: string): Promise<void> {
    this.#call(`remove ${path}`)
    if (!this.tree.delete(path)) throw errno('ENOENT', path)
  }

  async freeBytes(path: string): Promise<number> {
    this.#call(`statfs ${path}`)
    return this.free
  }
}

function splitPath(path: string): [string, string] {
  const at = path.lastIndexOf('/')
  return [path.slice(0, at), path.slice(at + 1)]
}

/** Time that passes at once; `waited` tells how long it would have taken. */
export class FakeTime {
  readonly waited: number[] = []
  readonly sleep = async (ms: number): Promise<void> => {
    this.waited.push(ms)
  }
}

export type Answer = string | { status: number; stdout?: string; stderr?: string } | { code: string }

/** Programs that answer by their command line; others are not installed. */
export function fakeExec(answers: Record<string, Answer>): Exec & { calls: string[] } {
  const calls: string[] = []
  const exec: Exec = async (program, args) => {
    const line = [program, ...args].join(' ')
    calls.push(line)
    const key = Object.keys(answers).find((start) => line.startsWith(start))
    const answer = key === undefined ? { code: 'ENOENT' } : (answers[key] as Answer)
    if (typeof answer === 'string') return { status: 0, stdout: Buffer.from(answer), stderr: '' }
    if ('code' in answer) throw errno(answer.code, line)
    return { status: answer.status, stdout: Buffer.from(answer.stdout ?? ''), stderr: answer.stderr ?? '' }
  }
  return Object.assign(exec, { calls })
}

/** Events as a worker has them. */
export const EVENTS: readonly MeasuredEvent[] = [
  { name: 'chrysalis.software', payload: utf8('{"version":"1"}') },
  { name: 'chrysalis.configuration', payload: utf8('{}') },
  { name: 'chrysalis.model', payload: utf8('{"id":"m"}') },
]

/** RTMR3 (hex) after the first `count` events, computed apart from the code that is tested. */
export function rtmr3After(events: readonly MeasuredEvent[], count = events.length): string {
  let value: Uint8Array = new Uint8Array(48)
  for (const { name, payload } of events.slice(0, count)) {
    const bytes = concat(utf8(`chrysalis/event/1\0${name}\0`), payload)
    const digest = createHash('sha384').update(bytes).digest()
    value = createHash('sha384').update(value).update(digest).digest()
  }
  return Buffer.from(value).toString('hex')
}

/** The GuestError that some work ends with. */
export async function failure(work: Promise<unknown>): Promise<GuestError> {
  try {
    await work
  } catch (error) {
    if (error instanceof GuestError) return error
    throw error
  }
  throw new Error('it did not fail')
}

/** Opens a guest as process 100, with the usual events and time that passes at once. */
export const open = (files: FakeGuest, change: Partial<TdxGuestOptions> = {}): Promise<TdxGuest> =>
  TdxGuest.open({ files, pid: 100, events: EVENTS, sleep: new FakeTime().sleep, ...change })
