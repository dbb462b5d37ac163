import { expect, it } from 'vitest'
import { importedPackages } from './testing.ts'

it('the public face loads at once only what most of its users need', () => {
  const packages = importedPackages(new URL('./index.ts', import.meta.url), { later: false })
  expect(packages).toContain('zod')
  // 0.2 s for XML, needed for reference measurements alone; the frame of a command line, for none.
  for (const late of ['xmldsigjs', 'commander']) expect(packages).not.toContain(late)
})
