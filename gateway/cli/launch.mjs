#!/usr/bin/env node
// Plain JavaScript on purpose: it must parse on any Node, so that an old one gets a sentence, not a stack trace.
import { existsSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { obstacle, thisMachine } from './obstacle.mjs'

const problem = obstacle(thisMachine())
if (problem) {
  process.stderr.write(`${problem}\n`)
  process.exit(1)
}

// Compiled code is kept for the next start, for us and for the processes that we start. Only in a checkout, in a
// folder of this user: Node believes what lies in a cache, so neither a shared folder nor a real enclave may use one.
const modules = new URL('../../node_modules', import.meta.url)
if (existsSync(modules)) {
  process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('node_modules/.cache/chrysalis', `${modules}/..`))
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE)
}

if (process.argv[2] === '--run') {
  process.argv.splice(1, 2)
  await import(pathToFileURL(process.argv[1]).href)
} else {
  const source = new URL('./chrysalis.ts', import.meta.url)
  await import(existsSync(source) ? source.href : new URL('./chrysalis.js', import.meta.url).href)
}
