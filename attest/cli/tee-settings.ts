/** The TEE of a process, as settings. Apart from what opens it, so that `--help` loads nothing of that. */

import { z } from 'zod'

/** What gateway and worker alike ask about their enclave, to be spread into a settings table. */
export const teeSettings = {
  tee: z
    .enum(['auto', 'simulated', 'tdx'])
    .default('auto')
    .describe('the enclave: tdx (a TDX guest), simulated, or auto: tdx where there is one'),
  collateral: z
    .string()
    .min(1)
    .optional()
    .describe("for tdx: URL of a PCS or PCCS, or a folder, to take collateral from; default: Intel's PCS"),
}

export type TeeSetting = z.infer<typeof teeSettings.tee>
