/** Test child: holds a data folder until it is killed. */
import { openDataFolder } from '../index.ts'

await openDataFolder(process.argv[2] ?? '')
process.send?.('held')
setInterval(() => {}, 1 << 30)
