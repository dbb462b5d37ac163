/**
 * The script of the reference page: what it adds to a page that is whole without it. It runs in browsers only, so it is
 * text here; the page's policy lets no other script run.
 */
export const SCRIPT = `
'use strict'
const root = document.documentElement
const find = (selector) => [...document.querySelectorAll(selector)]

// Examples name the server that this page is from.
for (const code of find('.example code')) {
  code.textContent = code.textContent.replaceAll('http://127.0.0.1:8787', location.origin)
}

if (navigator.clipboard) {
  for (const example of find('.example')) {
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = 'Copy'
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(example.querySelector('code').textContent)
      button.textContent = 'Copied'
      setTimeout(() => { button.textContent = 'Copy' }, 1500)
    })
    example.append(button)
  }
}

// A theme that was chosen stays chosen, where the browser keeps such things.
const theme = document.getElementById('theme')
const kept = (change) => { try { return change(localStorage) } catch { return null } }
const dark = matchMedia('(prefers-color-scheme: dark)')
const show = (name) => { if (name === 'light' || name === 'dark') root.dataset.theme = name }
show(kept((store) => store.getItem('theme')))
theme.hidden = false
theme.addEventListener('click', () => {
  const now = root.dataset.theme ?? (dark.matches ? 'dark' : 'light')
  show(now === 'dark' ? 'light' : 'dark')
  kept((store) => store.setItem('theme', root.dataset.theme))
})

// Finding: sections whose text has every word stay, and so do their links.
const filter = document.getElementById('filter')
const sections = find('main section[id]:not(.intro)').map((node) => ({ node, text: node.textContent.toLowerCase() }))
filter.hidden = false
const refresh = () => {
  const words = filter.value.toLowerCase().split(/\\s+/).filter(Boolean)
  const shown = new Set()
  for (const { node, text } of sections) {
    node.hidden = !words.every((word) => text.includes(word))
    if (!node.hidden) shown.add(node.id)
  }
  for (const link of find('nav a')) link.parentNode.hidden = !shown.has(link.hash.slice(1))
}
filter.addEventListener('input', refresh)
// A link into a section that is not shown shows everything again.
addEventListener('hashchange', () => {
  const target = document.getElementById(location.hash.slice(1))
  if (!target?.closest('[hidden]')) return
  filter.value = ''
  refresh()
  target.scrollIntoView()
})
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target instanceof HTMLInputElement) return
  event.preventDefault()
  filter.focus()
})

// The link of the section that is being read.
const links = new Map(find('nav a').map((link) => [link.hash.slice(1), link]))
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const link = links.get(target.id)
    if (!link) continue
    if (isIntersecting) link.setAttribute('aria-current', 'true')
    else link.removeAttribute('aria-current')
  }
}, { rootMargin: '-10% 0px -70% 0px' })
for (const { node } of sections) watcher.observe(node)
`.trimStart()
