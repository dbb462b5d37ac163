// Runs the embedded model by itself, greedily and on one thread: for the evaluation and the tests.
// The worker has its own engine; this shows the prompt format in the fewest lines.

import { fileURLToPath } from 'node:url'
import { getLlama, type LlamaContextSequence, LlamaLogLevel, type Token } from 'node-llama-cpp'

export const MODEL_FILE = fileURLToPath(new URL('chrysalis-tiny.gguf', import.meta.url))

export interface Turn {
  readonly role: 'system' | 'user' | 'assistant'
  readonly text: string
}

export interface Runner {
  translate(source: string, target: string, text: string): Promise<string>
  chat(turns: readonly Turn[], maxTokens?: number): Promise<string>
  tokenize(text: string): number[]
  close(): Promise<void>
}

/** Up to `parallel` requests run at once; more wait for a free sequence. */
export async function openRunner(file: string = MODEL_FILE, parallel = 1): Promise<Runner> {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    logLevel: LlamaLogLevel.error,
    maxThreads: 1,
  })
  const model = await llama.loadModel({ modelPath: file })
  const context = await model.createContext({
    contextSize: 512,
    sequences: parallel,
    threads: { ideal: 1, min: 1 },
  })
  const free: LlamaContextSequence[] = Array.from({ length: parallel }, () => context.getSequence())
  const waiting: Array<(sequence: LlamaContextSequence) => void> = []

  const control = (name: string): Token[] => model.tokenize(`<|${name}|>`, true)
  const plain = (text: string): Token[] => model.tokenize(text, false)
  const bos = model.tokens.bos === null ? [] : [model.tokens.bos]

  const take = (): Promise<LlamaContextSequence> => {
    const sequence = free.pop()
    return sequence === undefined
      ? new Promise((resolve) => waiting.push(resolve))
      : Promise.resolve(sequence)
  }
  const give = (sequence: LlamaContextSequence): void => {
    const next = waiting.shift()
    if (next === undefined) free.push(sequence)
    else next(sequence)
  }

  const complete = async (prompt: Token[], maxTokens: number): Promise<string> => {
    const sequence = await take()
    try {
      await sequence.clearHistory()
      const reply: Token[] = []
      for await (const token of sequence.evaluate(prompt, { temperature: 0 })) {
        reply.push(token)
        if (reply.length >= maxTokens) break
      }
      return model.detokenize(reply)
    } finally {
      give(sequence)
    }
  }

  return {
    translate: (source, target, text) =>
      complete(
        [...bos, ...['translate', source, target].flatMap(control), ...plain(text), ...control('assistant')],
        160,
      ),
    chat: (turns, maxTokens = 260) =>
      complete(
        [
          ...bos,
          ...turns.flatMap(({ role, text }) => [
            ...control(role),
            ...plain(text),
            ...(role === 'assistant' ? control('end') : []),
          ]),
          ...control('assistant'),
        ],
        maxTokens,
      ),
    tokenize: plain,
    close: async () => {
      await context.dispose()
      await model.dispose()
      await llama.dispose()
    },
  }
}
