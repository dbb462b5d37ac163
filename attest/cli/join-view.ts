/** How `attest join` shows itself: a page for a person, lines of JSON for a program. */

import { count, printable } from '../inspect/text.ts'
import { type Io, type Style, styled } from './io.ts'
import { safeJson } from './json.ts'
import { type Check, failed } from './preflight.ts'
import type { WorkerStatus } from './worker-process.ts'

/** What a worker tells, and what to do about it. */
export interface ShownStatus extends WorkerStatus {
  /** Of a refusal. */
  cure?: string
}

export interface JoinView {
  checks(checks: readonly Check[]): void
  status(status: ShownStatus): void
  /** A sentence beside the status. */
  note(text: string): void
  /** A sentence that must not be overlooked. */
  warn(text: string): void
  /** Nothing follows. */
  end(): void
}

/** Lines of JSON on stdout; sentences go to stderr. */
export function followJson(io: Io): JoinView {
  return {
    checks: (checks) => io.out(`${safeJson({ event: 'preflight', ok: !checks.some(failed), checks })}\n`),
    status: (status) => io.out(`${safeJson(status)}\n`),
    note: (text) => io.err(`${printable(text)}\n`),
    warn: (text) => io.err(`${printable(text)}\n`),
    end: () => {},
  }
}

const STATES: Readonly<Record<WorkerStatus['state'], [Style, string]>> = {
  starting: ['dim', 'measuring the model and starting the enclave'],
  joining: ['yellow', 'attesting to the gateway'],
  ready: ['green', 'working'],
  unpaid: ['red', 'waiting for the gateway to pay'],
  refused: ['red', 'refused'],
  lost: ['yellow', 'the gateway is gone; trying again'],
  draining: ['yellow', 'finishing what has begun'],
  stopped: ['dim', 'ended'],
}

/** Why a worker takes no work, by the codes of its earnings; of others the code has to do. */
const UNPAID: Readonly<Record<string, string>> = {
  ERR_CREDIT_LIMIT: 'it owes more than the credit limit',
  ERR_DEPOSIT_SPENT: 'the deposit of its channel is used up',
  ERR_CHANNEL_CLOSING: 'its channel is closing',
  ERR_CHANNEL_ABSENT: 'its channel is gone',
}

const RESULTS: Readonly<Record<Check['result'], [Style, string]>> = {
  pass: ['green', 'pass'],
  fail: ['red', 'FAIL'],
  warn: ['yellow', 'warn'],
  skip: ['dim', 'skip'],
}

/** On a terminal one line that changes; elsewhere a line for each change of state. */
export function followText(io: Io): JoinView {
  let open = false
  let last = ''
  const close = (): void => {
    if (open) io.out('\n')
    open = false
  }
  const say = (text: string, style: Style | undefined): void => {
    close()
    io.out(`${style === undefined ? printable(text) : styled(io, style, printable(text))}\n`)
  }
  return {
    note: (text) => say(text, undefined),
    warn: (text) => say(text, 'red'),
    end: close,
    checks: (checks) => {
      for (const line of checks.flatMap((check) => checkLines(check, io))) io.out(`${line}\n`)
      const wrong = checks.filter(failed).length
      const sentence =
        wrong === 0 ? 'This machine can work.' : `${count(wrong, 'check')} failed; nothing was started.`
      io.out(`\n${styled(io, wrong === 0 ? 'green' : 'red', sentence)}\n`)
    },
    status: (status) => {
      const line = statusLine(status, io)
      // Counts change all the time: they are worth a line of their own only where the line can be written over.
      const key = io.terminal ? line : status.state + (status.code ?? '')
      if (key === last) return
      last = key
      if (!io.terminal) io.out(`${line}\n`)
      else io.out(`\r\u001b[2K${line}`)
      open = io.terminal
    },
  }
}

function checkLines({ name, result, text, cure }: Check, io: Io): string[] {
  const [style, word] = RESULTS[result]
  const line = `  ${styled(io, style, word)}  ${name.padEnd(12)}  ${printable(text)}`
  return cure === undefined
    ? [line]
    : [line, `        ${' '.repeat(12)}  ${styled(io, 'bold', 'cure:')} ${printable(cure, 1000)}`]
}

function statusLine(status: ShownStatus, io: Io): string {
  const [style, word] = STATES[status.state]
  const { models, receipts, earned, owed = '0', factors = [], reason, code, by } = status
  const parts = [styled(io, style, word)]
  if (status.state === 'refused') {
    parts[0] += by === 'worker' ? ': this worker refuses the gateway' : ' by the gateway'
    const why = [factors.join(', '), reason ?? code ?? ''].filter(Boolean)
    parts.push(why.map((text) => printable(text)).join(': '))
    if (status.cure !== undefined) parts.push(`(cure: ${status.cure})`)
  }
  if (status.state === 'unpaid')
    parts.push(UNPAID[code ?? ''] ?? printable(code ?? '', 80), `${tons(owed)} TON owed`)
  if (['ready', 'unpaid', 'draining'].includes(status.state))
    parts.push(
      models.map((id) => printable(id, 80)).join(', '),
      count(receipts, 'receipt'),
      `${tons(earned)} TON earned`,
    )
  if (status.state === 'lost' && code !== undefined) parts.push(printable(code, 80))
  return parts.filter(Boolean).join('  ')
}

/** Nanotons as TON, exactly. */
function tons(nanotons: string): string {
  const digits = nanotons.padStart(10, '0')
  const fraction = digits.slice(-9).replace(/0+$/, '')
  return fraction === '' ? digits.slice(0, -9) : `${digits.slice(0, -9)}.${fraction}`
}
