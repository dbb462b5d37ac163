export { type ControlAccess, ControlError, type ControlVerb, callControl, serveControl } from './server.ts'
