/**
 * GPUs for machines without one: evidence of the same form as hardware's, under roots that this installation made for
 * itself. It proves nothing about a machine: whoever can read the folder can forge. Every certificate is named
 * "Simulated …", and a root pinned as `nvidia` never accepts them.
 */

import type { KeyObject } from 'node:crypto'
import { concat, fromUtf8, toHex, utf8 } from '../bytes.ts'
import type { GpuArch } from '../gpu/chain.ts'
import { encodeGpuDocument } from '../gpu/document.ts'
import type { CarriedEat } from '../gpu/eat.ts'
import { digest } from './digest.ts'
import {
  chipOf,
  type Device,
  type DeviceState,
  type Factory,
  makeDevice,
  makeFactory,
  referenceValues,
} from './gpu-device.ts'
import { makeServiceSigner, type ServiceSigner } from './gpu-eat.ts'
import { CHANGED, DRIVER_INDEX, forgeDevices, type Part, writePart } from './gpu-forge.ts'
import type { GpuForgery } from './gpu-forgeries.ts'
import {
  digestsOf,
  type GpuInstallation,
  makeGpuInstallation,
  openGpuInstallation,
  type SimulatedGpuRoots,
} from './gpu-installation.ts'
import { OcspDesk } from './gpu-ocsp-desk.ts'
import { makeRim, makeRimSigner, type RimSigner } from './gpu-rim.ts'
import { makeTokens } from './gpu-tokens.ts'
import { Renewed } from './renewal.ts'

export { GPU_FORGERIES, type GpuForgery } from './gpu-forgeries.ts'
export { type SimulatedGpuRoots, simulatedGpuPolicy, simulatedGpuRoots } from './gpu-installation.ts'

/** Versions that simulated devices report. */
export const SIMULATED_VERSIONS = {
  driver: '580.65.06',
  oldDriver: '535.43.02',
  vbios: { HOPPER: '96.00.9f.00.01', BLACKWELL: '97.00.88.00.0f', LS10: '96.10.55.00.01' },
  oldVbios: '96.00.30.00.01',
} as const

export interface SimulatedGpusOptions {
  /** Wall clock, ms. */
  now: () => number
  /** How many GPUs there are; 1 by default. */
  count?: number
  /** HOPPER by default. */
  arch?: 'HOPPER' | 'BLACKWELL'
  /** How many switches connect them, in the clear: then the mode is ppcie. */
  switches?: number
  /** Whether evidence carries tokens of the simulated attestation service, which are valid for an hour; not by default. */
  eat?: boolean
  /** Whether evidence carries OCSP answers, which are valid for a week; it does by default. */
  ocsp?: boolean
}

/** What the parts of one evidence are made of; forgeries change it. */
interface Plan {
  parts: Part[]
  rims: Uint8Array[]
}

const DAY = 86_400_000

/** The GPUs, and perhaps switches, of one machine. */
export class SimulatedGpus {
  /** What the claims say of these GPUs. */
  readonly accelerators: readonly { arch: string; deviceId: string; mode: string }[]
  /** Digests of the roots, hex: what a policy pins. */
  readonly roots: SimulatedGpuRoots
  readonly #installation: GpuInstallation
  readonly #options: SimulatedGpusOptions
  readonly #arch: 'HOPPER' | 'BLACKWELL'
  readonly #mode: DeviceState['mode']
  readonly #gpus: readonly Device[]
  readonly #switches: readonly Device[]
  /** One GPU more than there are, for evidence that claims too few. */
  readonly #spare: () => Device
  readonly #ocsp: OcspDesk
  readonly #keys = new Map<string, KeyObject>()
  readonly #rimSigners = new Map<string, RimSigner>()
  readonly #rims = new Map<string, Uint8Array>()
  /** The service's key of the day. */
  readonly #service = new Renewed<ServiceSigner>(DAY)

  private constructor(installation: GpuInstallation, options: SimulatedGpusOptions) {
    const { count = 1, arch = 'HOPPER', switches = 0 } = options
    this.#installation = installation
    this.#options = options
    this.#arch = arch
    this.#mode = switches > 0 ? 'ppcie' : count > 1 ? 'mpt' : 'spt'
    this.roots = digestsOf(installation)
    const factory = this.#factory(arch)
    this.#gpus = Array.from({ length: count }, (_, i) => this.#device(factory, i))
    this.#spare = () => this.#device(factory, count)
    const switchFactory = switches > 0 ? this.#factory('LS10') : factory
    this.#switches = Array.from({ length: switches }, (_, i) => this.#device(switchFactory, i))
    this.#ocsp = new OcspDesk(this.#keys, options.now)
    this.accelerators = this.#gpus.map(({ deviceId }) => ({ arch, deviceId, mode: this.#mode }))
  }

  /** SHA-256 of the root of devices, hex. */
  get rootSha256(): string {
    return this.roots.rootSha256
  }

  /** SHA-256 of the root of reference measurements, hex. */
  get rimRootSha256(): string {
    return this.roots.rimRootSha256
  }

  /**
   * Opens the simulated GPUs of this folder, the same devices each time, making their roots on first use (folder 0700,
   * key file 0600). Several processes may open one folder, also at once. Throws ERR_SIMULATED_TEE_FILE.
   */
  static async open(dir: string, options: SimulatedGpusOptions): Promise<SimulatedGpus> {
    return new SimulatedGpus(await openGpuInstallation(dir, options.now()), options)
  }

  /** Simulated GPUs in memory alone. */
  static ephemeral(options: SimulatedGpusOptions): SimulatedGpus {
    return new SimulatedGpus(makeGpuInstallation(options.now()), options)
  }

  /**
   * Evidence of every device for a nonce (32 bytes), in our own format, with the reference measurements that it needs.
   *
   * @param forgery what to do wrong, for evidence that must be refused; see GPU_FORGERIES
   */
  async evidence(nonce: Uint8Array, forgery?: GpuForgery): Promise<Uint8Array<ArrayBuffer>> {
    const plan = this.#plan(nonce, forgery)
    const devices = plan.parts.map((part) => writePart(part, nonce))
    const { eat = false, ocsp = true } = this.#options
    const eats = eat || forgery?.startsWith('eat-') ? this.#tokens(nonce, forgery) : []
    const answers =
      ocsp || forgery?.startsWith('ocsp-')
        ? await this.#ocsp.answers({
            deviceChains: plan.parts.map(({ chain }) => chain),
            rimChains: [...this.#rimSigners.values()].map(({ chain }) => chain),
            forgery,
          })
        : []
    return encodeGpuDocument({ devices, rims: plan.rims, eats, ocsp: answers })
  }

  #plan(nonce: Uint8Array, forgery: GpuForgery | undefined): Plan {
    const driver = forgery === 'old-driver' ? SIMULATED_VERSIONS.oldDriver : SIMULATED_VERSIONS.driver
    const vbios = forgery === 'old-vbios' ? SIMULATED_VERSIONS.oldVbios : SIMULATED_VERSIONS.vbios[this.#arch]
    const part = (device: Device, state: DeviceState): Part => {
      return { device, state, nonce, change: {}, chain: device.chain, spoil: false }
    }
    const idsOf = (devices: readonly Device[]): string[] => devices.map(({ deviceId }) => deviceId)
    const gpuState = { driver, vbios, mode: this.#mode, peers: idsOf(this.#switches) }
    const bios = SIMULATED_VERSIONS.vbios.LS10
    const switchState = { driver: undefined, vbios: bios, mode: this.#mode, peers: idsOf(this.#gpus) }
    const gpus = this.#gpus.map((device) => part(device, gpuState))
    const switches = this.#switches.map((device) => part(device, switchState))
    const rims = [this.#rim(this.#arch, vbios, 'vbios'), this.#rim(this.#arch, driver, 'driver')]
    if (switches.length > 0) rims.push(this.#rim('LS10', bios, 'vbios'))
    if (forgery !== undefined) forgeDevices(gpus, forgery)
    if (forgery === 'other-root') this.#replaceRoot(gpus[0])
    if (forgery === 'missing-switch') switches.pop()
    if (forgery === 'extra-device') gpus.push(part(this.#spare(), gpuState))
    return { parts: [...gpus, ...switches], rims: this.#forgeRims(rims, driver, forgery) }
  }

  /** The same device, as another manufacturer would certify it. */
  #replaceRoot(part: Part | undefined): void {
    if (part === undefined) return
    const { device: root } = makeGpuInstallation(this.#options.now())
    const now = this.#options.now()
    part.device = makeDevice(makeFactory(root, this.#arch, now), part.device.deviceId, now)
    part.chain = part.device.chain
  }

  #forgeRims(rims: Uint8Array[], driver: string, forgery: GpuForgery | undefined): Uint8Array[] {
    if (forgery === 'rim-other-root') {
      const chip = chipOf(this.#arch)
      const signer = makeRimSigner(makeGpuInstallation(this.#options.now()).rim, chip, this.#options.now())
      const values = referenceValues(this.#arch, driver, 'driver')
      return rims.with(1, makeRim({ chip, version: driver, values }, signer))
    }
    if (forgery !== 'rim-edited') return rims
    const [right] = referenceValues(this.#arch, driver, 'driver').get(DRIVER_INDEX) ?? []
    const edited = fromUtf8(rims[1] ?? new Uint8Array()).replace(toHex(right ?? CHANGED), toHex(CHANGED))
    return rims.with(1, utf8(edited))
  }

  #rim(arch: GpuArch, version: string, of: 'driver' | 'vbios'): Uint8Array {
    const name = `${arch} ${version}`
    const known = this.#rims.get(name)
    if (known !== undefined) return known
    const chip = chipOf(arch)
    const rim = makeRim({ chip, version, values: referenceValues(arch, version, of) }, this.#rimSigner(chip))
    this.#rims.set(name, rim)
    return rim
  }

  #rimSigner(chip: string): RimSigner {
    const known = this.#rimSigners.get(chip)
    if (known !== undefined) return known
    const signer = makeRimSigner(this.#installation.rim, chip, this.#options.now())
    this.#rimSigners.set(chip, signer)
    this.#remember(signer.chain, signer.keys)
    return signer
  }

  #factory(arch: GpuArch): Factory {
    const factory = makeFactory(this.#installation.device, arch, this.#options.now())
    this.#remember(factory.chain, factory.keys)
    return factory
  }

  /** Devices are the same whenever the folder is opened: their ids follow from the root. */
  #device(factory: Factory, index: number): Device {
    const seed = concat(this.#installation.device.certificate, utf8(`${factory.arch} ${index}`))
    const deviceId = toHex(digest('sha256', seed)).slice(0, 16)
    return makeDevice(factory, deviceId, this.#options.now())
  }

  #remember(chain: readonly Uint8Array[], keys: readonly KeyObject[]): void {
    for (const [i, certificate] of chain.entries()) {
      const key = keys[i]
      if (key !== undefined) this.#keys.set(toHex(certificate), key)
    }
  }

  #tokens(nonce: Uint8Array, forgery: GpuForgery | undefined): CarriedEat[] {
    const now = this.#options.now()
    const signer = this.#service.get(now, () => makeServiceSigner(this.#installation.service, now))
    const driver = SIMULATED_VERSIONS.driver
    const about = (devices: readonly Device[]) =>
      devices.map(({ arch, ueid }) => ({ arch, ueid, driver, vbios: SIMULATED_VERSIONS.vbios[arch] }))
    return makeTokens(
      { gpus: about(this.#gpus), switches: about(this.#switches), nonce, now, forgery },
      signer,
    )
  }
}
