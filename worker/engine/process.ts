/** @module Starts the child process that holds the model, and speaks with it. */

import { type ChildProcess, spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { basename, resolve as resolvePath } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { commandWithoutCoreDumps } from '../../attest/cli/core-dumps.ts'
import { type Clock, systemClock } from '../clock.ts'
import { modelIdSchema } from '../protocol/ids.ts'
import { ChildEngine } from './client.ts'
import { diagnosticCode } from './diagnostics.ts'
import { embeddedModel } from './embedded.ts'
import { EngineError } from './errors.ts'
import { readGgufHeader } from './gguf/header.ts'
import { identify, type ModelIdentity } from './gguf/identity.ts'
import type { FromChild, GpuChoice, LoadOptions, ReadyFacts, ToChild } from './messages.ts'
import type { ModelInfo } from './types.ts'
import { openWeights, type Weights } from './weights.ts'

export interface EngineOptions {
  readonly modelPath: string
  /** Default: a slug of the name in the file; `chrysalis/tiny` for the embedded model. */
  readonly modelId?: string
  /** Default `auto`: the best that works. `cuda` fails when CUDA does not work; `off` is the CPU. */
  readonly gpu?: GpuChoice
  /** Generations side by side, 1 to 256; default 4. Each takes the memory of its whole context at once. */
  readonly sequences?: number
  /** Default: one less than there are cores, at least 1: as many threads as cores are slow on a busy machine. */
  readonly threads?: number
  /** Tokens of prompt and answer together; default: what the model was trained for, at most 4096. */
  readonly contextLength?: number
  /** Gets a code for each line that llama.cpp writes to stderr, never its text. */
  readonly onDiagnostic?: (code: string) => void
  /** Gives up starting. */
  readonly signal?: AbortSignal
  /** Default 10 minutes: how long the child may take to load the model. Then it is killed. */
  readonly startMs?: number
  /** Calls `fn` once after `ms`; the result cancels it. Replaced by tests. */
  readonly after?: Clock['after']
  /** For the bench only. */
  readonly batching?: 'sorted' | 'naive'
}

const defaultContext = 4096
const defaultStartMs = 10 * 60_000
const childDescriptor = 4
const entry = new URL(`./child/main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

/** The only variables that the child sees: nothing that reconfigures Node or the library, no secrets of ours. */
const passedVariables =
  /^(PATH|HOME|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|SystemRoot|windir|USERPROFILE|LOCALAPPDATA|APPDATA|LD_LIBRARY_PATH|CUDA_.*|NVIDIA_.*|VK_.*)$/

/**
 * Loads a model in a process of its own. Throws EngineError `ERR_MODEL_UNREADABLE`, `ERR_MODEL_INVALID`,
 * `ERR_MODEL_CHANGED` or `ERR_ENGINE_START`. May be called again at any time, also after a crash.
 */
export async function startEngine(options: EngineOptions): Promise<ChildEngine> {
  const weights = await openWeights(options.modelPath, options.signal)
  try {
    const identity = identifyModel(options, weights)
    const settings = resolveSettings(options, identity)
    const child = spawnChild(weights)
    try {
      watchStderr(child, options.onDiagnostic)
      const { accelerator, infill } = await load(child, toLoadOptions(settings, identity, weights), options)
      await weights.recheck()
      const info = { ...toInfo(identity, weights.sha256, settings.contextLength), ...(infill && { infill }) }
      const facts = { accelerator, sequences: settings.sequences, weights: weights.kind }
      return new ChildEngine(child, info, facts, {
        after: options.after ?? systemClock.after,
        onHung: () => options.onDiagnostic?.('engine-hung'),
      })
    } catch (cause) {
      child.kill('SIGKILL')
      throw cause
    }
  } finally {
    weights.close()
  }
}

function identifyModel({ modelId, modelPath }: EngineOptions, weights: Weights): ModelIdentity {
  const ownId = resolvePath(modelPath) === embeddedModel.path ? embeddedModel.id : undefined
  const identity = identify(readGgufHeader(weights.read), modelId ?? ownId, basename(modelPath, '.gguf'))
  if (modelIdSchema.safeParse(identity.id).success) return identity
  throw new EngineError(
    'ERR_ENGINE_START',
    'the model id must be 1 to 256 visible ASCII characters without spaces; choose another with --model-id',
  )
}

type Settings = Required<Pick<EngineOptions, 'gpu' | 'sequences' | 'threads' | 'contextLength' | 'batching'>>

function resolveSettings(options: EngineOptions, { trainedContext }: ModelIdentity): Settings {
  const most = trainedContext ?? options.contextLength ?? defaultContext
  const whole = (name: string, value: number, max: number): number => {
    if (Number.isInteger(value) && value >= 1 && value <= max) return value
    throw new EngineError(
      'ERR_ENGINE_START',
      `${name} is ${value}; it must be a whole number from 1 to ${max}`,
    )
  }
  return {
    gpu: options.gpu ?? 'auto',
    sequences: whole('sequences', options.sequences ?? 4, 256),
    threads: whole('threads', options.threads ?? Math.max(1, availableParallelism() - 1), 1024),
    contextLength: whole('contextLength', options.contextLength ?? Math.min(most, defaultContext), most),
    batching: options.batching ?? 'sorted',
  }
}

function toLoadOptions(settings: Settings, identity: ModelIdentity, weights: Weights): LoadOptions {
  return {
    ...settings,
    modelPath: weights.descriptor === undefined ? weights.path : `/proc/self/fd/${childDescriptor}`,
    promptStyle: identity.promptStyle,
    ...(identity.template !== undefined && { template: identity.template }),
    ...(identity.reasoning && { reasoning: identity.reasoning }),
  }
}

function toInfo(identity: ModelIdentity, sha256: string, contextLength: number): ModelInfo {
  const { trainedContext: _, template: __, ...told } = identity
  return { ...told, sha256, contextLength }
}

function spawnChild(weights: Weights): ChildProcess {
  const passed = Object.entries(process.env).filter(([name]) => passedVariables.test(name))
  // An abort in ggml would start a debugger to print where it was. More threads than Node's four, which only wait
  // for work: one draw may be stuck in a grammar while all others go on.
  const env = { ...Object.fromEntries(passed), GGML_NO_BACKTRACE: '1', UV_THREADPOOL_SIZE: '8' }
  const [file, args] = commandWithoutCoreDumps([process.execPath, fileURLToPath(entry)])
  return spawn(file, args, {
    env,
    serialization: 'advanced',
    windowsHide: true,
    stdio: [
      'ignore',
      'ignore',
      'pipe',
      'ipc',
      ...(weights.descriptor === undefined ? [] : [weights.descriptor]),
    ],
  })
}

function watchStderr(child: ChildProcess, onDiagnostic: ((code: string) => void) | undefined): void {
  if (!child.stderr) return
  const lines = createInterface({ input: child.stderr, crlfDelay: Number.POSITIVE_INFINITY })
  lines.on('line', (line) => onDiagnostic?.(diagnosticCode(line)))
}

/** Waits until the model is loaded. */
function load(
  child: ChildProcess,
  options: LoadOptions,
  { signal, startMs = defaultStartMs, after = systemClock.after }: EngineOptions,
): Promise<ReadyFacts> {
  const { promise, resolve, reject } = Promise.withResolvers<ReadyFacts>()
  const onMessage = (message: FromChild) => {
    if (message.type === 'ready') resolve(message)
    if (message.type === 'failed') reject(new EngineError(message.error.code, message.error.message))
  }
  const onExit = () => {
    const problem =
      'llama.cpp crashed while it loaded the model; the file is damaged, not a model, or too large'
    reject(new EngineError('ERR_MODEL_INVALID', problem))
  }
  const onError = (cause: Error) => {
    reject(new EngineError('ERR_ENGINE_START', 'the engine process cannot be started', { cause }))
  }
  const onAbort = () => reject(new EngineError('ERR_CANCELLED', 'starting the engine was cancelled'))
  const onLate = () => {
    const problem = `the engine process did not load the model within ${startMs / 1000} seconds`
    reject(new EngineError('ERR_ENGINE_START', problem))
  }
  const stopTimer = after(startMs, onLate)
  child.on('message', onMessage).once('exit', onExit).on('error', onError)
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted) onAbort()
  const message: ToChild = { type: 'load', options }
  child.send(message, (cause) => cause && onError(cause))
  return promise.finally(() => {
    stopTimer()
    child.off('message', onMessage).off('exit', onExit)
    signal?.removeEventListener('abort', onAbort)
  })
}
