/** @module Translations that passed all checks, kept in memory for the same payer's asking again. */

import { createHash } from 'node:crypto'

/** What an entry takes besides its text: key, map, string headers. */
const ENTRY_BYTES = 256

/** Pieces by their hash, bounded in bytes; the one that was asked for longest ago goes first. */
export class TranslationCache {
  readonly #most: number
  readonly #entries = new Map<string, string>()
  #bytes = 0

  /** @param bytes what all entries together may take; 0: nothing is kept */
  constructor(bytes: number) {
    this.#most = bytes
  }

  get(key: string): string | undefined {
    const text = this.#entries.get(key)
    if (text === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, text)
    return text
  }

  set(key: string, text: string): void {
    this.#delete(key)
    this.#entries.set(key, text)
    this.#bytes += sizeOf(text)
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#most) return
      this.#delete(oldest)
    }
  }

  #delete(key: string): void {
    const text = this.#entries.get(key)
    if (text === undefined) return
    this.#entries.delete(key)
    this.#bytes -= sizeOf(text)
  }
}

const sizeOf = (text: string): number => ENTRY_BYTES + 2 * text.length

/** What one text's pieces find in the cache: nothing of another payer, model or wish. */
export class PieceMemory {
  readonly #cache: TranslationCache
  readonly #scope: string

  /** @param scope everything but the piece itself that decides on its translation, the payer's secret first */
  constructor(cache: TranslationCache, scope: readonly unknown[]) {
    this.#cache = cache
    this.#scope = JSON.stringify(scope)
  }

  get(piece: readonly unknown[]): string | undefined {
    return this.#cache.get(this.#key(piece))
  }

  set(piece: readonly unknown[], translation: string): void {
    this.#cache.set(this.#key(piece), translation)
  }

  #key(piece: readonly unknown[]): string {
    return createHash('sha256')
      .update(this.#scope)
      .update('\0')
      .update(JSON.stringify(piece))
      .digest('base64')
  }
}
