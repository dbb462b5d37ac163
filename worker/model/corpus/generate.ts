// Writes the training set (JSON lines) and the test set: `node worker/model/corpus/generate.ts OUTPUT_FOLDER`.

import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { testCases, trainingSet } from './corpus.ts'
import { LANGS } from './grammar.ts'

const folder = process.argv[2]
if (folder === undefined) throw new Error('usage: node worker/model/corpus/generate.ts OUTPUT_FOLDER')
mkdirSync(folder, { recursive: true })

const text = `${trainingSet()
  .map((sample) => JSON.stringify(sample))
  .join('\n')}\n`
writeFileSync(join(folder, 'train.jsonl'), text)

const rows = testCases().map(({ kind, text: sentences }) =>
  [kind, ...LANGS.map((lang) => sentences[lang])].join('\t'),
)
const here = dirname(fileURLToPath(import.meta.url))
writeFileSync(join(here, '..', 'testset.tsv'), `${['kind', ...LANGS].join('\t')}\n${rows.join('\n')}\n`)

console.log(
  JSON.stringify({
    samples: text.split('\n').length - 1,
    bytes: text.length,
    tests: rows.length,
    sha256: createHash('sha256').update(text).digest('hex'),
  }),
)
