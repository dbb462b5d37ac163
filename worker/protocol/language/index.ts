/**
 * Which language a text is in. Not part of the protocol's index: it brings the statistics of sixty languages along, so
 * only who detects loads them.
 */

export { detectLanguage, hasLetters, type RankedLanguage, rankLanguages } from './detect.ts'
