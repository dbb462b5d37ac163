import { describe, expect, it } from 'vitest'
import { Factors } from '../policy/factors.ts'
import type { Device } from './device.ts'
import { judgeComplete, judgeMode, judgeSwitches } from './judge-system.ts'
import type { Facts, GpuMode } from './opaque.ts'
import { claiming } from './testing-judge.ts'

it('the GPUs of a machine are in one mode', () => {
  const gpu = { required: false, roots: [], rimRoots: [] }
  const device = (mode: string) =>
    ({ chain: { arch: 'HOPPER' }, report: { facts: { mode } } }) as unknown as Device
  const factors = new Factors()
  judgeMode(factors, [device('SPT'), device('MPT')], { ...gpu, modes: ['spt', 'mpt'] }, undefined)
  expect(factors.list(['gpu.mode'])[0]).toMatchObject({
    result: 'fail',
    reason: 'the GPUs are in different modes',
  })
})

it('a claim that names two GPUs is not answered by two reports', () => {
  const devices = ['aa', 'bb'].map(
    (deviceId) => ({ chain: { arch: 'HOPPER', deviceId }, report: { facts: {} } }) as unknown as Device,
  )
  const judged = (...ids: string[]) => {
    const factors = new Factors()
    const accelerators = ids.map((deviceId) => ({ arch: 'HOPPER', deviceId, mode: 'spt' }))
    judgeComplete(factors, devices, claiming(...accelerators))
    return factors.list(['gpu.complete'])[0]?.result
  }
  expect(judged('bb', 'aa')).toBe('pass')
  for (const joined of ['aa,HOPPER bb', 'aa","HOPPER bb', 'aa"],["HOPPER","bb'])
    expect(judged(joined)).toBe('fail')
  expect(judged('aa', 'aa')).toBe('fail')
})

describe('switches in protected PCIe mode', () => {
  const device = (arch: string, deviceId: string, facts: Facts): Device =>
    ({ name: `${arch} ${deviceId}`, chain: { arch, deviceId }, report: { facts } }) as unknown as Device
  const gpu = (id: string, switchPdis: string[], mode: GpuMode = 'PPCIE') =>
    device('HOPPER', id, { mode, switchPdis })
  const nvswitch = (id: string, gpuPdis: string[], own = id) =>
    device('LS10', id, { switchPdis: [own], gpuPdis })
  const judged = (...devices: Device[]) => {
    const factors = new Factors()
    judgeSwitches(factors, devices)
    return factors.list(['gpu.switch'])[0]?.result
  }

  it('and GPUs name each other and nothing else', () => {
    const gpus = [gpu('a', ['x', 'y']), gpu('b', ['y', 'x'])]
    const both = [nvswitch('x', ['a', 'b']), nvswitch('y', ['b', 'a'])]
    expect(judged(...gpus, ...both)).toBe('pass')
    expect(judged(...gpus, ...both.slice(1))).toBe('fail')
    expect(judged(...gpus.slice(1), ...both)).toBe('fail')
    expect(judged(...gpus, nvswitch('x', ['a', 'b']), nvswitch('z', ['a', 'b']))).toBe('fail')
    expect(judged(...gpus, nvswitch('x', ['a', 'b']), nvswitch('y', ['a', 'c']))).toBe('fail')
    expect(judged(...gpus, nvswitch('x', ['a', 'b']), nvswitch('y', ['a', 'b'], 'x'))).toBe('fail')
    expect(judged(gpu('a', ['x', 'y'], 'SPT'), gpu('b', ['x', 'y']), ...both)).toBe('fail')
  })

  it('are not silently left out', () => {
    expect(judged(gpu('a', ['x']))).toBe('skip')
    expect(judged(nvswitch('x', ['a']))).toBe('skip')
    expect(judged(gpu('a', [], 'SPT'))).toBe('not-applicable')
  })
})
