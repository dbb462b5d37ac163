import { expect, it } from 'vitest'
import { acceptedByAll, loadTheirs, newPlatforms, ours, realCases } from './verify-cases.ts'

it('both verifiers accept what the bench measures, and neither accepts what was changed', async () => {
  const both = [ours, loadTheirs()]
  const cases = [...(await newPlatforms(2)), ...realCases().slice(0, 2)]
  expect(await acceptedByAll(cases, both)).toEqual(cases.map((_, index) => index))
  const changed = cases.map((test) => ({ ...test, quote: test.quote.with(60, (test.quote[60] ?? 0) ^ 1) }))
  for (const verify of both) expect(await acceptedByAll(changed, [verify])).toEqual([])
})
