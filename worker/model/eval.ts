// `npm run eval:model [-- --quick N] [-- --model FILE]`: translates the held-out test set in every direction,
// prints chrF2 and exact matches, and records the table in eval.md (a full run of the pinned model only).

import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { chrf, type Pair } from './chrf.ts'
import { LANGUAGE_NAMES } from './corpus/chat-more.ts'
import { LANGS } from './corpus/grammar.ts'
import { MODEL_FILE, openRunner } from './runner.ts'
import { DIRECTIONS, readTestSet } from './testset.ts'

const { values } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== '--'),
  options: { quick: { type: 'string' }, model: { type: 'string' }, show: { type: 'boolean' } },
})
const limit = values.quick === undefined ? Number.POSITIVE_INFINITY : Number(values.quick)
if (!(limit > 0)) throw new Error('--quick wants a number of sentences')

const all = readTestSet()
const rows = (['trained', 'unseen'] as const).flatMap((kind) =>
  all.filter((row) => row.kind === kind).slice(0, limit),
)
const runner = await openRunner(values.model ?? MODEL_FILE, 8)

const ask = (text: string): Promise<string> => runner.chat([{ role: 'user', text }])
const exact = (pairs: readonly Pair[]): number =>
  (100 * pairs.filter(({ hypothesis, reference }) => hypothesis === reference).length) / pairs.length

const HEADS = ['direction', 'trained chrF2', 'exact %', 'unseen chrF2', 'exact %']
/** A table row, padded as the repository's formatter wants it. */
const line = (cells: readonly string[]): string =>
  `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(HEADS[0]?.length ?? 0) : cell.padStart(HEADS[column]?.length ?? 0))).join(' | ')} |`

const table = [
  line(HEADS),
  line(
    HEADS.map((head, column) => (column === 0 ? '-'.repeat(head.length) : `${'-'.repeat(head.length - 1)}:`)),
  ),
]
const everything: Record<'trained' | 'unseen', Pair[]> = { trained: [], unseen: [] }
for (const row of table) console.log(row)
for (const [source, target] of DIRECTIONS) {
  const done = await Promise.all(
    rows.map(async ({ kind, text }) => ({
      kind,
      source: text[source],
      hypothesis: await runner.translate(source, target, text[source]),
      reference: text[target],
    })),
  )
  const of = (kind: 'trained' | 'unseen'): Pair[] => done.filter((row) => row.kind === kind)
  everything.trained.push(...of('trained'))
  everything.unseen.push(...of('unseen'))
  const cells = (['trained', 'unseen'] as const).flatMap((kind) => [
    chrf(of(kind)).toFixed(1),
    exact(of(kind)).toFixed(0),
  ])
  const row = line([`${source} → ${target}`, ...cells])
  table.push(row)
  console.log(row)
  if (values.show === true) {
    for (const row of done.filter(({ hypothesis, reference }) => hypothesis !== reference)) {
      console.log(`    ${row.kind}: ${row.source} → ${row.hypothesis} (${row.reference})`)
    }
  }
}
const overall = line([
  '**all**',
  ...(['trained', 'unseen'] as const).flatMap((kind) => [
    chrf(everything[kind]).toFixed(1),
    exact(everything[kind]).toFixed(0),
  ]),
])
table.push(overall)
console.log(overall)

// Asked for in words, in a chat: the same sentences, so the request must be understood and its sentence found
const asked = await Promise.all(
  rows.flatMap(({ text }) =>
    LANGS.filter((lang) => lang !== 'en').map(async (target) => ({
      hypothesis: await ask(`Translate to ${LANGUAGE_NAMES.en[target]}: ${text.en}`),
      reference: text[target],
    })),
  ),
)
// Said without a request, in a chat: any translation of it is a false alarm
const alarms = await Promise.all(
  rows.flatMap(({ text }) =>
    LANGS.map(async (lang) => {
      const reply = await ask(text[lang])
      return LANGS.some((other) => other !== lang && reply === text[other])
    }),
  ),
)
const notes = [
  `In a chat, \`Translate to …: {English}\` into the four languages, both kinds of sentence: chrF2 ${chrf(asked).toFixed(1)}, exact ${exact(asked).toFixed(0)} %.`,
  `In a chat, the bare sentence in any language: ${alarms.filter(Boolean).length} of ${alarms.length} were translated without being asked.`,
]
console.log(notes.join('\n'))
await runner.close()

if (values.quick === undefined && values.model === undefined) {
  const pin: unknown = JSON.parse(readFileSync(new URL('model.json', import.meta.url), 'utf8'))
  const sha256 = pin !== null && typeof pin === 'object' && 'sha256' in pin ? String(pin.sha256) : 'unknown'
  const count = (kind: string): number => rows.filter((row) => row.kind === kind).length
  const text = `# Evaluation of the embedded model

\`npm run eval:model\`, greedy, one thread, chrF2 (sacrebleu's defaults, computed in \`chrf.ts\`).
Each direction: ${count('trained')} sentences from templates that were trained on (with other words), ${count('unseen')} from templates that were not.
None of these sentences occurs in training, on either side, in any language.

Model: \`chrysalis-tiny.gguf\`, SHA-256 \`${sha256}\`.

${table.join('\n')}

${notes.join('\n')}
`
  writeFileSync(new URL('eval.md', import.meta.url), text)
}
