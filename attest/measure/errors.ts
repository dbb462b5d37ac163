import { ChrysalisError } from '../errors.ts'

/** A firmware, kernel, command line or measurement file from which nothing certain can be predicted. */
export class MeasureError extends ChrysalisError {
  constructor(message: string) {
    super('ERR_MEASURE', message)
  }
}
