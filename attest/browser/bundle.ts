/** Makes the browser bundle, and the page that carries it: each one file that needs no server and no network. */

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const BUILTINS = new Set(builtinModules.flatMap((name) => [name, `node:${name}`]))

/**
 * Bundles one entry as an ES module. Throws when anything reaches for a module of Node: a bundle that worked only in
 * part would be worse than none.
 */
export async function bundle(entry: string): Promise<string> {
  const build = await rolldown({
    input: here(entry),
    platform: 'browser',
    plugins: [
      {
        name: 'no-builtins',
        resolveId(source, importer) {
          if (BUILTINS.has(source)) throw new Error(`${importer} imports ${source}, which no browser has`)
          return null
        },
      },
    ],
    onLog(level, log) {
      if (level === 'warn') throw new Error(log.message)
    },
  })
  try {
    const { output } = await build.generate({ format: 'esm', minify: true, codeSplitting: false })
    const [chunk, more] = output
    if (more !== undefined) throw new Error('the bundle is more than one file')
    return chunk.code
  } finally {
    await build.close()
  }
}

/** The page as one HTML file. Its policy lets this one script run and nothing else, and lets nothing be fetched. */
export async function page(): Promise<string> {
  // A closing tag inside a string of the script would end it early.
  const script = (await bundle('./page/page.ts')).replaceAll('</script', '<\\/script')
  const html = readFileSync(here('./page/page.html'), 'utf8')
  const style = html.match(/<style>([\s\S]*?)<\/style>/)?.[1] ?? ''
  const policy = `default-src 'none'; script-src '${digest(script)}'; style-src '${digest(style)}'; base-uri 'none'; form-action 'none'`
  return html.replace('CONTENT-SECURITY-POLICY', policy).replace('/* SCRIPT */', () => script)
}

function digest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

/** Writes `attest.js` (for import) and `verify.html` (for people) into a folder. */
export async function writeBrowserFiles(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/attest.js`, await bundle('./index.ts'))
  writeFileSync(`${folder}/verify.html`, await page())
}
