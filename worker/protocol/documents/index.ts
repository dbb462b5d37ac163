/** JSON Schemas of the documents that answers are. */

export * from './chat.ts'
export * from './models.ts'
export * from './responses.ts'
export { failureSchema, usageSchema } from './shared.ts'
export * from './text.ts'
