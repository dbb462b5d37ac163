/** The one error of GPU evidence; `code` says which part of it is wrong. */

import { ChrysalisError } from '../errors.ts'

export type GpuErrorCode =
  | 'ERR_GPU_DOCUMENT'
  | 'ERR_GPU_REPORT'
  | 'ERR_GPU_CHAIN'
  | 'ERR_GPU_FWID'
  | 'ERR_GPU_RIM'

/** GPU evidence, or one of its parts, is not what it must be. */
export class GpuError extends ChrysalisError {
  constructor(code: GpuErrorCode, message: string) {
    super(code, message)
  }
}
