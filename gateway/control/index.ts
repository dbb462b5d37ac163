export { type KeyView, keyVerbs } from './key-verbs.ts'
export { type ControlAccess, ControlError, type ControlVerb, callControl, serveControl } from './server.ts'
export { type VerifyProgress, verifyVerbs } from './verify-verbs.ts'
