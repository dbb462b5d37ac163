/** What an acceptance leaves open, in words. */

import type { Factor, FactorName } from '../policy/factors.ts'
import type { Verdict } from './verdict.ts'

/** What an acceptance does not say, where it would be easy to believe that it did; a sentence each. */
export function cautions({ tee, factors }: Verdict): string[] {
  const results: Results = new Map(factors.map(({ name, result }) => [name, result]))
  const passed = (name: FactorName): boolean => results.get(name) === 'pass'
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
    ...unsaidOfGpus(results),
  ]
}

type Results = ReadonlyMap<FactorName, Factor['result']>

/** What evidence of GPUs does not show, where there is any. Only a bundle's quote binds it to the machine. */
function unsaidOfGpus(results: Results): string[] {
  if (results.get('gpu.format') !== 'pass') return []
  const open =
    results.get('gpu.devtools') === 'skip'
      ? ['Whether development tools are switched on in the GPUs is unknown.']
      : []
  if (results.get('reportdata.binding') === 'pass') return open
  return [
    results.get('gpu.nonce') === 'pass'
      ? 'The GPU evidence is bound to the nonce alone: its reports may be of another machine.'
      : 'The GPU evidence is bound to nothing: its reports may be old, and of another machine.',
    ...open,
  ]
}
