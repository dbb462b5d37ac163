/** The page of one payment. It is whole without its script, but for where the payment stands. */

import { friendlyAddress } from '../../../contracts/index.ts'
import { type Html, html } from '../../html.ts'
import { tonConnectRequest, tonkeeperLink, tonLink } from '../order.ts'
import { svgQr } from '../qr.ts'
import { type PaymentView, type PriceTable, WAITING } from './view.ts'

/** Names of the page's own files, beside it. */
export const FILES = { style: 'page.css', script: 'page.js', events: 'events' } as const

/** The whole page. */
export function paymentPage(view: PaymentView): string {
  const { order, title, gateway, rows, total, prices, meaning } = view
  const { to, from, globalId, expires } = order
  const until = new Date(expires * 1000).toISOString()
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Chrysalis: ${title}</title>
<link rel="stylesheet" href="${FILES.style}">
<script src="${FILES.script}" defer></script>
</head>
<body data-step="${WAITING.step}">
<header><p class="brand">Chrysalis</p><p>A page of the program on this computer; nothing on it is from elsewhere.</p></header>
<main>
<h1>${title}</h1>
<dl>
<dt>Channel</dt><dd><code>${friendlyAddress(to, globalId)}</code></dd>
<dt>Gateway</dt><dd><code>${gateway}</code></dd>
<dt>Your wallet</dt><dd><code>${friendlyAddress(from, globalId, false)}</code></dd>
</dl>
<ol class="steps"><li class="waiting">asked</li><li class="sent">sent</li><li class="final">final on the chain</li></ol>
<p id="status" role="status">${WAITING.text} <noscript>Where it stands is in the terminal: this browser runs no scripts.</noscript></p>
<h2>Send ${total}</h2>
<table class="amounts">
${rows.map(({ name, amount, note }) => html`<tr><th scope="row">${name}</th><td>${amount}</td><td>${note}</td></tr>\n`)}</table>
<p>Until <time datetime="${until}">${until}</time>, by one of these:</p>
${ways(view)}
${prices && priceTable(prices)}
<h2>What it means</h2>
${meaning.map((each) => html`<p>${each}</p>\n`)}</main>
</body>
</html>
`.html
}

function ways({ order }: PaymentView): Html {
  const [link, https] = [tonLink(order), tonkeeperLink(order)]
  return html`<div class="ways">
<figure id="qr">${{ html: svgQr(link) }}<figcaption>Scan it with your wallet</figcaption></figure>
<div>
<p><a class="button" id="wallet" href="${link}">Open the wallet on this computer</a></p>
<p><a class="button" id="tonkeeper" href="${https}" target="_blank" rel="noreferrer noopener">Open Tonkeeper</a></p>
<details><summary>The link, to copy</summary><pre>${link}</pre></details>
<details><summary>The TON Connect request, to copy</summary><pre id="ton-connect">${JSON.stringify(tonConnectRequest(order), null, 2)}</pre></details>
</div>
</div>`
}

function priceTable({ unit, columns, rows }: PriceTable): Html {
  return html`<h2>What models cost</h2>
<p>${unit}</p>
<table class="prices">
<thead><tr>${columns.map((each) => html`<th scope="col">${each}</th>`)}</tr></thead>
<tbody>${rows.map(([model, ...cells]) => html`<tr><th scope="row">${model}</th>${cells.map((each) => html`<td>${each}</td>`)}</tr>\n`)}</tbody>
</table>`
}
