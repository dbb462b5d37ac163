/** `attest policy`: shows what a verifier would demand. */

import { policyInWords } from '../inspect/policy.ts'
import { count, printable } from '../inspect/text.ts'
import { FACTORS } from '../policy/factors.ts'
import { encodePolicy, type Policy } from '../policy/policy.ts'
import { PRESETS, type PresetName } from '../policy/presets.ts'
import { ArgumentError, EXIT, verb } from './command.ts'
import { type Io, styled } from './io.ts'
import { POLICY_FLAGS, readPolicy } from './policy-source.ts'

const ABOUT: Record<PresetName, string> = {
  platform: 'the quote and the machine are genuine, current and not debuggable; says nothing of what runs',
  strict: 'platform, an attested GPU, and pinned measurements, models and registry; the default',
  'strict-no-gpu': 'as strict, for a worker or gateway without an accelerator',
  simulated: 'the simulated TEE of one installation (--root); proves nothing about a machine',
}

export const policy = verb(
  {
    name: 'policy',
    usage: ['NAME [--root HEX|FILE]', 'FILE', '--list'],
    summary:
      'NAME prints a ready policy as a policy file, to be saved and edited: strict needs pins of measurements, models\nand registry before it accepts anything. FILE checks a policy file and says in words what it demands.',
    flags: {
      root: POLICY_FLAGS.root,
      list: { about: 'name the ready policies' },
      words: { about: 'say also of a ready policy in words what it demands' },
    },
    operands: 1,
    notes: [
      'A policy file is JSON that begins with "format": "chrysalis/policy/1"; every member is checked.',
      '',
      'Example:',
      '  attest policy strict > my-policy.json',
    ],
  },
  async (given, [name], io) => {
    if (given.list) {
      const width = Math.max(...PRESETS.map(({ length }) => length))
      for (const preset of PRESETS) io.out(`${preset.padEnd(width)}  ${ABOUT[preset]}\n`)
      return EXIT.accepted
    }
    if (name === undefined)
      throw new ArgumentError('attest policy: needs a name or a file; see attest policy --help, or --list')
    const found = await readPolicy(io, name, given.root)
    const ready = (PRESETS as readonly string[]).includes(name)
    io.out(ready && !given.words ? encodePolicy(found) : inWords(found, io))
    return EXIT.accepted
  },
)

function inWords(found: Policy, io: Pick<Io, 'colour'>): string {
  const rows = policyInWords(found)
  const width = Math.max(...rows.map(([subject]) => subject.length))
  return [
    `The policy ${styled(io, 'bold', printable(JSON.stringify(found.name)))} is well-formed. It judges ${count(FACTORS.length, 'factor')}:`,
    '',
    ...rows.map(([subject, sentence]) => `  ${subject.padEnd(width)}  ${printable(sentence, 4000)}`),
    '',
  ].join('\n')
}
