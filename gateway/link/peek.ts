import { z } from 'zod'
import { LinkError } from '../../worker/protocol/link.ts'
import { LINK_VERSIONS, negotiate, versionRangeSchema } from '../../worker/protocol/version.ts'

// A join of another time may hold fields that this build does not know: only its version is read before the rest.
const versionPeek = z.object({ type: z.literal('join'), version: z.int(), versions: versionRangeSchema })

/**
 * The version that both sides speak and the join is written in.
 * @returns undefined when the two are too far apart
 * @throws LinkError unexpected_message when the message is not a join
 */
export function peekJoinVersion(text: string): number | undefined {
  let parsed: z.infer<typeof versionPeek>
  try {
    parsed = versionPeek.parse(JSON.parse(text))
  } catch (cause) {
    throw new LinkError('unexpected_message', 'the first message has to be a join', { cause })
  }
  const version = negotiate(LINK_VERSIONS, parsed.versions)
  return version === parsed.version ? version : undefined
}
