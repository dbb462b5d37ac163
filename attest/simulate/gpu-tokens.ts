/** Tokens of the simulated attestation service for one evidence, right or as a forgery asks. */

import type { GpuArch } from '../gpu/chain.ts'
import type { CarriedEat } from '../gpu/eat.ts'
import { chipOf } from './gpu-device.ts'
import {
  type EatClaims,
  eatClaims,
  makeServiceCa,
  makeServiceSigner,
  type ServiceSigner,
  signEat,
} from './gpu-eat.ts'
import type { GpuForgery } from './gpu-forgeries.ts'

interface TokenDevice {
  arch: GpuArch
  ueid: string
  driver: string
  vbios: string
}

interface TokenSpec {
  gpus: readonly TokenDevice[]
  switches: readonly TokenDevice[]
  /** 32 */ nonce: Uint8Array
  /** Milliseconds since 1970. */
  now: number
  forgery: GpuForgery | undefined
}

/** One bundle for the GPUs and, where there are any, one for the switches, as NVIDIA's service makes them. */
export function makeTokens(spec: TokenSpec, signer: ServiceSigner): CarriedEat[] {
  const { gpus, switches, now, forgery } = spec
  const nonce = forgery === 'eat-other-nonce' ? new Uint8Array(32) : spec.nonce
  const by = forgery === 'eat-forged' ? makeServiceSigner(makeServiceCa(now), now) : signer
  const bundle = (kind: 'gpu' | 'switch', devices: readonly TokenDevice[]): CarriedEat => {
    const named = devices.map(({ arch, ueid, driver, vbios }) => {
      const hwmodel = `Simulated ${chipOf(arch)} A01 ${kind === 'gpu' ? 'GSP' : 'FSP'} BROM`
      return { kind, ueid, hwmodel, vbios, ...(kind === 'gpu' ? { driver } : {}) }
    })
    const claims = eatClaims({ devices: named, nonce, now })
    const said = forgery === 'eat-refused' ? refusal(claims) : claims
    return { bundle: signEat(said, by), jwks: by.jwks }
  }
  const bundles = [bundle('gpu', gpus)]
  if (switches.length > 0) bundles.push(bundle('switch', switches))
  return bundles
}

/** What the service signs of evidence that it refuses: no results, and a reason for each device. */
function refusal({ overall, devices }: EatClaims): EatClaims {
  return {
    overall: { ...overall, 'x-nvidia-overall-att-result': false },
    devices: devices.map(({ name, claims: { iss, iat, nbf, exp } }) => ({
      name,
      claims: {
        iss,
        iat,
        nbf,
        exp,
        'x-nvidia-error-details': { code: 4010, message: 'NONCE_NOT_MATCHING' },
      },
    })),
  }
}
