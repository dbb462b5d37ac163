/** Disks that fail: `strace` makes system calls on one file end with an error. */

import { spawnSync } from 'node:child_process'

/** Whether system calls can be made to fail here: `strace` is installed and may trace. Says so loudly when not. */
export function canTrace(): boolean {
  if (process.platform !== 'linux') return false
  const { status } = spawnSync('strace', ['-o', '/dev/null', 'true'])
  if (status === 0) return true
  if ((process.env.CHRYSALIS_REQUIRE ?? '').includes('strace')) {
    throw new Error('CHRYSALIS_REQUIRE asks for strace, but it cannot trace here')
  }
  console.warn('SKIPPED: no disk can be made to fail here (install strace)')
  return false
}
