// `npm run eval:translation [-- --model FILE] [--data FILE.tsv] [--limit N] [--show]`: translates a test set by the
// worker's own task and engine; prints chrF++ and how many placeholders and marks came back, for each pair of languages.

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { embeddedModel, startEngine } from '../engine/index.ts'
import { readSamples } from './data.ts'
import { type PairScore, scoreOf, scoresOf, translateAll } from './evaluate.ts'

const { values } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== '--'),
  options: {
    model: { type: 'string', default: embeddedModel.path },
    data: { type: 'string' },
    limit: { type: 'string', default: 'Infinity' },
    context: { type: 'string' },
    gpu: { type: 'string', default: 'auto' },
    show: { type: 'boolean', default: false },
  },
})
const limit = Number(values.limit)
if (!(limit > 0)) throw new Error('--limit wants a number of texts')
const gpu = values.gpu === 'cuda' || values.gpu === 'off' ? values.gpu : 'auto'
const file = values.data ?? new URL('testset.tsv', import.meta.url)
const samples = readSamples(readFileSync(file, 'utf8')).slice(0, limit)

const engine = await startEngine({
  modelPath: values.model,
  gpu,
  sequences: 8,
  ...(values.context !== undefined && { contextLength: Number(values.context) }),
})
let done = 0
const translated = await translateAll(samples, engine, (texts) => {
  done += texts
  if (process.stderr.isTTY)
    process.stderr.write(`\r${bar(done / samples.length)} ${done} of ${samples.length} texts `)
})
if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
await engine.close()

const line = (cells: readonly string[]): string =>
  `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(9) : cell.padStart(8))).join(' | ')} |`
const cellsOf = ({ pair, texts, chrf, parts, survived, errors }: PairScore): string[] => [
  pair,
  String(texts),
  chrf.toFixed(1),
  parts === 0 ? '-' : `${survived}/${parts}`,
  String(errors),
]
console.log(line(['pair', 'texts', 'chrF++', 'kept', 'errors']))
console.log('| --------- | -------: | -------: | -------: | -------: |')
for (const score of scoresOf(translated)) console.log(line(cellsOf(score)))
console.log(line(cellsOf(scoreOf('**all**', translated))))
if (values.show) {
  for (const { sample, item } of translated) {
    if (item.text === sample.reference) continue
    console.log(`\n${sample.from} → ${sample.to} (${sample.format}) ${item.error?.code ?? ''}`)
    console.log(`  ${sample.source}\n  ${item.text}\n  ${sample.reference}`)
  }
}

function bar(part: number): string {
  const width = 32
  const full = Math.round(part * width)
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`
}
