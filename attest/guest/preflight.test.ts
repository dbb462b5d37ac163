import { describe, expect, it } from 'vitest'
import { preflight } from './index.ts'
import { LOCK_FILE, RECORD_FILE, RUNTIME_FOLDER } from './tdx-guest.ts'
import { type Answer, FakeGuest, fakeExec } from './testing.ts'

/** A machine on which all is well: what its programs say. */
const GOOD: Record<string, Answer> = {
  'nvidia-smi --query-gpu': 'NVIDIA H100 80GB HBM3, 580.65.06\n',
  'nvidia-smi conf-compute -f': 'CC status: ON\n',
  'nvidia-smi conf-compute -d': 'DevTools Mode: OFF\n',
  'nvidia-smi conf-compute -grs': 'Confidential Compute GPUs Ready state: ready\n',
  '/usr/bin/nvattest version': '{\n  "nvattest": "1.1"\n}\n',
  'chronyc -c tracking':
    'A29FC87B,time.cloudflare.com,4,1795400000.1,0.0001,0.0002,0.0003,-11.9,0.0,0.1,0.02,0.001,64.5,Normal\n',
  'chronyc -c -N authdata':
    'time.cloudflare.com,NTS,1,15,256,33,0,0,8,100\nptbtime1.ptb.de,NTS,1,15,256,2,0,0,8,100\n',
}

async function run(
  change: { guest?: (guest: FakeGuest) => unknown; exec?: Record<string, Answer>; gpu?: boolean } = {},
  nodeVersion = 'v24.21.0',
) {
  const files = new FakeGuest()
  change.guest?.(files)
  const checks = await preflight({
    files,
    exec: fakeExec({ ...GOOD, ...change.exec }),
    gpu: change.gpu ?? true,
    disk: { folder: '/var/lib/chrysalis', bytes: 2 ** 30 },
    memoryBytes: 2 ** 30,
    nodeVersion,
  })
  return Object.fromEntries(checks.map((check) => [check.name, check]))
}

describe('preflight', () => {
  it('finds a good machine good, but for the event log that the fake firmware does not keep', async () => {
    const checks = await run()
    expect(Object.keys(checks)).toEqual([
      'tdx-guest',
      'kernel',
      'configfs-tsm',
      'registers',
      'event-log',
      'quotes-lock',
      'gpu-driver',
      'gpu-cc-mode',
      'gpu-devtools',
      'gpu-ready',
      'gpu-attestation',
      'node',
      'memory',
      'disk',
      'time',
    ])
    const bad = Object.values(checks).filter(({ result }) => result !== 'ok')
    expect(bad.map(({ name, result }) => [name, result])).toEqual([['event-log', 'warn']])
    expect(checks['gpu-driver']?.finding).toContain('H100')
  })

  it('does not ask for a GPU when none will be used', async () => {
    const checks = await run({ gpu: false, exec: { 'nvidia-smi --query-gpu': { code: 'ENOENT' } } })
    expect(Object.keys(checks).filter((name) => name.startsWith('gpu'))).toEqual([])
  })

  type Change = Parameters<typeof run>[0]
  it.each<[string, string, 'ok' | 'warn' | 'fail', Change, RegExp]>([
    [
      'tdx-guest',
      'no TD',
      'fail',
      { guest: (g) => g.without('/sys/class/misc/tdx_guest').without('/proc/cpuinfo') },
      /trust domain/,
    ],
    [
      'kernel',
      'Linux 6.12',
      'fail',
      { guest: (g) => g.text('/proc/sys/kernel/osrelease', '6.12.1') },
      /6\.16 or later/,
    ],
    [
      'kernel',
      'Linux 5.15',
      'fail',
      { guest: (g) => g.text('/proc/sys/kernel/osrelease', '5.15.0-generic') },
      /quotes and RTMR3|6\.16/,
    ],
    ['kernel', 'Linux 7.0', 'ok', { guest: (g) => g.text('/proc/sys/kernel/osrelease', '7.0.0') }, /^$/],
    [
      'kernel',
      'no Linux',
      'fail',
      { guest: (g) => g.without('/proc/sys/kernel/osrelease') },
      /\/proc mounted/,
    ],
    [
      'configfs-tsm',
      'no configfs',
      'fail',
      { guest: (g) => g.without('/sys/kernel/config').without('/proc/mounts') },
      /mount -t configfs/,
    ],
    [
      'registers',
      'no registers',
      'fail',
      { guest: (g) => g.without('/sys/class/misc/tdx_guest/measurements') },
      /CONFIG_TSM_MEASUREMENTS/,
    ],
    [
      'registers',
      'a foreign RTMR3',
      'fail',
      { guest: (g) => g.extend(3, new Uint8Array(48)) },
      /reboot the TD/,
    ],
    [
      'registers',
      'our RTMR3',
      'ok',
      {
        guest: (g) => {
          g.extend(3, new Uint8Array(48))
          g.text(`${RUNTIME_FOLDER}/${RECORD_FILE}`, '{}')
        },
      },
      /^$/,
    ],
    [
      'registers',
      'no right to read them',
      'fail',
      { guest: (g) => g.faults.push({ match: /mrtd/, code: 'EACCES' }) },
      /message/,
    ],
    [
      'event-log',
      'a broken table',
      'fail',
      { guest: (g) => g.text('/sys/firmware/acpi/tables/CCEL', 'x') },
      /message/,
    ],
    [
      'quotes-lock',
      'another worker',
      'fail',
      { guest: (g) => g.text(`${RUNTIME_FOLDER}/${LOCK_FILE}`, '{"pid":200,"start":"20000"}') },
      /Stop it/,
    ],
    [
      'quotes-lock',
      'a dead worker',
      'ok',
      { guest: (g) => g.text(`${RUNTIME_FOLDER}/${LOCK_FILE}`, '{"pid":7,"start":"1"}') },
      /^$/,
    ],
    [
      'gpu-driver',
      'no nvidia-smi',
      'fail',
      { exec: { 'nvidia-smi --query-gpu': { code: 'ENOENT' } } },
      /Install/,
    ],
    ['gpu-driver', 'no GPU', 'fail', { exec: { 'nvidia-smi --query-gpu': '\n' } }, /Pass the GPU/],
    [
      'gpu-driver',
      'no driver',
      'fail',
      { exec: { 'nvidia-smi --query-gpu': { status: 9, stderr: 'NVIDIA-SMI has failed\nmore' } } },
      /load its driver/,
    ],
    [
      'gpu-cc-mode',
      'CC off',
      'fail',
      {
        exec: {
          'nvidia-smi conf-compute -f': 'CC status: OFF\n',
          'nvidia-smi conf-compute -mgm': 'Multi-GPU Mode: None\n',
        },
      },
      /set-cc-mode=on/,
    ],
    [
      'gpu-cc-mode',
      'protected PCIe',
      'ok',
      {
        exec: {
          'nvidia-smi conf-compute -f': 'CC status: OFF\n',
          'nvidia-smi conf-compute -mgm': 'Multi-GPU Mode: Protected PCIe\n',
        },
      },
      /^$/,
    ],
    [
      'gpu-cc-mode',
      'a line that only resembles it',
      'fail',
      { exec: { 'nvidia-smi conf-compute -f': 'Old CC status: ON\n' } },
      /set-cc-mode/,
    ],
    [
      'gpu-devtools',
      'devtools on',
      'fail',
      { exec: { 'nvidia-smi conf-compute -d': 'DevTools Mode: ON\n' } },
      /debugger/,
    ],
    [
      'gpu-devtools',
      'devtools unknown',
      'warn',
      { exec: { 'nvidia-smi conf-compute -d': { status: 3, stderr: 'not supported' } } },
      /debugger/,
    ],
    [
      'gpu-ready',
      'not ready',
      'fail',
      { exec: { 'nvidia-smi conf-compute -grs': 'Confidential Compute GPUs Ready state: not-ready\n' } },
      /-srs 1/,
    ],
    [
      'gpu-attestation',
      'no nvattest',
      'fail',
      { exec: { '/usr/bin/nvattest version': { code: 'ENOENT' } } },
      /nvattest/,
    ],
    [
      'gpu-attestation',
      'a broken nvattest',
      'fail',
      { exec: { '/usr/bin/nvattest version': { status: 127, stderr: 'libnvat.so: cannot open' } } },
      /nvattest/,
    ],
    [
      'memory',
      'little memory',
      'fail',
      { guest: (g) => g.text('/proc/meminfo', 'MemAvailable:   1000000 kB\n') },
      /more memory/,
    ],
    ['memory', 'unknown memory', 'warn', { guest: (g) => g.without('/proc/meminfo') }, /1\.0 GiB are free/],
    [
      'disk',
      'a full disk',
      'fail',
      {
        guest: (g) => {
          g.free = 5
        },
      },
      /larger disk/,
    ],
    [
      'disk',
      'a disk that fails',
      'fail',
      { guest: (g) => g.faults.push({ match: /^statfs/, code: 'EIO' }) },
      /Name a folder/,
    ],
    [
      'time',
      'a clock that is not set',
      'fail',
      { exec: { 'chronyc -c tracking': ',,0,0,0,0,0,0,0,0,0,0,0,Not synchronised\n' } },
      /chronyc sources/,
    ],
    [
      'time',
      'plain NTP',
      'warn',
      { exec: { 'chronyc -c -N authdata': 'a.example,-,0,0,0,-,0,0,0,0\n' } },
      /NTS/,
    ],
    [
      'time',
      'NTP beside NTS',
      'warn',
      {
        exec: {
          'chronyc -c -N authdata': 'a.example,NTS,1,15,256,3,0,0,8,100\nb.example,-,0,0,0,-,0,0,0,0\n',
        },
      },
      /NTS/,
    ],
    [
      'time',
      'a chrony that says nothing of it',
      'warn',
      { exec: { 'chronyc -c -N authdata': { status: 1, stderr: '501' } } },
      /NTS/,
    ],
    [
      'time',
      'timesyncd',
      'warn',
      { exec: { 'chronyc -c tracking': { code: 'ENOENT' }, timedatectl: 'yes\n' } },
      /NTS/,
    ],
    [
      'time',
      'timesyncd that is late',
      'fail',
      { exec: { 'chronyc -c tracking': { code: 'ENOENT' }, timedatectl: 'no\n' } },
      /NTS/,
    ],
    ['time', 'no time service', 'warn', { exec: { 'chronyc -c tracking': { code: 'ENOENT' } } }, /NTS/],
  ])('%s: %s is %s', async (name, _, result, change, cure) => {
    const checks = await run(change)
    expect(checks[name]?.result).toBe(result)
    expect(checks[name]?.cure).toMatch(cure)
    expect(checks[name]?.finding).not.toBe('')
  })

  it('says why the mode of a GPU is not known', async () => {
    const missing = await run({ exec: { 'nvidia-smi conf-compute -f': { code: 'ENOENT' } } })
    expect(missing['gpu-cc-mode']?.finding).toContain('not installed')
    const broken = await run({ exec: { 'nvidia-smi conf-compute -f': { status: 6, stderr: 'No devices' } } })
    expect(broken['gpu-cc-mode']?.finding).toContain('ended with 6: No devices')
  })

  it.each([
    ['v24.0.0', 'ok'],
    ['v26.1.0', 'ok'],
    ['v20.20.2', 'fail'],
    ['unknown', 'fail'],
  ])('Node %s is %s', async (version, result) => {
    expect((await run({}, version)).node?.result).toBe(result)
  })

  it('never throws, whatever the machine throws', async () => {
    const checks = await run({ guest: (g) => g.faults.push({ match: /./, code: 'EIO' }) })
    expect(Object.keys(checks)).toHaveLength(15)
    for (const { result, cure } of Object.values(checks)) if (result !== 'ok') expect(cure).not.toBe('')
  })
})
