export { type KeyView, keyVerbs } from './key-verbs.ts'
export { ledgerVerbs, type VerifyProgress } from './ledger-verbs.ts'
export { type ControlAccess, ControlError, type ControlVerb, callControl, serveControl } from './server.ts'
