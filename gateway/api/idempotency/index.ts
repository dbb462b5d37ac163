export { IdempotencyStore } from './store.ts'
