/** The TEE of a process, as a setting. Apart from what opens it, so that `--help` loads nothing. */
export const TEE_SETTINGS = ['auto', 'simulated', 'tdx'] as const
export type TeeSetting = (typeof TEE_SETTINGS)[number]
