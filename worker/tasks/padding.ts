import { randomBytes } from 'node:crypto'

/** `data: ` before and a blank line after: what a server-sent event adds to its JSON. */
const framingBytes = 8
const smallestBucket = 256
const field = ',"obfuscation":""'

/**
 * The JSON text of an event, with an `obfuscation` member that makes the server-sent event 256·2^k bytes long:
 * sizes on the wire then say little about the tokens inside.
 */
export function padEvent(document: object): string {
  const json = JSON.stringify(document)
  const least = Buffer.byteLength(json) + field.length + framingBytes
  let bucket = smallestBucket
  while (bucket < least) bucket *= 2
  const padding = randomText(bucket - least)
  return `${json.slice(0, -1)},"obfuscation":"${padding}"}`
}

const poolBytes = 24 * 1024
let pool = ''
let used = 0

/** Fresh random characters. They are made many at a time: asking the system for some costs more than making them. */
function randomText(length: number): string {
  if (length > pool.length - used) {
    pool = randomBytes(Math.max(poolBytes, Math.ceil((length * 3) / 4))).toString('base64url')
    used = 0
  }
  used += length
  return pool.slice(used - length, used)
}
