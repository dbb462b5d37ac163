/** @module For tests only: engines that need no trained model. */

export { byteToken, type ChainModelOptions, chainModel } from './chain-model.ts'
export {
  Gate,
  type ScriptedEngine,
  type ScriptedOptions,
  type ScriptedRun,
  type ScriptStep,
  scriptedEngine,
} from './scripted.ts'
