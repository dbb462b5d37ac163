import { createHash, timingSafeEqual } from 'node:crypto'

/** Compares a secret that somebody gave with the right one; how long that takes tells nothing of either. */
export function sameSecret(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
