/** Expected measurements: what a TD that boots given files will have in MRTD, RTMR1 and RTMR2. */

export { authenticodeDigest } from './authenticode.ts'
export { type BootInputs, measureBoot, type PredictedEvent, predictBootEvents } from './boot.ts'
export { MeasureError } from './errors.ts'
export { measureFirmware, PAGE_ORDERS, type PageOrder } from './firmware.ts'
export {
  checkMeasurements,
  encodeMeasurements,
  MEASUREMENTS_FORMAT,
  type MeasurementFile,
  type MeasurementSource,
  parseMeasurements,
} from './set.ts'
export type { QemuMachine } from './setup-header.ts'
export { parseTdvf, type TdvfSection } from './tdvf.ts'
