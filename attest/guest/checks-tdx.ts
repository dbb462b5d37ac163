/** Preflight checks of the TD itself. */

import { isZero, toHex } from '../bytes.ts'
import { readCcel } from './ccel.ts'
import { type Check, fail, ok, type PreflightMachine, warn } from './checks.ts'
import { lockHolder } from './lock.ts'
import {
  findGuestProblem,
  findRegisters,
  findReportProblem,
  isKernelBefore,
  kernelVersion,
  type Problem,
} from './probe.ts'
import { readMeasurements } from './registers.ts'
import { LOCK_FILE, RECORD_FILE } from './tdx-guest.ts'

export async function checkGuest({ files }: PreflightMachine): Promise<Check> {
  return fromProblem('tdx-guest', await findGuestProblem(files), 'this is a TDX guest')
}

export async function checkKernel({ files }: PreflightMachine): Promise<Check> {
  const kernel = await kernelVersion(files)
  if (kernel === undefined)
    return fail(
      'kernel',
      'no kernel version in /proc/sys/kernel/osrelease',
      'Run this on Linux with /proc mounted',
    )
  if (await isKernelBefore(files, 6, 16)) {
    const missing = (await isKernelBefore(files, 6, 7)) ? 'quotes and RTMR3' : 'RTMR3'
    return fail(
      'kernel',
      `Linux ${kernel.name} has no files for ${missing}`,
      'Boot Linux 6.16 or later in the TD, with CONFIG_TDX_GUEST_DRIVER, CONFIG_TSM_REPORTS and CONFIG_TSM_MEASUREMENTS',
    )
  }
  return ok('kernel', `Linux ${kernel.name}`)
}

export async function checkReports({ files }: PreflightMachine): Promise<Check> {
  return fromProblem('configfs-tsm', await findReportProblem(files), 'quotes can be asked for')
}

/** The registers can be read, and RTMR3 is untouched or ours. */
export async function checkRegisters({ files, runtimeFolder }: PreflightMachine): Promise<Check> {
  const name = 'registers'
  const found = await findRegisters(files)
  if ('problem' in found) return fail(name, found.problem.finding, found.problem.cure)
  const { rtmr } = await readMeasurements(files)
  const [, , , rtmr3] = rtmr
  if (isZero(rtmr3)) return ok(name, 'all are readable, and RTMR3 is untouched')
  const finding = `RTMR3 was extended in this boot (${toHex(rtmr3.subarray(0, 8))}…)`
  const cure = 'If this worker did not do it: reboot the TD, and let no other program extend RTMR3'
  const ours = await files.exists(`${runtimeFolder}/${RECORD_FILE}`)
  return ours ? ok(name, `${finding}, by a worker whose record is here`) : fail(name, finding, cure)
}

export async function checkCcel({ files }: PreflightMachine): Promise<Check> {
  const name = 'event-log'
  const log = await readCcel(files)
  if (log !== undefined) return ok(name, `the firmware keeps a log of ${log.length} bytes`)
  return warn(
    name,
    'the firmware keeps no event log (ACPI table CCEL)',
    'Verifiers must then pin RTMR0 to RTMR2 by value. OVMF builds with TDX support keep one',
  )
}

export async function checkLock({ files, runtimeFolder }: PreflightMachine): Promise<Check> {
  const holder = await lockHolder(files, `${runtimeFolder}/${LOCK_FILE}`)
  if (holder === undefined) return ok('quotes-lock', 'no other process of this TD asks for quotes')
  return fail(
    'quotes-lock',
    `process ${holder} of this TD asks for quotes`,
    'Stop it: one worker for each TD',
  )
}

function fromProblem(name: string, problem: Problem | undefined, finding: string): Check {
  return problem === undefined ? ok(name, finding) : fail(name, problem.finding, problem.cure)
}
