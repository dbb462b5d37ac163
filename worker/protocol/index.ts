/** The protocol between gateway and worker: requests, prices, errors and the link. */

export * from './bounds.ts'
export * from './chat.ts'
export * from './errors.ts'
export { parseJsonObject } from './fields.ts'
export * from './ids.ts'
export * from './link.ts'
export * from './quote.ts'
export * from './software.ts'
export * from './translation.ts'
export * from './version.ts'
