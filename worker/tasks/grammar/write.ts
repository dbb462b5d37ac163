/** From a schema to an expression, and from an expression to the text of a grammar, with the client's errors. */

import { invalidSchema } from './errors.ts'
import type { Expression } from './expression.ts'
import type { Grammar } from './grammar.ts'
import { SchemaCompiler } from './schema/compile.ts'
import { checkDepth, SchemaDocument, type SchemaObject } from './schema/document.ts'
import { attempt } from './schema/facts.ts'
import { checkStrict } from './schema/strict.ts'

export interface SchemaExpressionOptions {
  readonly grammar: Grammar
  readonly strict: boolean
  /** What the value must be besides. */
  readonly also?: SchemaObject
  /** Keeps the rules of several schemas in one grammar apart. */
  readonly prefix?: string
}

/** One value of `schema`, as an expression of `grammar`. @throws ApiError */
export function schemaExpression(
  schema: unknown,
  path: string,
  options: SchemaExpressionOptions,
): Expression {
  checkDepth(schema, path)
  if (options.strict) checkStrict(schema, path)
  const document = new SchemaDocument(schema, path)
  const refs = [document.root, ...(options.also === undefined ? [] : [document.ref(options.also, path)])]
  return attempt(path, () => new SchemaCompiler({ document, ...options }).value(refs))
}

/** @throws ApiError when nothing matches, or too much is asked for */
export function writeGrammar(grammar: Grammar, root: Expression, path: string): string {
  const written = attempt(path, () => grammar.write(root))
  if (written === undefined) throw invalidSchema(path, 'accepts no value at all')
  return written
}
