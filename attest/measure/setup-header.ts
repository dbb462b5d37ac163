/**
 * What QEMU writes into the setup header of a Linux kernel before it hands it to the firmware (`-kernel`), as
 * hw/i386/x86-common.c does it for boot protocol 2.02 and later. Offsets: Linux, Documentation/arch/x86/boot.rst.
 *
 * The firmware measures the image that it is given, so its digest changes with these bytes, and through the address of
 * the initrd even with the memory of the machine. QEMU since 10.0 also offers the file untouched, and OVMF since
 * 2025.05 takes that one.
 */

import { MeasureError } from './errors.ts'
import { ImageReader } from './reader.ts'

/** A machine as far as the setup header depends on it. */
export interface QemuMachine {
  /** Memory of the guest, bytes (`-m`). */
  memoryBytes: number
  /** Bytes kept below the end of low memory for ACPI tables; QEMU's standard is 0x28000. */
  acpiBytes?: number
}

const LOW_MEMORY_SPLIT = 0xb000_0000
const LOW_MEMORY_OF_LARGE = 0x8000_0000
const REAL_MODE_ADDRESS = 0x1_0000
const COMMAND_LINE_ADDRESS = 0x2_0000
const CAN_BE_LOADED_ABOVE_4G = 0x40

/** A copy of the kernel as QEMU hands it on. Throws MeasureError for kernels and options that are not modelled. */
export function patchSetupHeader(
  kernel: Uint8Array,
  { machine, initrdBytes, cmdline }: { machine: QemuMachine; initrdBytes: number; cmdline: string },
): Uint8Array {
  const reader = new ImageReader(kernel, 'kernel')
  if (reader.u32(0x202, 'setup header') !== 0x5372_6448)
    throw new MeasureError('kernel: no "HdrS" at 0x202: this is not a bzImage')
  const protocol = reader.u16(0x206, 'boot protocol')
  if (protocol < 0x20c || (reader.u16(0x211, 'load flags') & 1) === 0)
    throw new MeasureError(
      `kernel: boot protocol 0x${protocol.toString(16)} is older than 2.12 (Linux 3.8), which is not modelled`,
    )
  if (/(^| )vga=/.test(cmdline))
    throw new MeasureError('command line: QEMU writes vga= into the kernel image, which is not modelled')
  reader.slice(0, 0x268, 'setup header')
  const patched = kernel.slice()
  const view = new DataView(patched.buffer)
  view.setUint8(0x210, 0xb0) // type_of_loader: QEMU
  view.setUint8(0x211, view.getUint8(0x211) | 0x80) // loadflags: CAN_USE_HEAP
  view.setUint16(0x224, COMMAND_LINE_ADDRESS - REAL_MODE_ADDRESS - 0x200, true) // heap_end_ptr
  view.setUint32(0x228, COMMAND_LINE_ADDRESS, true) // cmd_line_ptr
  if (initrdBytes > 0) {
    view.setUint32(0x218, initrdAddress(reader, machine, initrdBytes), true) // ramdisk_image
    view.setUint32(0x21c, initrdBytes, true) // ramdisk_size
  }
  return patched
}

/** As high as the kernel allows and low memory reaches, on a whole page. */
function initrdAddress(reader: ImageReader, machine: QemuMachine, size: number): number {
  const anywhere = (reader.u16(0x236, 'xloadflags') & CAN_BE_LOADED_ABOVE_4G) !== 0
  const limit = anywhere ? 0xffff_ffff : reader.u32(0x22c, 'initrd_addr_max')
  const low = machine.memoryBytes >= LOW_MEMORY_SPLIT ? LOW_MEMORY_OF_LARGE : machine.memoryBytes
  const top = Math.min(limit, low - (machine.acpiBytes ?? 0x2_8000) - 1)
  if (size >= top)
    throw new MeasureError(`initrd: ${size} bytes do not fit into ${machine.memoryBytes} bytes of memory`)
  const address = top - size
  return address - (address % 4096)
}
