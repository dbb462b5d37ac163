/** The script of the page. It runs in browsers only, so it is text here; the page's policy lets no other script run. */
export const SCRIPT = `
'use strict'
const status = document.getElementById('status')
const show = (step, text) => {
  document.body.dataset.step = step
  status.textContent = text
}

const events = new EventSource('events')
events.addEventListener('message', ({ data }) => {
  const { step, text } = JSON.parse(data)
  show(step, text)
  if (step === 'final' || step === 'failed') events.close()
})
events.addEventListener('error', () => {
  show('lost', 'The program that made this page has ended or cannot be reached: what came of it is in its terminal.')
})

for (const time of document.querySelectorAll('time')) time.textContent = new Date(time.dateTime).toLocaleString()

for (const pre of document.querySelectorAll('pre')) {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = 'Copy'
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(pre.textContent)
    button.textContent = 'Copied'
    setTimeout(() => { button.textContent = 'Copy' }, 1500)
  })
  pre.after(button)
}
`
