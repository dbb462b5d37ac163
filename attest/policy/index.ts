export * from './factors.ts'
export * from './policy.ts'
export * from './presets.ts'
export { parseRegistryView, pinnedBy, type RegistryView, withRegistry } from './registry.ts'
