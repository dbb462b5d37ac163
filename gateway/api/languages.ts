import type { CatalogModel } from './deps.ts'

/**
 * What a model that does not name its languages is taken to translate between: the ones that current multilingual
 * models are trained on most.
 */
const COMMON =
  'ar bg cs da de el en es et fi fr he hi hu id it ja ko lt lv nb nl pl pt ro ru sk sl sv th tr uk vi zh'

/** A language as the faces for translation list it. */
export interface Language {
  /** BCP 47. */
  readonly tag: string
  /** Its English name. */
  readonly name: string
}

const names = new Intl.DisplayNames(['en'], { type: 'language' })

/** The languages that a model translates between, by their English names. */
export function languagesOf(model: Pick<CatalogModel, 'languages'> | undefined): Language[] {
  const tags = model?.languages ?? COMMON.split(' ')
  const languages = tags.map((tag) => ({ tag, name: names.of(tag) ?? tag }))
  return languages.sort((a, b) => a.name.localeCompare(b.name, 'en'))
}
