import { expect, it } from 'vitest'
import { Catalog } from './catalog.ts'
import type { WorkerView } from './link/index.ts'

const [A, B, C] = ['aa'.repeat(32), 'bb'.repeat(32), 'cc'.repeat(32)]

/** A worker that serves `tiny`, as far as the catalog looks. */
function worker(sha256: string, contextLength = 512, tee = 'tdx'): WorkerView {
  const model = { id: 'tiny', sha256, quantization: 'q8_0', contextLength }
  const quote = { quote: { model: { id: 'tiny', sha256 }, client: { prompt: '50' } } }
  const seen = { attested: true, state: 'ready', tee, models: [model], quotes: [quote] }
  return seen as unknown as WorkerView
}

function catalogOf(pinned?: Record<string, string[]>) {
  const served: WorkerView[] = []
  const catalog = new Catalog({ workers: () => served }, pinned)
  return { served, shown: () => catalog.models().map((model) => [model.sha256, model.contextLength]) }
}

it('shows the weights that were served first, as long as they are', () => {
  const { served, shown } = catalogOf()
  served.push(worker(A))
  expect(shown()).toEqual([[A, 512]])
  served.unshift(worker(B))
  expect(shown()).toEqual([[A, 512]])
  served.pop()
  expect(shown()).toEqual([[B, 512]])
})

it('shows pinned weights before others, in the order of the pins', () => {
  const { served, shown } = catalogOf({ tiny: [C, B] })
  served.push(worker(A), worker(B))
  expect(shown()).toEqual([[B, 512]])
  served.push(worker(C))
  expect(shown()).toEqual([[C, 512]])
})

it('shows the context that most workers of these weights have, whatever one of them claims', () => {
  const { served, shown } = catalogOf()
  served.push(worker(A, 1), worker(A), worker(A), worker(B, 4096), worker(B, 4096), worker(B, 4096))
  expect(shown()).toEqual([[A, 512]])
})

it('says the price, how many serve the weights shown, and the weakest of their TEEs', () => {
  const served = [worker(A), worker(A, 512, 'simulated-tdx'), worker(B), worker(B), worker(A)]
  const [model] = new Catalog({ workers: () => served }).models()
  expect(model).toMatchObject({
    price: { prompt: '50' },
    quantization: 'q8_0',
    workers: 3,
    tee: 'simulated-tdx',
  })
})
