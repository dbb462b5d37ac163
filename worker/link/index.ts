export { BackOff } from './back-off.ts'
export { Link, type LinkOptions } from './client.ts'
export { GatewayRefused } from './errors.ts'
export { Session, type SessionOptions } from './session.ts'
