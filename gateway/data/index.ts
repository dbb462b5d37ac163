export { DataError } from './errors.ts'
export { ensurePrivateDir, openSecret, readSecret } from './files.ts'
export {
  DATA_VERSION,
  type DataFolder,
  type DataFolderOptions,
  type DataMigrations,
  openDataFolder,
} from './folder.ts'
