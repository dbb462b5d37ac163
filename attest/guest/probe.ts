/** What a TDX guest must have, where it is looked for, and what helps when it is missing. */

import { GuestError, type GuestErrorCode } from './errors.ts'
import type { Files } from './files.ts'

/** The misc device of the TDX guest driver. */
const DEVICE = '/sys/class/misc/tdx_guest'
/** Quotes: configfs-tsm, Linux 6.7 and later (Documentation/ABI/testing/configfs-tsm-report). */
export const REPORTS = '/sys/kernel/config/tsm/report'
/** Registers: Linux 6.16 and later (Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest). */
export const REGISTERS = [
  '/sys/class/misc/tdx_guest/measurements',
  '/sys/devices/virtual/misc/tdx_guest/measurements',
] as const

/** A thousand processors fill megabytes. */
const MAX_CPUINFO = 64 * 1024 * 1024

/** Something that is missing, and what helps. */
export interface Problem {
  finding: string
  cure: string
}

/** A problem as an error. `ERR_NOT_TDX_GUEST` messages begin with "not a TDX guest". */
export function problemError(problem: Problem, code: GuestErrorCode = 'ERR_NOT_TDX_GUEST'): GuestError {
  const start = code === 'ERR_NOT_TDX_GUEST' ? 'not a TDX guest: ' : ''
  return new GuestError(code, `${start}${problem.finding}. ${problem.cure}`)
}

/** Reads a small text file; undefined when it cannot be read. */
export async function readText(files: Files, path: string, limit = 65_536): Promise<string | undefined> {
  try {
    return Buffer.from(await files.read(path, limit)).toString('utf8')
  } catch {
    return undefined
  }
}

/** Major and minor version of the running kernel, and its whole name; undefined where /proc is not Linux'. */
export async function kernelVersion(
  files: Files,
): Promise<{ name: string; major: number; minor: number } | undefined> {
  const name = (await readText(files, '/proc/sys/kernel/osrelease'))?.trim()
  const match = /^(\d{1,4})\.(\d{1,4})/.exec(name ?? '')
  if (name === undefined || match === null) return undefined
  return { name, major: Number(match[1]), minor: Number(match[2]) }
}

/** Whether the running kernel is older than this one; false where it has no version that can be read. */
export async function isKernelBefore(files: Files, major: number, minor: number): Promise<boolean> {
  const version = await kernelVersion(files)
  if (version === undefined) return false
  return version.major < major || (version.major === major && version.minor < minor)
}

/** Why this machine is no TDX guest, or undefined when it is one. */
export async function findGuestProblem(files: Files): Promise<Problem | undefined> {
  if (await files.exists(DEVICE)) return undefined
  if (await isTd(files)) {
    return {
      finding: `the processor is in a TD, but ${DEVICE} is missing: the guest driver is not loaded`,
      cure: 'Load it with `modprobe tdx_guest`; the kernel needs CONFIG_TDX_GUEST_DRIVER',
    }
  }
  return {
    finding: `there is neither ${DEVICE} nor the flag tdx_guest in /proc/cpuinfo`,
    cure: 'Run this inside a trust domain of an Intel TDX host; on any other machine use the simulated TEE',
  }
}

/** Whether the processor says that this is a TD, with or without a guest driver. */
export async function isTd(files: Files): Promise<boolean> {
  const processors = (await readText(files, '/proc/cpuinfo', MAX_CPUINFO)) ?? ''
  return /^flags\s*:.*\btdx_guest\b/m.test(processors)
}

/** Why quotes cannot be asked for, or undefined. */
export async function findReportProblem(files: Files): Promise<Problem | undefined> {
  if (await files.exists(REPORTS)) return undefined
  const kernel = await kernelVersion(files)
  if (await isKernelBefore(files, 6, 7)) {
    return {
      finding: `kernel ${kernel?.name} is too old: ${REPORTS} came with Linux 6.7`,
      cure: 'Boot Linux 6.16 or later in the TD (6.7 for quotes, 6.16 for RTMR3)',
    }
  }
  // The kernel makes this folder, empty, whether or not anything is mounted there.
  if (!(await files.exists('/sys/kernel/config/tsm')) && !(await isMounted(files, '/sys/kernel/config'))) {
    return {
      finding: 'configfs is not mounted at /sys/kernel/config',
      cure: 'Mount it with `mount -t configfs none /sys/kernel/config`',
    }
  }
  return {
    finding: `${REPORTS} is missing although the kernel could have it`,
    cure: 'Load the driver with `modprobe tdx_guest`; the kernel needs CONFIG_TSM_REPORTS',
  }
}

async function isMounted(files: Files, path: string): Promise<boolean> {
  const mounts = (await readText(files, '/proc/mounts', 4 * 1024 * 1024)) ?? ''
  return mounts.split('\n').some((line) => line.split(' ')[1] === path)
}

/** The folder of the measurement registers, or why there is none. */
export async function findRegisters(files: Files): Promise<{ folder: string } | { problem: Problem }> {
  for (const folder of REGISTERS) if (await files.exists(folder)) return { folder }
  const kernel = await kernelVersion(files)
  const problem = (await isKernelBefore(files, 6, 16))
    ? {
        finding: `kernel ${kernel?.name} is too old: ${REGISTERS[0]} came with Linux 6.16`,
        cure: 'Boot Linux 6.16 or later in the TD',
      }
    : {
        finding: `${REGISTERS[0]} is missing although the kernel could have it`,
        cure: 'The kernel needs CONFIG_TSM_MEASUREMENTS',
      }
  return { problem }
}
