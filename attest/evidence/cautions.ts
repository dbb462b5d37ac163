/** What an acceptance leaves open, in words. */

import type { Verdict } from './verdict.ts'

/** What an acceptance does not say, where it would be easy to believe that it did; a sentence each. */
export function cautions({ tee, factors }: Verdict): string[] {
  const passed = (name: string): boolean => factors.find((factor) => factor.name === name)?.result === 'pass'
  return [
    ...(tee === 'simulated-tdx'
      ? ['SIMULATED: whoever has its folder can forge this; it proves nothing about a machine.']
      : []),
    ...(passed('measurement.allowed')
      ? []
      : ['No measurement is pinned: this says nothing of what runs on the machine.']),
    ...(passed('measurement.allowed') && !passed('measurement.complete')
      ? ['The pinned measurements leave registers open: what the host put there is not judged.']
      : []),
    ...unsaidOfGpus(factors),
  ]
}

/** What evidence of GPUs does not show, where there is any. Only a bundle's quote binds it to the machine. */
function unsaidOfGpus(factors: Verdict['factors']): string[] {
  const passed = new Set(factors.filter(({ result }) => result === 'pass').map(({ name }) => name))
  if (!passed.has('gpu.format')) return []
  const devtools = factors.find(({ name }) => name === 'gpu.devtools')?.result
  const open =
    devtools === 'skip' ? ['Whether development tools are switched on in the GPUs is unknown.'] : []
  if (passed.has('reportdata.binding')) return open
  return [
    passed.has('gpu.nonce')
      ? 'The GPU evidence is bound to the nonce alone: its reports may be of another machine.'
      : 'The GPU evidence is bound to nothing: its reports may be old, and of another machine.',
    ...open,
  ]
}
