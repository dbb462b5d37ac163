import { expect, it } from 'vitest'
import { refusePublicNetwork } from './network.ts'

it.each([-239, -3])('a simulated enclave is refused on the public network %i', (globalId) => {
  expect(() => refusePublicNetwork(globalId)).toThrow(
    expect.objectContaining({ code: 'ERR_SIMULATED_NETWORK', message: expect.stringContaining('network') }),
  )
})

it('and works on a local chain', () => expect(refusePublicNetwork(-217)).toBeUndefined())
