/**
 * `npm run docs`: writes the tables of fields into `gateway/README.md`. With `--check` it writes nothing and ends with
 * status 1 when they are not those of the code.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { withFieldTables } from '../api/openapi/fields.ts'

const path = fileURLToPath(new URL('../README.md', import.meta.url))
const page = readFileSync(path, 'utf8')
const made = withFieldTables(page)
if (made === page) {
  console.log('gateway/README.md: its tables are those of the code')
} else if (process.argv.includes('--check')) {
  console.error('gateway/README.md: its tables are not those of the code. Run `npm run docs`.')
  process.exitCode = 1
} else {
  writeFileSync(path, made)
  console.log('gateway/README.md: tables written')
}
