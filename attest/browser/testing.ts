/** Finds Debian's Chromium and drives it. */

import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** The browser's path; undefined, said aloud, where there is none. Throws where CHRYSALIS_REQUIRE names it. */
export function chromiumPath(): string | undefined {
  const named = process.env.CHRYSALIS_CHROMIUM ?? ''
  if (named !== '' && !existsSync(named)) throw new Error(`CHRYSALIS_CHROMIUM: there is no file ${named}`)
  const path = named === '' ? '/usr/bin/chromium' : named
  if (existsSync(path)) return path
  if ((process.env.CHRYSALIS_REQUIRE ?? '').includes('chromium')) {
    throw new Error(
      'CHRYSALIS_REQUIRE asks for Chromium, but there is none: install it or set CHRYSALIS_CHROMIUM',
    )
  }
  console.warn('SKIPPED: there is no Chromium here (install it or set CHRYSALIS_CHROMIUM to its path)')
  return undefined
}

export function launch(executablePath: string): Promise<Browser> {
  // Tests run as root in containers, where Chromium's own sandbox cannot start.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}
