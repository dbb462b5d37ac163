import { fileURLToPath } from 'node:url'

/** The model that ships with Chrysalis. Its file lies beside the sources; a build copies it to the same place. */
export const embeddedModel = {
  id: 'chrysalis/tiny',
  path: fileURLToPath(new URL('../model/chrysalis-tiny.gguf', import.meta.url)),
} as const
