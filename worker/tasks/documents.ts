import { utf8 } from '../../attest/bytes.ts'
import { padEvent } from './padding.ts'
import type { TaskEvent } from './types.ts'

/** A document of a stream. */
export function eventOf(document: object, padded: boolean): TaskEvent {
  return { type: 'event', json: padded ? padEvent(document) : JSON.stringify(document) }
}

/** An answer that is one document. */
export function bodyOf(document: object): TaskEvent {
  return { type: 'body', bytes: utf8(JSON.stringify(document)) }
}
