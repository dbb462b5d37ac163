/** The reference page: the OpenAPI document for people. It is whole without its script. */

import type { JsonSchema } from '../../../../worker/protocol/readers.ts'
import { type Html, html } from '../../../html.ts'
import type { OpenApiDocument } from '../document.ts'
import type { Operation } from '../operation.ts'
import { STATUSES } from '../statuses.ts'
import { inline, prose } from './prose.ts'
import { membersOf, reference, typeOf } from './schema.ts'

/** Where the page's own files are served. */
export const STYLE_PATH = '/reference.css'
export const SCRIPT_PATH = '/reference.js'

/** What curl is shown with; the script puts the address of the page in its place. */
const ORIGIN = 'http://127.0.0.1:8787'

/** The whole page. */
export function referencePage(document: OpenApiDocument, operations: readonly Operation[]): string {
  const groups = document.tags.map((tag) => ({
    ...tag,
    operations: operations.filter((operation) => operation.tag === tag.name),
  }))
  const { schemas } = document.components
  // A request's fields stand with its route.
  const requests = new Set(operations.map(({ request }) => request?.name))
  const others = Object.entries(schemas).filter(([name]) => !requests.has(name))
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Chrysalis API reference</title>
<link rel="stylesheet" href="${STYLE_PATH}">
<script src="${SCRIPT_PATH}" defer></script>
</head>
<body>
<a class="skip" href="#content">Skip to content</a>
<header>
<a class="brand" href="#top">Chrysalis <span>API reference</span></a>
<input id="filter" type="search" placeholder="Find a route or field" aria-label="Find a route or field" hidden>
<a href="/openapi.json">openapi.json</a>
<button id="theme" type="button" hidden>Theme</button>
</header>
<nav aria-label="Routes">${groups.map((group) => menu(group.name, group.operations))}
<h2>Schemas</h2><ul>${others.map(([name]) => html`<li>${reference(name)}</li>`)}</ul></nav>
<main id="content">
<section id="top" class="intro"><h1>Chrysalis <small>${document.info.version}</small></h1>${prose(document.info.description)}</section>
${groups.map((group) => html`<h2 class="group">${group.name}</h2>${prose(group.description)}${group.operations.map((each) => section(each, schemas))}`)}
<h2 class="group">Schemas</h2>
${others.map(([name, schema]) => schemaSection(name, schema))}
</main>
</body>
</html>
`
  return page.html
}

function menu(name: string, operations: readonly Operation[]): Html {
  return html`<h2>${name}</h2><ul>${operations.map(
    ({ id, method, path }) => html`<li><a href="#${id}"><b class="${method}">${method}</b>${path}</a></li>`,
  )}</ul>`
}

function section(operation: Operation, schemas: Readonly<Record<string, JsonSchema>>): Html {
  const { id, method, path, summary, about, key, parameters, request, answer, events, errors } = operation
  return html`<section id="${id}" class="operation">
<h3><a href="#${id}">${summary}</a></h3>
<p class="route"><b class="${method}">${method}</b> <code>${path}</code>${!key && html` <span class="badge">no key</span>`}</p>
${prose(about)}
${example(curl(operation))}
${
  parameters &&
  html`<h4>Parameters</h4><ul class="fields">${parameters.map(
    (each) =>
      html`<li><div class="head"><code class="name">${each.name}</code> <span class="type">${typeOf(each.schema)}</span> <span class="badge">${each.in}</span></div><p>${inline(each.about)}</p></li>`,
  )}</ul>`
}
${request && html`<h4 id="schema-${request.name}">Fields</h4>${membersOf(schemas[request.name] ?? {})}`}
<h4>Answer</h4><p>${answerType(answer.schema)}: ${inline(answer.about)}</p>
${answer.example && example(JSON.stringify(answer.example, null, 2))}
${events && html`<h4>Stream</h4><p>${answerType(events.schema)}: ${inline(events.about)}</p>`}
${
  errors.length > 0 &&
  html`<h4>Errors</h4><ul class="errors">${errors.map(
    (status) => html`<li><code>${status}</code> ${inline(STATUSES[status] ?? '')}</li>`,
  )}</ul>`
}
</section>
`
}

function answerType(schema: JsonSchema): Html {
  const { title } = schema
  return typeof title === 'string' ? reference(title) : typeOf(schema)
}

function schemaSection(name: string, schema: JsonSchema): Html {
  return html`<section id="schema-${name}" class="schema"><h3><a href="#schema-${name}">${name}</a></h3>${!schema.properties && html`<p class="type">${typeOf(schema)}</p>`}${membersOf(schema)}</section>
`
}

function example(text: string): Html {
  return html`<div class="example"><pre><code>${text}</code></pre></div>`
}

/** A command that asks for this, as one would type it. */
function curl({ method, path, key, parameters = [], request }: Operation): string {
  const scheme = key === 'deepl' ? 'DeepL-Auth-Key' : 'Bearer'
  const filled = parameters.reduce(
    (url, { name, example }) => url.replace(`{${name}}`, example ?? '$&'),
    path,
  )
  const lines = [`curl ${ORIGIN}${filled}`]
  if (key === 'payment') lines.push('-H "PAYMENT-SIGNATURE: $PAYMENT"')
  else if (key) lines.push(`-H "Authorization: ${scheme} $CHRYSALIS_API_KEY"`)
  if (method === 'post') lines.push("-H 'Content-Type: application/json'")
  if (request) lines.push(`-d '${JSON.stringify(request.example)}'`)
  return lines.join(' \\\n  ')
}
