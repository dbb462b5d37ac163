/** What a person sees of one payment. */

import { replaceFile } from '../../contracts/files.ts'
import {
  type PaymentOrder,
  type PaymentPage,
  type PaymentView,
  SENT,
  servePaymentPage,
  svgQr,
  tonLink,
} from '../fund/index.ts'
import { isKnown } from '../known.ts'
import { orderJson } from './channel-order.ts'
import { describeView } from './channel-text.ts'

export interface AskingOptions {
  /** File for the QR code. */
  qr?: string | undefined
  json: boolean
  page: boolean
}

/** Tells it in the terminal, or in JSON lines to a program, and on a page if there is to be one. */
export class Asking {
  readonly #options: AskingOptions
  readonly #say: (text: string) => void
  #page: PaymentPage | undefined

  /** @param say prints a line */
  constructor(options: AskingOptions, say = (text: string) => void process.stdout.write(`${text}\n`)) {
    this.#options = options
    this.#say = say
  }

  /** What is to be paid; a page is there from now on until `close`. */
  async show(order: PaymentOrder, view: PaymentView): Promise<void> {
    const { qr, json, page } = this.#options
    if (qr !== undefined) await replaceFile(qr, svgQr(tonLink(order)))
    if (page) this.#page = await servePaymentPage(view)
    const url = this.#page?.url
    if (json)
      return this.#say(JSON.stringify({ ...orderJson(order), ...(url !== undefined && { page: url }) }))
    this.#say(describeView(view, { columns: process.stdout.columns ?? 0, page: url }))
  }

  /** The wallet has sent something. */
  sent(): void {
    if (!this.#options.json) this.#say(SENT.text)
    this.#page?.say(SENT)
  }

  /**
   * It ended well.
   *
   * @param json the same for a program
   * @param secret lines for the terminal only
   */
  ended(lines: readonly string[], json: object, secret: readonly string[] = []): void {
    this.#say(this.#options.json ? JSON.stringify(json) : [...lines, ...secret].join('\n'))
    this.#page?.say({ step: 'final', text: lines.join('; ') })
  }

  /** It did not; the caller says so in the terminal. @returns what it was given */
  failed(error: unknown): unknown {
    const text = isKnown(error) ? error.message : 'It failed; see the terminal.'
    this.#page?.say({ step: 'failed', text })
    return error
  }

  /** Ends when the page has told its last word. */
  async close(): Promise<void> {
    await this.#page?.close()
  }
}
