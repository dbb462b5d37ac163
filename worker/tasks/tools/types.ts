/** @module What the text of an answer is made of. */

/** Parts of one answer in order; neighbouring parts of one type (and index) belong together. */
export type AnswerPart =
  /** Text as it was pushed; `at`: where it stands (UTF-16 units) in all that was pushed, marks included. */
  | { readonly type: 'reasoning' | 'content'; readonly at: number; readonly text: string }
  /** A call begins; calls are numbered from 0. */
  | { readonly type: 'call'; readonly index: number; readonly name: string }
  /** More of the JSON text of its arguments, as the model wrote it. */
  | { readonly type: 'arguments'; readonly index: number; readonly text: string }
