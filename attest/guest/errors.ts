import { ChrysalisError } from '../errors.ts'

/** Why a TDX guest could not do what was asked of it. */
export type GuestErrorCode =
  /** This machine is no TDX guest, or lacks what a guest needs. */
  | 'ERR_NOT_TDX_GUEST'
  /** The rights of this process do not reach. */
  | 'ERR_GUEST_PERMISSION'
  /** No quote came, or one that is not over the data asked for. */
  | 'ERR_GUEST_QUOTE'
  /** A measurement register could not be read or extended, or holds what nobody of us put there. */
  | 'ERR_GUEST_REGISTER'
  /** Another process of this guest is in charge of quotes. */
  | 'ERR_GUEST_LOCKED'
  /** NVIDIA's tool gave no evidence for the nonce. */
  | 'ERR_GUEST_GPU'

/** A failure inside a TDX guest; the message names what was looked for and the cure. */
export class GuestError extends ChrysalisError {
  constructor(code: GuestErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
  }
}

/** The errno name of a file system error ("ENOENT"), or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined
}

/** Whether the error says that the rights of this process do not reach. */
export function isDenied(error: unknown): boolean {
  const code = errnoOf(error)
  return code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
}

/** The error for a path that only root may use. */
export function denied(path: string, error: unknown): GuestError {
  return new GuestError(
    'ERR_GUEST_PERMISSION',
    `${path}: ${errnoOf(error)}: run this as root inside the TD, with sysfs and configfs writable (a container needs them mounted read-write)`,
    { cause: error },
  )
}
