import { ConfigError } from '../../attest/cli/config.ts'

/** Each verb is loaded only when called. */
const VERBS: Record<string, (argv: string[]) => Promise<void>> = {
  show: async (argv) => (await import('./registry-show.ts')).show(argv),
  keygen: async (argv) => (await import('./registry-sign.ts')).keygen(argv),
  deploy: async (argv) => (await import('./registry-send.ts')).deploy(argv),
  propose: async (argv) => (await import('./registry-ask.ts')).propose(argv),
  renew: async (argv) => (await import('./registry-ask.ts')).renew(argv),
  sign: async (argv) => (await import('./registry-sign.ts')).sign(argv),
  submit: async (argv) => (await import('./registry-send.ts')).submit(argv),
  execute: async (argv) => (await import('./registry-send.ts')).execute(argv),
  revoke: async (argv) => (await import('./registry-ask.ts')).revoke(argv),
  cancel: async (argv) => (await import('./registry-ask.ts')).cancel(argv),
  'top-up': async (argv) => (await import('./registry-send.ts')).topUp(argv),
}

const USAGE = `Usage: chrysalis registry VERB [options]

What a network trusts, on chain: measurements of machines, models with their prices, gateways. Several owners decide.

Anybody:
  show      what it holds, its version and pin, who decides, what is coming and when
  execute   carry out a proposal whose hour has come
  top-up    pay rent

Its owners:
  keygen    make an owner's key (a file that never leaves its machine) and print its public half
  deploy    put a registry on chain, as a file says: owners, threshold, delay, first entries
  propose   make a file that asks the owners for steps: put, remove, policy, new owners …
  renew     the same, for a later end of the snapshot
  sign      show what such a file asks, and sign it; works offline
  submit    send what enough owners have signed
  revoke    one owner, at once: revoke a platform, measurement, model or gateway
  cancel    one owner, at once: cancel a proposal that waits

chrysalis registry VERB --help explains each. What gives trust waits in public for the registry's delay; what takes it
is done at once.
`

/** `chrysalis registry VERB`: the owners' commands, and what everybody may do with a registry. */
export async function registry([verb = '--help', ...argv]: string[]): Promise<void> {
  if (verb === '--help' || verb === '-h') {
    process.stdout.write(USAGE)
    return
  }
  const run = VERBS[verb]
  if (!run)
    throw new ConfigError(`chrysalis registry: say one of ${Object.keys(VERBS).join(', ')}, not '${verb}'`)
  await run(argv)
}
