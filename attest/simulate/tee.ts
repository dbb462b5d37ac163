/** The simulated TEE: quotes and collateral under a root that this installation made for itself. */

import type { KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toHex, utf8 } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import type { Tee } from '../evidence/bundle.ts'
import type { Collateral } from '../tdx/collateral.ts'
import { COLLATERAL_LIFETIME, type CollateralSpec, makeCollateral } from './collateral.ts'
import { digest } from './digest.ts'
import { simulatedEventLog } from './eventlog.ts'
import { privateFolder, publishOnce, readOrMake } from './files.ts'
import { decodePlatform, encodePlatform, makePlatform, newKey, type Platform } from './platform.ts'
import {
  makeQuote,
  QE,
  type QeSpec,
  type QuoteParts,
  type QuoteWire,
  type TdReport,
  tdReport,
  WIRE,
} from './quote.ts'
import { Renewed } from './renewal.ts'

/** Collateral is always somewhat older than its use, and the verifier's clock may run behind this one. ms */
const BACKDATED = 3_600_000

const PLATFORM_FILE = 'platform.json'
const ROOT_FILE = 'root.der'

export interface SimulatedTeeOptions {
  /** Wall clock, ms. */
  now: () => number
  /** Version and configuration of what runs: MRTD and RTMR0-2 follow from it. */
  software?: string
  /** What is measured into RTMR3, in order (see measuredEvents). A text payload is taken as UTF-8. */
  events?: readonly { name: string; payload: string | Uint8Array }[]
  /** GPUs of this TEE; without them there is no GPU evidence. */
  gpus?: { evidence(nonce: Uint8Array): Promise<Uint8Array> }
}

/** What a test may change to make evidence that must be refused. */
export interface Forgery extends Pick<QuoteParts, 'chain' | 'qeReportKey' | 'signingKey'> {
  report?: Partial<TdReport>
  qe?: Partial<QeSpec>
  wire?: Partial<QuoteWire>
}

/** A TEE for machines without one. It proves nothing about a machine: whoever can read its folder can forge. */
export class SimulatedTee implements Tee {
  readonly kind = 'simulated-tdx'
  /** SHA-256 of the root certificate, hex: what a verifier's policy pins. */
  readonly rootSha256: string
  /** Keys and certificates, for tests that forge. */
  readonly platform: Platform
  readonly #now: () => number
  readonly #report: TdReport
  readonly #eventLog: Uint8Array | undefined
  readonly #gpus: SimulatedTeeOptions['gpus']
  readonly #attestationKey: KeyObject = newKey()
  readonly #collateral = new Renewed<Collateral>((COLLATERAL_LIFETIME * 2) / 3)

  private constructor(platform: Platform, options: SimulatedTeeOptions) {
    this.platform = platform
    this.rootSha256 = rootDigest(platform.certificates.root)
    this.#now = options.now
    const { software = '', events } = options
    const measured = (events ?? []).map(({ name, payload }) => ({
      name,
      payload: typeof payload === 'string' ? utf8(payload) : payload,
    }))
    const boot = simulatedEventLog({ software, events: measured })
    this.#report = { ...tdReport(software), rtmr: boot.rtmr }
    this.#eventLog = events && boot.bytes
    this.#gpus = options.gpus
  }

  /**
   * Opens the simulated TEE of this folder, making its root, PCK chain and TCB signer on first use (folder 0700,
   * key file 0600). Several processes may open one folder, also at once. Throws ERR_SIMULATED_TEE_FILE.
   */
  static async open(dir: string, options: SimulatedTeeOptions): Promise<SimulatedTee> {
    await privateFolder(dir)
    const make = () => encodePlatform(makePlatform(options.now()))
    const platform = decodePlatform(await readOrMake(join(dir, PLATFORM_FILE), make))
    // The public half, for verifiers that must not read the keys. Written after the keys: a crash between is healed.
    await publishOnce(join(dir, ROOT_FILE), platform.certificates.root)
    return new SimulatedTee(platform, options)
  }

  /** A simulated TEE in memory alone, on a platform of its own unless one is given. */
  static ephemeral(options: SimulatedTeeOptions, platform = makePlatform(options.now())): SimulatedTee {
    return new SimulatedTee(platform, options)
  }

  async quote(
    reportData: Uint8Array,
    { report, qe, wire, ...parts }: Forgery = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    return makeQuote({ ...this.#report, ...report }, reportData, {
      ...parts,
      platform: this.platform,
      attestationKey: this.#attestationKey,
      qe: { ...QE, ...qe },
      wire: { ...WIRE, ...wire },
    })
  }

  /** The log that replays to this TD's registers, as chrysalis/event-log/1; undefined where no events were named. */
  async eventLog(): Promise<Uint8Array | undefined> {
    return this.#eventLog
  }

  /** Evidence of all GPUs for a nonce of 32 bytes; undefined where there are none. */
  async gpu(nonce: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#gpus?.evidence(nonce)
  }

  /** Collateral valid for 30 days, issued anew when two thirds of that are over. */
  async collateral(): Promise<Collateral> {
    return this.#collateral.get(this.#now(), () => this.issueCollateral({}))
  }

  /** Issues collateral with changes, for evidence that must be refused. */
  issueCollateral(spec: Partial<CollateralSpec>): Collateral {
    return makeCollateral(this.platform, { issuedAt: this.#now() - BACKDATED, ...spec })
  }
}

/**
 * SHA-256 (hex) of the simulated root in this folder, from its public file. Throws ERR_SIMULATED_ROOT_MISSING where no
 * simulated TEE was opened yet.
 */
export async function simulatedRoot(dir: string): Promise<string> {
  try {
    return rootDigest(await readFile(join(dir, ROOT_FILE)))
  } catch {
    throw new ChrysalisError(
      'ERR_SIMULATED_ROOT_MISSING',
      `there is no simulated TEE in ${dir}: start the worker or the gateway of this installation once, or name its folder`,
    )
  }
}

function rootDigest(certificate: Uint8Array): string {
  return toHex(digest('sha256', certificate))
}
