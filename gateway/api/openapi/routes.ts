import { createHash } from 'node:crypto'
import type { Hono } from 'hono'
import { type Env, only } from '../route.ts'
import { buildDocument, operations } from './document.ts'
import { referencePage, SCRIPT_PATH, STYLE_PATH } from './page/page.ts'
import { SCRIPT } from './page/script.ts'
import { STYLE } from './page/style.ts'

/** The page's own two files and nothing else, from nowhere else; no frame may hold it. */
const POLICY =
  "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

interface File {
  readonly type: string
  readonly text: string
  readonly etag: string
}

/** `GET /openapi.json` and `/reference`, the page made of it. Both are for everybody: they say nothing of this gateway. */
export function openapiRoutes(app: Hono<Env>): void {
  const made = new Map<string, File>()
  only(app, 'GET', ...Object.keys(FILES))
  for (const [path, make] of Object.entries(FILES)) {
    app.get(path, (c) => {
      const file = made.get(path) ?? make()
      made.set(path, file)
      c.header('etag', file.etag)
      c.header('cache-control', 'no-cache')
      c.header('x-content-type-options', 'nosniff')
      c.header('referrer-policy', 'no-referrer')
      c.header('content-security-policy', POLICY)
      if (c.req.header('if-none-match') === file.etag) return c.body(null, 304)
      return c.body(file.text, 200, { 'content-type': file.type })
    })
  }
}

const FILES: Readonly<Record<string, () => File>> = {
  '/openapi.json': () => file('application/json', JSON.stringify(buildDocument())),
  '/reference': () => file('text/html; charset=utf-8', referencePage(buildDocument(), operations)),
  [STYLE_PATH]: () => file('text/css; charset=utf-8', STYLE),
  [SCRIPT_PATH]: () => file('text/javascript; charset=utf-8', SCRIPT),
}

function file(type: string, text: string): File {
  const digest = createHash('sha256').update(text).digest('base64url')
  return { type, text, etag: `"${digest.slice(0, 22)}"` }
}
