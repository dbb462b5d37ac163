/**
 * The one error family of Chrysalis' ground layer. `code` is stable and is the API: match on it, never on the
 * message. Messages name the field, what is wrong with it and the cure; they never hold secrets or prompts.
 */
export class ChrysalisError extends Error {
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}
