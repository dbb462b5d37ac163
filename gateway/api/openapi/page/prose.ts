/** Descriptions of the document, which are CommonMark, as HTML. */

import { type Html, html } from '../../../html.ts'

/** A sentence of CommonMark, as far as the document has it: code between backticks, paragraphs between empty lines. */
export function prose(text: string): Html {
  const paragraphs = text.split('\n\n').map((paragraph) => html`<p>${inline(paragraph)}</p>`)
  return html`${paragraphs}`
}

/** The same without a paragraph around. */
export function inline(text: string): Html {
  const parts = text
    .split('`')
    .map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : html`${part}`))
  return html`${parts}`
}
