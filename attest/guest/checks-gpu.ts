/** Preflight checks of the GPUs: driver, confidential mode, and NVIDIA's attestation tool. */

import { ask, type Check, fail, ok, type PreflightMachine, type Told, warn } from './checks.ts'
import { NVATTEST } from './gpu.ts'

const SMI = 'nvidia-smi'

export async function checkDriver({ exec }: PreflightMachine): Promise<Check> {
  const name = 'gpu-driver'
  const told = await ask(exec, SMI, '--query-gpu=name,driver_version', '--format=csv,noheader')
  if (told === 'missing') {
    return fail(
      name,
      'nvidia-smi is not installed',
      "Install NVIDIA's data centre driver (open kernel modules) in the TD, or join without GPU",
    )
  }
  if ('trouble' in told) return fail(name, told.trouble, 'Pass the GPU through to the TD and load its driver')
  const gpus = told.text.split('\n').filter((line) => line.trim() !== '')
  if (gpus.length === 0) return fail(name, 'the driver sees no GPU', 'Pass the GPU through to the TD')
  return ok(name, gpus.join('; '))
}

/** Confidential mode is on, for one GPU (CC) or for several (protected PCIe). */
export async function checkConfidentialMode({ exec }: PreflightMachine): Promise<Check> {
  const name = 'gpu-cc-mode'
  const cure =
    'On the host, set it with `nvidia_gpu_tools.py --set-cc-mode=on --reset-after-cc-mode-switch`, then start the TD again'
  const single = await ask(exec, SMI, 'conf-compute', '-f')
  if (fieldOf(single, 'CC status') === 'ON') return ok(name, 'confidential computing is on')
  const several = fieldOf(await ask(exec, SMI, 'conf-compute', '-mgm'), 'Multi-GPU Mode')
  if (several !== undefined && /protected|nvle/i.test(several)) return ok(name, `multi-GPU mode: ${several}`)
  return fail(name, `confidential computing is not on: ${describe(single)}`, cure)
}

export async function checkDevtools({ exec }: PreflightMachine): Promise<Check> {
  const name = 'gpu-devtools'
  const told = await ask(exec, SMI, 'conf-compute', '-d')
  const value = fieldOf(told, 'DevTools Mode')
  if (value === 'OFF') return ok(name, 'developer tools are off')
  const cure = 'On the host, set CC mode "on", not "devtools": a debugger could read prompts out of the GPU'
  if (value === 'ON') return fail(name, 'developer tools are on', cure)
  return warn(name, `it is not known whether developer tools are off: ${describe(told)}`, cure)
}

export async function checkReady({ exec }: PreflightMachine): Promise<Check> {
  const name = 'gpu-ready'
  const told = await ask(exec, SMI, 'conf-compute', '-grs')
  const value = fieldOf(told, 'Confidential Compute GPUs Ready state')
  if (value?.toLowerCase() === 'ready') return ok(name, 'the GPUs take work')
  return fail(
    name,
    `the GPUs take no work yet: ${describe(told)}`,
    'Set them ready with `nvidia-smi conf-compute -srs 1` once their evidence is in order',
  )
}

export async function checkNvattest({ exec }: PreflightMachine, nvattest = NVATTEST): Promise<Check> {
  const name = 'gpu-attestation'
  const told = await ask(exec, nvattest, 'version')
  const cure = "Install NVIDIA's attestation tool (package nvattest) in the TD"
  if (told === 'missing') return fail(name, `${nvattest} is not installed`, cure)
  if ('trouble' in told) return fail(name, told.trouble, cure)
  return ok(name, `${nvattest} ${told.text.replaceAll(/\s+/g, ' ').slice(0, 80)}`)
}

/** The value behind "label: value" on a line of its own. */
function fieldOf(told: Told, label: string): string | undefined {
  if (told === 'missing' || 'trouble' in told) return undefined
  const lines = told.text.split('\n').map((line) => line.split(':'))
  const line = lines.find(([key]) => key?.trim().toLowerCase() === label.toLowerCase())
  return line?.slice(1).join(':').trim()
}

function describe(told: Told): string {
  if (told === 'missing') return 'nvidia-smi is not installed'
  return 'trouble' in told ? told.trouble : JSON.stringify(told.text.slice(0, 200))
}
