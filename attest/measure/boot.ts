/**
 * RTMR1 and RTMR2 of a TD that QEMU boots directly (`-kernel -append -initrd`) through OVMF into the EFI stub of
 * Linux, predicted as the events that extend them. A register starts as 48 zero bytes, and each event makes it
 * SHA-384(register || digest).
 *
 * These are predictions from the sources of the three programs: what a machine really measured is what its quote and
 * its event log say. RTMR0 is not predicted (it depends on the number of CPUs, the memory and every device), and RTMR3
 * belongs to our own events.
 */

import { sha384 } from '@noble/hashes/sha2.js'
import { concat, toHex, utf8, utf16le } from '../bytes.ts'
import { authenticodeDigest } from './authenticode.ts'
import { MeasureError } from './errors.ts'
import { patchSetupHeader, type QemuMachine } from './setup-header.ts'

/** Digest of one event that is expected in RTMR1 or RTMR2. */
export interface PredictedEvent {
  rtmr: 1 | 2
  /** What is measured, for people. */
  what: string
  /** 48 bytes */ digest: Uint8Array
}

/** What a TD boots. */
export interface BootInputs {
  /** The bzImage, as it lies on disk. */
  kernel: Uint8Array
  /** The command line as given to QEMU (`-append`), printable ASCII. */
  cmdline: string
  initrd?: Uint8Array | undefined
  /**
   * Whether the firmware measures the kernel file as it is (QEMU since 10.0 with OVMF since 2025.05), or the copy
   * whose setup header QEMU filled in for this machine.
   */
  setupHeader: 'as-is' | QemuMachine
}

// Linux keeps at most COMMAND_LINE_SIZE bytes of it on x86.
const MAX_CMDLINE = 2048

const ofText = (text: string) => sha384(utf8(text))

/** The events of RTMR1 and RTMR2 in the order in which they extend. Throws MeasureError. */
export async function predictBootEvents(inputs: BootInputs): Promise<PredictedEvent[]> {
  const { cmdline, initrd, setupHeader } = inputs
  checkCommandLine(cmdline)
  const initrdBytes = initrd?.length ?? 0
  if (initrd !== undefined && initrdBytes === 0) throw new MeasureError('initrd: the file is empty')
  const kernel =
    setupHeader === 'as-is'
      ? inputs.kernel
      : patchSetupHeader(inputs.kernel, { machine: setupHeader, initrdBytes, cmdline })
  // OVMF adds this argument whenever there is an initrd (GenericQemuLoadImageLib).
  const options = initrd === undefined ? cmdline : `${cmdline} initrd=initrd`
  const events: PredictedEvent[] = [
    { rtmr: 1, what: 'kernel (Authenticode)', digest: await authenticodeDigest(kernel) },
    { rtmr: 1, what: 'boot option called', digest: ofText('Calling EFI Application from Boot Option') },
    { rtmr: 1, what: 'separator', digest: sha384(new Uint8Array(4)) },
    // The EFI stub measures its load options with the final NUL.
    { rtmr: 2, what: 'command line', digest: sha384(utf16le(`${options}\0`)) },
  ]
  if (initrd !== undefined) {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-384', Uint8Array.from(initrd)))
    events.push({ rtmr: 2, what: 'initrd', digest })
  }
  return [
    ...events,
    { rtmr: 1, what: 'boot services left', digest: ofText('Exit Boot Services Invocation') },
    { rtmr: 1, what: 'boot services gone', digest: ofText('Exit Boot Services Returned with Success') },
  ]
}

/** RTMR1 and RTMR2 (48 bytes each, hex) after the predicted events. Throws MeasureError. */
export async function measureBoot(inputs: BootInputs): Promise<{ rtmr1: string; rtmr2: string }> {
  const events = await predictBootEvents(inputs)
  return { rtmr1: replay(events, 1), rtmr2: replay(events, 2) }
}

function replay(events: readonly PredictedEvent[], register: 1 | 2): string {
  const digests = events.filter(({ rtmr }) => rtmr === register).map(({ digest }) => digest)
  return toHex(digests.reduce((value, digest) => sha384(concat(value, digest)), new Uint8Array(48)))
}

function checkCommandLine(cmdline: string): void {
  if (!/^[\x20-\x7e]+$/.test(cmdline))
    throw new MeasureError('command line: it must be printable ASCII and not empty')
  if (cmdline.length >= MAX_CMDLINE)
    throw new MeasureError(
      `command line: ${cmdline.length} characters; Linux takes fewer than ${MAX_CMDLINE}`,
    )
}
