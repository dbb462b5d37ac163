/** Finds the real-world vectors, which are not part of this repository. */

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const ROOT =
  process.env.CHRYSALIS_VECTORS ?? fileURLToPath(new URL('../../../shared/vectors', import.meta.url))

export interface VectorCase {
  quote: string
  collateral: string
  unix: number
  expected: 'accept' | 'refuse'
  tcbStatus: string | null
  why: string
  details?: { advisories: string[]; eval: number; fmspc: string }
  fields?: {
    version: number
    body: string
    tee_tcb_svn: string
    mrseam: string
    td_attributes: string
    xfam: string
    mrtd: string
    rtmr: string[]
    report_data: string
  }
}

export interface VectorMutation {
  name: string
  base: string
  offset: number
  xor: number
}

/** Whether the vectors are here. Where CHRYSALIS_REQUIRE names them, their absence throws; else it is said aloud. */
export function haveVectors(): boolean {
  if (existsSync(`${ROOT}/tdx/index.json`)) return true
  if ((process.env.CHRYSALIS_REQUIRE ?? '').includes('vectors')) {
    throw new Error('CHRYSALIS_REQUIRE asks for the vectors, but there are none: set CHRYSALIS_VECTORS')
  }
  console.warn(
    'SKIPPED: the real vectors (quotes, logs, GPU evidence) are not here (set CHRYSALIS_VECTORS to their folder)',
  )
  return false
}

/** A file of the real vectors; throws when it is not there. */
export function vectorBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(`${ROOT}/${path}`))
}

/** A JSON file of the real vectors, believed to have the shape `T`. */
export function vectorJson<T>(path: string): T {
  return JSON.parse(readFileSync(`${ROOT}/${path}`, 'utf8')) as T
}

/** The path of a file or folder of the real vectors. */
export function vectorPath(path: string): string {
  return `${ROOT}/${path}`
}
