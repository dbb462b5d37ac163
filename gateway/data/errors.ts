import { ChrysalisError } from '../../attest/errors.ts'

/** What can go wrong with a data folder; `code` is the API. */
export class DataError extends ChrysalisError {
  constructor(
    code: 'ERR_DATA_LOCKED' | 'ERR_DATA_FOREIGN' | 'ERR_DATA_VERSION' | 'ERR_DATA_FOLDER' | 'ERR_SECRET_MODE',
    message: string,
    options?: ErrorOptions,
  ) {
    super(code, message, options)
  }
}

/** The errno name of a Node error ("ENOENT", …), or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
