/** NVIDIA's service of reference manifests. What it gives proves itself by its signature, or not at all. */

import { z } from 'zod'
import { BodyTooLong, discardBody, type Fetch, readBody } from '../body.ts'
import { fromBase64 } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { parseStrictJson } from '../json.ts'
import { MAX_RIM } from './rim-xml.ts'

export const NVIDIA_RIM_URL = 'https://rim.attestation.nvidia.com/v1/rim'

const TIMEOUT_MS = 10_000
/** The manifest in base64, and a little around it. */
const MAX_ANSWER = 2 * MAX_RIM

const answerSchema = z.object({ id: z.string().optional(), rim: z.string() })

/** A way to manifests by their names (see rimIds). */
export interface RimService {
  /** One manifest, XML. Throws RimUnreachable when it cannot be had. */
  rim(id: string): Promise<Uint8Array>
}

/** The manifest is not to be had; nothing is known, good or bad. */
export class RimUnreachable extends ChrysalisError {
  constructor(message: string) {
    super('ERR_RIM_UNREACHABLE', message)
  }
}

/** Asks the service over HTTP (10 s, no redirects, a bound on the answer). */
export function httpRimService(fetch: Fetch, url: string = NVIDIA_RIM_URL): RimService {
  return {
    async rim(id) {
      const named = `the reference measurements ${id}`
      // Names come from a report, that is from whoever made it.
      if (!/^[A-Za-z0-9_.]{1,128}$/.test(id)) throw new RimUnreachable('a report without complete versions')
      const answer = await ask(fetch, `${url}/${id}`).catch((error: unknown) => {
        if (error instanceof BodyTooLong) throw new RimUnreachable(`${named}: ${error.message}`)
        throw new RimUnreachable(`${named} cannot be fetched from ${url}: give them as files, or try again`)
      })
      if (answer.bytes === undefined)
        throw new RimUnreachable(`${named} are not at ${url} (status ${answer.status})`)
      return read(answer.bytes, id)
    },
  }
}

async function ask(fetch: Fetch, url: string): Promise<{ status: number; bytes?: Uint8Array }> {
  const response = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { accept: 'application/json' },
  })
  const { status } = response
  if (status === 200) return { status, bytes: await readBody(response, MAX_ANSWER) }
  await discardBody(response)
  return { status }
}

function read(bytes: Uint8Array, id: string): Uint8Array {
  try {
    const answer = answerSchema.parse(parseStrictJson(bytes))
    if (answer.id !== undefined && answer.id !== id) throw new RangeError('another one')
    return fromBase64(answer.rim)
  } catch {
    throw new RimUnreachable(`the answer for the reference measurements ${id} is not what the service gives`)
  }
}
