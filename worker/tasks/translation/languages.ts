/** @module Names of languages as models know them. */

import type { ModelInfo } from '../../engine/types.ts'
import { invalidRequest } from '../../protocol/errors.ts'

/**
 * The model's own name of a language: the tag itself, else its base (`de-AT` is served as `de`).
 * @throws ApiError 400 naming `param`
 */
export function resolveLanguage(tag: string, { languages }: ModelInfo, param: string): string {
  const { language } = new Intl.Locale(tag)
  if (!languages) {
    const name = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' }).of(language)
    if (name !== undefined) return tag
    throw invalidRequest(param, `Invalid '${param}': no language has this tag.`, 'unsupported_language')
  }
  const found = languages.find((each) => each === tag) ?? languages.find((each) => each === language)
  if (found) return found
  throw invalidRequest(
    param,
    `Invalid '${param}': this model translates between ${languages.join(', ')}.`,
    'unsupported_language',
  )
}

/**
 * Nothing is to be translated from one to the other. A region counts when both are said, as from `pt-PT` to `pt-BR`;
 * a script always does, as from `zh` to `zh-TW`.
 */
export function isSameLanguage(source: string, target: string): boolean {
  const [from, to] = [new Intl.Locale(source), new Intl.Locale(target)]
  if (from.language !== to.language || from.maximize().script !== to.maximize().script) return false
  return from.region === undefined || to.region === undefined || from.region === to.region
}
