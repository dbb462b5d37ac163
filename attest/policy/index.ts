export * from './factors.ts'
export * from './policy.ts'
export * from './presets.ts'
