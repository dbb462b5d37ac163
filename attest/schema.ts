/** What the schemas of several formats have in common, and how their findings are told. */

import { z } from 'zod'

/** Lower-case hex of exactly so many bytes. */
export function hexOf(bytes: number) {
  return z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `not ${bytes} bytes of lower-case hex`)
}

/** Standard base64 of at most so many bytes. Its length is checked, its form by whoever decodes it. */
export function base64Within(bytes: number) {
  return z.string().max(Math.ceil(bytes / 3) * 4)
}

/** 1 to `max` characters of visible ASCII, spaces excluded. */
export function visibleAscii(max: number) {
  return z.string().regex(new RegExp(`^[\\x21-\\x7e]{1,${max}}$`), 'not visible ASCII')
}

/** A whole number of nanotons, as a decimal string without leading zeros. */
export const amountSchema = z.string().regex(/^(0|[1-9][0-9]{0,37})$/, 'not a decimal number of nanotons')

/**
 * The first thing that a schema found, behind the path of its field: `models.0.id: not visible ASCII`.
 *
 * @param root where the value itself stands: the beginning of every path
 */
export function firstIssue(error: z.ZodError, ...root: readonly (string | number)[]): string {
  const [issue] = error.issues
  if (issue === undefined) return 'not valid'
  const path = [...root, ...issue.path].join('.')
  return `${path === '' ? '' : `${path}: `}${issueText(issue)}`
}

/** What is wrong with one field, in words for a person who knows no schema library. */
export function issueText({ message }: { message: string }): string {
  if (/received undefined$/.test(message)) return 'is missing'
  return message.replace(/^Invalid input: /, '').replace(/^Too (big|small): expected \w+ to /, 'has to ')
}
