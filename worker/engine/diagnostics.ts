/** @module The child's stderr belongs to the host's console: what it says is reduced to codes, its text is dropped. */

const patterns: readonly (readonly [RegExp, string])[] = [
  [/GGML_ASSERT|GGML_ABORT/, 'ggml-assert'],
  [/CUDA error|cudaError|CUBLAS/i, 'cuda-error'],
  [/out of memory|bad_alloc|failed to allocate|heap limit/i, 'out-of-memory'],
  [/terminate called|Napi::Error|FATAL ERROR/, 'abort'],
  [/error loading model|failed to load model|unable to load model/i, 'model-load'],
  [/no such file|cannot open shared object/i, 'library-missing'],
]

/** The code of one line of the child's stderr. */
export function diagnosticCode(line: string): string {
  return patterns.find(([pattern]) => pattern.test(line))?.[1] ?? 'other'
}
