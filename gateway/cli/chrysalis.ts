import { isKnown } from '../known.ts'

/** The verbs of the `chrysalis` command. Each is loaded only when called: `--help` must not load an engine. */
const COMMANDS: Record<string, { summary: string; run: (argv: string[]) => Promise<void> }> = {
  up: {
    summary:
      'start everything on this machine: local chain, gateway, worker, a funded channel and an API key',
    run: async (argv) => (await import('./up.ts')).up(argv),
  },
  channel: {
    summary:
      'pay a gateway from your own wallet, see what it cost, get the rest back: channel open|top-up|list|export|close; the running server: channel status|settle|close',
    run: async (argv) => (await import('./channel.ts')).channel(argv),
  },
  key: {
    summary: 'make, list, limit, rotate and revoke API keys: key create|list|limits|rotate|revoke',
    run: async (argv) => (await import('./key.ts')).key(argv),
  },
  ledger: {
    summary: 'find any difference between entries, receipts, vouchers and the chain: ledger verify|unfreeze',
    run: async (argv) => (await import('./ledger.ts')).ledger(argv),
  },
  sidecar: {
    summary:
      'serve OpenAI clients on this machine and pay a gateway with a key of your own: sidecar [open|top-up|close|status|resume|restore]',
    run: async (argv) => (await import('./sidecar.ts')).sidecar(argv),
  },
  registry: {
    summary:
      'what the network trusts, on chain, and its owners: registry show|keygen|deploy|propose|sign|submit|execute|revoke|cancel|renew|top-up',
    run: async (argv) => (await import('./registry.ts')).registry(argv),
  },
  earnings: {
    summary: 'what the worker has earned, was promised and has got: by day or model, as text, CSV or JSON',
    run: async (argv) => (await import('./worker-command.ts')).runWorkerCommand('earnings', argv),
  },
  withdraw: {
    summary: "send what the worker has got from its wallet to its owner's",
    run: async (argv) => (await import('./worker-command.ts')).runWorkerCommand('withdraw', argv),
  },
}

function usage(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length))
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`)
  return [
    'Usage: npm run chrysalis -- COMMAND [options]',
    '',
    'Chrysalis: an OpenAI-compatible gateway whose prompts no machine owner can read.',
    '',
    ...lines,
    '',
    'npm run chrysalis -- COMMAND --help explains each.',
    '',
  ].join('\n')
}

async function main([name, ...argv]: string[]): Promise<void> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(usage())
    return
  }
  const command = COMMANDS[name]
  if (!command) {
    process.stderr.write(`chrysalis: there is no command '${name}'\n\n${usage()}`)
    process.exitCode = 2
    return
  }
  await command.run(argv)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  // A refusal of ours is a sentence for a person; anything else is a defect and keeps its stack.
  process.stderr.write(isKnown(error) ? `${error.message}\n` : `${(error as Error).stack}\n`)
  process.exit(isKnown(error) && error.code === 'ERR_CONFIG' ? 2 : 1)
}
