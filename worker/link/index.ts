export { BackOff } from './back-off.ts'
export { Link, type LinkOptions } from './client.ts'
export { GatewayRefused } from './errors.ts'
export { type LinkRefusal, Session, type SessionOptions } from './session.ts'
