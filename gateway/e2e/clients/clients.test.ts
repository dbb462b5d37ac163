/** Programs as people use them, against one quickstart with the embedded model: what they see, and what they read. */
import { afterAll, beforeAll } from 'vitest'
import { cleanUp } from '../stack.ts'
import { openStack } from './shared.ts'
import './commands.ts'
import './langchain.ts'
import './openai.ts'
import './requests.ts'
import './translators.ts'
import './vercel-ai.ts'

beforeAll(openStack)
afterAll(cleanUp)
