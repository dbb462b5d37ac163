/** `attest simulate`: writes complete vectors of simulated evidence, good and bad, for tests of verifiers. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../node-files.ts'
import { CASES, type CaseOptions, makeCase } from '../simulate/cases.ts'
import { ArgumentError, EXIT, verb } from './command.ts'
import { readHex, readTime } from './files.ts'
import { type Io, pathOf } from './io.ts'

export const simulate = verb(
  {
    name: 'simulate',
    usage: [
      '--case NAME --out DIR [--at TIME] [--nonce HEX]',
      '--case all --out DIR [--at TIME] [--nonce HEX]',
      '--list',
    ],
    summary:
      'Writes evidence of a simulated TEE with fresh keys: quote, collateral, claims, event log, the bundle of all, the\npolicy that pins its root, and case.json, which says what verdict it must get and how to ask for it.',
    flags: {
      case: { value: 'NAME', about: 'a case of --list, or "all": a folder of each' },
      out: { value: 'DIR', about: 'the folder to write to; it is made where there is none' },
      at: {
        value: 'TIME',
        about: 'when the evidence is to be judged, 2026-06-09T00:00:00Z; now when absent',
      },
      nonce: { value: 'HEX', about: 'the 32 bytes that the verifier chose; fresh ones when absent' },
      list: { about: 'name the cases and what each is about' },
    },
    notes: [
      'It proves nothing about a machine: it shows that a verifier accepts what is good and refuses what is not.',
      '',
      'Example:',
      '  attest simulate --case debug --out ./debug',
    ],
  },
  async (given, _operands, io) => {
    if (given.list) {
      const width = Math.max(...CASES.map(({ name }) => name.length))
      for (const { name, expected, summary } of CASES)
        io.out(`${name.padEnd(width)}  ${expected}  ${summary}\n`)
      return EXIT.accepted
    }
    const { case: name, out } = given
    if (name === undefined || out === undefined) {
      throw new ArgumentError(
        'attest simulate: needs --case and --out; attest simulate --list names the cases',
      )
    }
    const names = name === 'all' ? CASES.map((info) => info.name) : [name]
    if (!names.every((one) => CASES.some((info) => info.name === one))) {
      throw new ArgumentError(`--case: there is no case '${name}'; attest simulate --list names them`)
    }
    const now = given.at === undefined ? io.now() : readTime('--at', given.at)
    const nonce = given.nonce === undefined ? undefined : readHex('--nonce', given.nonce, 32)
    const options = { now, ...(nonce && { nonce }) }
    for (const one of names) await write(one, name === 'all' ? join(out, one) : out, options, io)
    return EXIT.accepted
  },
)

async function write(name: string, out: string, options: CaseOptions, io: Io): Promise<void> {
  const { files, expected, failedFactors, missingFactors } = await makeCase(name, { ...options, folder: out })
  const folder = pathOf(io, out)
  try {
    await makeFolder(folder)
    for (const [file, content] of files) await writeFile(join(folder, file), content)
  } catch (cause) {
    throw new ArgumentError(`--out: cannot write to ${out}: name a folder of yours`, { cause })
  }
  const reasons = [...failedFactors, ...missingFactors]
  io.out(`${out}: ${name}, ${expected}${reasons.length === 0 ? '' : ` (${reasons.join(', ')})`}\n`)
}
