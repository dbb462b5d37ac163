/** `attest measure`: what a TD that boots these files will have in its quote, for a release to publish. */

import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { fromUtf8, toHex } from '../bytes.ts'
import { sha256 } from '../crypto.ts'
import { ChrysalisError } from '../errors.ts'
import {
  type BootInputs,
  encodeMeasurements,
  MeasureError,
  type MeasurementFile,
  measureBoot,
  measureFirmware,
  PAGE_ORDERS,
  type PageOrder,
  parseMeasurements,
} from '../measure/index.ts'
import { type ConfigSpec, loadConfig } from './config.ts'
import type { Io } from './io.ts'

const EXAMPLES = `Examples:
  attest measure --firmware /usr/share/ovmf/OVMF.fd
  attest measure --firmware OVMF.fd --kernel vmlinuz --initrd initrd.img --cmdline "quiet" --name 1.2.0 --json

The values are predictions from the sources of TDX module, OVMF, QEMU and Linux. RTMR0 depends on the machine and is
not predicted; RTMR3 holds the events of the worker itself, which its event log names.`

const schema = z.object({
  firmware: z
    .string('is missing: name a firmware image such as OVMF.fd')
    .min(1)
    .describe('firmware image with TDX metadata (OVMF.fd)'),
  order: z
    .enum(['per-page', 'two-pass', 'both'])
    .default('both')
    .describe('how the VMM adds pages: per-page (QEMU 9 and later), two-pass (QEMU 8 builds), or both'),
  kernel: z.string().min(1).optional().describe('kernel image (bzImage) that QEMU boots directly'),
  cmdline: z.string().optional().describe('kernel command line as given to QEMU'),
  initrd: z.string().min(1).optional().describe('initial RAM disk'),
  setupHeader: z
    .enum(['as-is', 'qemu'])
    .default('as-is')
    .describe('as-is (QEMU 10 with OVMF 2025.05 and later), or qemu: filled in, as older ones measure it'),
  memoryMib: z.coerce
    .number()
    .int()
    .min(256)
    .max(2 ** 24)
    .optional()
    .describe('memory of the TD in MiB, for --setup-header qemu'),
  name: z.string().min(1).max(100).default('release').describe('name of the measurements'),
  json: z.boolean().default(false).describe('print the measurement file'),
})

type Settings = z.infer<typeof schema>

const spec: ConfigSpec<typeof schema.shape> = {
  name: 'attest measure',
  summary: 'Computes the measurements of a TD from firmware, kernel, command line and initrd.',
  schema,
  examples: EXAMPLES,
}

/** Runs the verb. Returns 0, or 2 when arguments or files are unusable. */
export async function measure(argv: readonly string[], io: Pick<Io, 'env' | 'out' | 'err'>): Promise<number> {
  try {
    const settings = loadConfig(spec, { argv, env: io.env })
    const bytes = encodeMeasurements(await compute(settings))
    io.out(settings.json ? `${fromUtf8(bytes)}\n` : describe(parseMeasurements(bytes)))
    return 0
  } catch (error) {
    if (!(error instanceof ChrysalisError)) throw error
    io.err(`${error.message}\n`)
    return 2
  }
}

async function compute(settings: Settings): Promise<Omit<MeasurementFile, 'format'>> {
  const firmware = await read(settings.firmware, '--firmware')
  const boot = await readBoot(settings)
  const orders: readonly PageOrder[] = settings.order === 'both' ? PAGE_ORDERS : [settings.order]
  const predicted = boot === undefined ? undefined : await measureBoot(boot)
  const setName = (order: PageOrder) => (orders.length === 1 ? settings.name : `${settings.name} (${order})`)
  return {
    name: settings.name,
    sets: orders.map((order) => ({
      name: setName(order),
      ...measureFirmware(firmware, { order }),
      rtmr: [null, predicted?.rtmr1 ?? null, predicted?.rtmr2 ?? null, null],
    })),
    sources: orders.map((order) => ({
      set: setName(order),
      firmware: { sha256: toHex(sha256(firmware)), pages: order },
      ...(boot === undefined ? {} : { kernel: kernelSource(boot) }),
    })),
  }
}

function kernelSource({ kernel, cmdline, initrd, setupHeader }: BootInputs) {
  return {
    sha256: toHex(sha256(kernel)),
    setupHeader,
    cmdline,
    ...(initrd === undefined ? {} : { initrdSha256: toHex(sha256(initrd)) }),
  }
}

async function readBoot(settings: Settings): Promise<BootInputs | undefined> {
  const { kernel, cmdline, initrd, setupHeader, memoryMib } = settings
  if (kernel === undefined) {
    if (cmdline !== undefined || initrd !== undefined || memoryMib !== undefined || setupHeader === 'qemu')
      throw new MeasureError('--kernel is missing: the other settings of the boot mean nothing without it')
    return undefined
  }
  if (cmdline === undefined) throw new MeasureError('--cmdline is missing: it is measured with the kernel')
  if (setupHeader === 'qemu' && memoryMib === undefined)
    throw new MeasureError('--memory-mib is missing: the setup header depends on the memory of the TD')
  return {
    kernel: await read(kernel, '--kernel'),
    cmdline,
    initrd: initrd === undefined ? undefined : await read(initrd, '--initrd'),
    setupHeader: setupHeader === 'qemu' ? { memoryBytes: (memoryMib ?? 0) * 2 ** 20 } : 'as-is',
  }
}

async function read(path: string, flag: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    throw new MeasureError(`${flag} ${path}: ${(error as Error).message}`)
  }
}

function describe({ sets, sources }: MeasurementFile): string {
  const lines = sets.flatMap(({ name, mrTd, rtmr }) => [
    name,
    `  MRTD   ${mrTd}`,
    ...rtmr.map((value, i) => `  RTMR${i}  ${value ?? WHY_NOT[i]}`),
    '',
  ])
  const firmware = sources?.[0]?.firmware.sha256
  return `${lines.join('\n')}\nfirmware SHA-256 ${firmware}\nPredicted, not read from a machine. --json prints the file that a policy takes.\n`
}

const WHY_NOT = [
  'not predicted: CPUs, memory and devices of the machine',
  'not computed: give --kernel and --cmdline',
  'not computed: give --kernel and --cmdline',
  'not predicted: events of the worker, in its event log',
]
