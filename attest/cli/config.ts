import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { z } from 'zod'
import { ChrysalisError } from '../errors.ts'
import { issueText } from '../schema.ts'

/** A setting that is missing, malformed or unknown. The message names where it came from and the cure. */
export class ConfigError extends ChrysalisError {
  constructor(message: string) {
    super('ERR_CONFIG', message)
  }
}

type Shape = Record<string, z.ZodType>

/** One settings table serves the file, the environment, the flags and `--help`. */
export interface ConfigSpec<S extends Shape> {
  /** The command as typed, for usage lines: `chrysalis up`. */
  name: string
  /** One sentence that a stranger understands. */
  summary: string
  /** Every setting, described with `.describe()`; keys are camelCase. */
  schema: z.ZodObject<S>
  /** Lines printed after the options. */
  examples?: string
}

/** Where settings come from; all injectable. */
export interface ConfigSources {
  argv: readonly string[]
  env: Record<string, string | undefined>
  /** Receives `--help` text; the default writes to stdout and exits 0. */
  onHelp?: (text: string) => never
}

const kebab = (key: string) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const environmentName = (key: string) => `CHRYSALIS_${kebab(key).replaceAll('-', '_').toUpperCase()}`

function isSwitch(type: z.ZodType): boolean {
  return z.toJSONSchema(type, { io: 'output', unrepresentable: 'any' }).type === 'boolean'
}

function defaultOf(type: z.ZodType): string | undefined {
  const value = z.toJSONSchema(type, { io: 'output', unrepresentable: 'any' }).default
  return value === undefined || value === false ? undefined : String(value)
}

function buildCommand<S extends Shape>(spec: ConfigSpec<S>): Command {
  const command = new Command(spec.name).description(spec.summary).allowExcessArguments(false).exitOverride()
  command.option('--config <file>', 'a JSON file of the same settings, in camelCase')
  for (const [key, type] of Object.entries(spec.schema.shape)) {
    const flags = isSwitch(type) ? `--${kebab(key)}` : `--${kebab(key)} <value>`
    const standard = defaultOf(type)
    const notes = [standard === undefined ? '' : `default: ${standard}`, `env: ${environmentName(key)}`]
    command.addOption(new Option(flags, `${type.description ?? ''} (${notes.filter(Boolean).join(', ')})`))
  }
  if (spec.examples) command.addHelpText('after', `\n${spec.examples}`)
  return command
}

function readFlags<S extends Shape>(spec: ConfigSpec<S>, sources: ConfigSources): Record<string, unknown> {
  const command = buildCommand(spec).configureOutput({ writeErr: () => {}, writeOut: () => {} })
  try {
    return command.parse(sources.argv as string[], { from: 'user' }).opts()
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (code === 'commander.helpDisplayed') {
      const text = command.helpInformation() + (spec.examples ? `\n${spec.examples}\n` : '')
      if (sources.onHelp) sources.onHelp(text)
      process.stdout.write(text)
      process.exit(0)
    }
    throw new ConfigError(`${spec.name}: ${message.replace(/^error: /, '')}; see ${spec.name} --help`)
  }
}

function readFile(path: string, known: Shape): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw new ConfigError(`--config ${path}: ${(error as Error).message}`)
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new ConfigError(`--config ${path}: expected one JSON object of settings`)
  const unknown = Object.keys(parsed).find((key) => !(key in known))
  if (unknown !== undefined) throw new ConfigError(`--config ${path}: unknown setting '${unknown}'`)
  return parsed as Record<string, unknown>
}

function readEnvironment(known: Shape, env: ConfigSources['env']): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const [key, type] of Object.entries(known)) {
    const text = env[environmentName(key)]
    if (text === undefined || text === '') continue
    found[key] = isSwitch(type) ? text === '1' || text === 'true' : text
  }
  return found
}

/**
 * Reads settings: file, then environment, then flags, the later winning; then validates them all at once.
 *
 * @throws ConfigError that names the flag, variable or file key at fault, its problem and the way to help.
 */
export function loadConfig<S extends Shape>(
  spec: ConfigSpec<S>,
  sources: ConfigSources,
): z.infer<z.ZodObject<S>> {
  const { config: file, ...flags } = readFlags(spec, sources)
  const shape = spec.schema.shape
  const fromFile = typeof file === 'string' ? readFile(file, shape) : {}
  const fromEnvironment = readEnvironment(shape, sources.env)
  const result = spec.schema.safeParse({ ...fromFile, ...fromEnvironment, ...flags })
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const key = String(issue?.path[0] ?? '')
  const place =
    key in flags ? `--${kebab(key)}` : key in fromEnvironment ? environmentName(key) : `setting ${key}`
  const problem = issue === undefined ? 'is not valid' : issueText(issue)
  throw new ConfigError(`${place}: ${problem}; see ${spec.name} --help`)
}
