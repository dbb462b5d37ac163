/** The checks of `attest join`: those of a TDX guest, what a simulation does without, and the way to the gateway. */

import { stat } from 'node:fs/promises'
import { count, printable } from '../inspect/text.ts'

/** One finding; a failure keeps the worker from starting. */
export interface Check {
  name: string
  result: 'pass' | 'fail' | 'warn' | 'skip'
  text: string
  /** What to do about a failure or a warning. */
  cure?: string
}

interface PreflightPlan {
  simulated: boolean
  /** Whether a GPU is used, which then has to be confidential. */
  gpu: boolean
  /** Folder of the worker's state; it need not exist yet. */
  data: string
  /** Path of the model. */
  model?: string
  /** The gateway's HTTP face. */
  gateway?: URL
  /** Wall clock, ms. */
  now: () => number
}

/** Room for receipts and ledger, and what a worker needs besides the model, in bytes. */
const DISK = 2 ** 30
const MEMORY = 2 ** 29
/** Longer than any gateway takes to say anything, ms. */
const PATIENCE = 5_000
/** How far two clocks may differ before epochs are refused, ms. */
const SKEW = 5_000

/** Checks that only a real enclave can pass. */
const HARDWARE = new Set([
  ...['tdx-guest', 'kernel', 'configfs-tsm', 'registers', 'event-log', 'quotes-lock'],
  ...['gpu-driver', 'gpu-cc-mode', 'gpu-devtools', 'gpu-ready', 'gpu-attestation'],
])

/** Whether a check stands against starting. */
export function failed({ result }: Check): boolean {
  return result === 'fail'
}

/** Makes every check; none throws. */
export async function preflight(plan: PreflightPlan): Promise<Check[]> {
  const { preflight: checkMachine } = await import('../guest/preflight.ts')
  const size = plan.model === undefined ? 0 : (await stat(plan.model)).size
  const found = await checkMachine({
    gpu: plan.gpu,
    disk: { folder: plan.data, bytes: DISK },
    memoryBytes: Math.ceil(size * 1.1) + MEMORY,
  })
  const machine = found.map(({ name, result, finding, cure }): Check => {
    const check: Check = {
      name,
      result: result === 'ok' ? 'pass' : result,
      text: finding,
      ...(cure && { cure }),
    }
    return plan.simulated ? forgiven(check) : check
  })
  return plan.gateway === undefined ? machine : [...machine, await checkGateway(plan.gateway, plan.now)]
}

/** What a simulation forgives: it has no hardware to check, and its clock convinces nobody. */
function forgiven(check: Check): Check {
  if (check.result === 'pass') return check
  if (HARDWARE.has(check.name)) return { name: check.name, result: 'skip', text: `simulated: ${check.text}` }
  return check.name === 'time' && check.result === 'fail' ? { ...check, result: 'warn' } : check
}

/** Whether anything answers there, and whether its clock and ours agree. */
async function checkGateway(gateway: URL, now: () => number): Promise<Check> {
  const name = 'gateway'
  try {
    const asked = now()
    const response = await fetch(gateway, { redirect: 'manual', signal: AbortSignal.timeout(PATIENCE) })
    await response.body?.cancel()
    const theirs = Date.parse(response.headers.get('date') ?? '')
    const apart = Math.abs(theirs - (asked + now()) / 2)
    if (Number.isNaN(apart) || apart <= SKEW) return { name, result: 'pass', text: `${gateway.host} answers` }
    const seconds = count(Math.round(apart / 1000), 'second')
    const text = `${gateway.host} answers, but its clock and this one are ${seconds} apart`
    return { name, result: 'warn', text, cure: 'Set the clock: evidence with other dates is refused' }
  } catch (error) {
    const distrust = certificateFault(error)
    if (distrust !== undefined) {
      const text = `${gateway.host} answers with a certificate that this machine does not trust (${distrust})`
      const cure =
        'Use the name that the certificate is for; if its authority is your own, name it: NODE_EXTRA_CA_CERTS=ca.pem'
      return { name, result: 'fail', text, cure }
    }
    const cure = 'See that the gateway runs, and that a firewall lets this machine through to it'
    return { name, result: 'fail', text: `${gateway.host} does not answer`, cure }
  }
}

/** The code of what is wrong with a server's certificate; undefined when that was not it. */
function certificateFault(error: unknown): string | undefined {
  const { code } = ((error as Error | undefined)?.cause ?? {}) as { code?: unknown }
  return typeof code === 'string' && /CERT|SIGNATURE|ISSUER/.test(code) ? printable(code, 60) : undefined
}
