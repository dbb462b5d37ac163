import { describe, expect, it } from 'vitest'
import { toHex } from '../bytes.ts'
import { describeEventLog, measuredEvents, parseEventLog, replay } from '../eventlog/index.ts'
import { judged } from '../eventlog/testing.ts'
import { sampleClaims } from '../evidence/testing.ts'
import { EVENT_LOG_CASES, simulatedEventLog } from './eventlog.ts'

const claims = sampleClaims()
const boot = { software: '1.0', events: measuredEvents(claims, {}) }
const GOOD = { format: 'pass', replay: 'pass', digests: 'pass', claims: 'pass' }

describe('simulatedEventLog', () => {
  it('replays to its registers, of which all but RTMR3 follow from the software alone', () => {
    const log = simulatedEventLog(boot)
    const rtmr = log.rtmr.map(toHex)
    expect(replay(parseEventLog(log.bytes)).map(toHex)).toEqual(rtmr)
    expect(replay(parseEventLog(log.ccel)).map(toHex)).toEqual([...rtmr.slice(0, 3), '00'.repeat(48)])
    expect(simulatedEventLog(boot)).toEqual(log)
    const other = simulatedEventLog({ ...boot, software: '1.1' }).rtmr.map(toHex)
    expect(rtmr.map((value, i) => value === other[i])).toEqual([false, false, false, true])
    const bare = simulatedEventLog({ ...boot, events: [] }).rtmr.map(toHex)
    expect(bare).toEqual([...rtmr.slice(0, 3), '00'.repeat(48)])
    expect(new Set(rtmr).size).toBe(4)
  })

  it('is a log as firmware writes it, and holds up to the verifier', () => {
    const log = simulatedEventLog(boot)
    expect(judged({ bytes: log.bytes, body: log, claims }).results).toEqual(GOOD)
    const text = describeEventLog(parseEventLog(log.bytes)).join('\n')
    expect(text).toContain('SecureBoot = 00')
    expect(text).toContain('[kernel_cmdline:] chrysalis.software=1.0')
    expect(text).toContain('chrysalis: chrysalis.software {"commit":"test","version":"0.1.0"}')
    expect(text).toContain('[TdxTable]')
  })

  it.each(Object.entries(EVENT_LOG_CASES))(
    '%s fails what it says, and nothing else',
    (_name, { fails, make }) => {
      const { rtmr } = simulatedEventLog(boot)
      const { results } = judged({ bytes: make(boot), body: { rtmr }, claims })
      const failed = Object.keys(results).filter((name) => results[name] === 'fail')
      expect(failed.map((name) => `eventlog.${name}`)).toEqual(fails)
      const others = Object.entries(results).filter(([, result]) => result !== 'fail')
      if (!fails.includes('eventlog.format')) for (const [, result] of others) expect(result).toBe('pass')
    },
  )
})
