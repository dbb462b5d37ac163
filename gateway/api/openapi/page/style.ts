/** The style of the reference page. Both themes are one set of names, chosen by the browser or by the button. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#fff, #14161a);
  --side: light-dark(#f6f7f9, #1a1d22);
  --ink: light-dark(#1d2129, #e6e8ec);
  --quiet: light-dark(#5b6472, #9aa3b1);
  --line: light-dark(#e2e5ea, #2b3038);
  --accent: light-dark(#6b3fd4, #b79cff);
  --code: light-dark(#f1f2f5, #20242b);
  --get: light-dark(#116a3c, #5fd391);
  --post: light-dark(#7a4a00, #f0b35a);
  --bad: light-dark(#a3262c, #ff8b8f);
  font: 16px/1.6 system-ui, sans-serif;
}
:root[data-theme=light] { color-scheme: light; }
:root[data-theme=dark] { color-scheme: dark; }
* { box-sizing: border-box; }
html { scroll-padding-top: 4.5rem; }
body { margin: 0; background: var(--paper); color: var(--ink); display: grid; grid-template: auto 1fr / 19rem minmax(0, 1fr); }
a { color: var(--accent); text-underline-offset: .2em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; z-index: 3; background: var(--paper); padding: .5rem; }
header { flex-wrap: wrap; grid-column: 1 / -1; position: sticky; top: 0; z-index: 2; display: flex; gap: 1.25rem; align-items: center; padding: .75rem 1.5rem; background: color-mix(in srgb, var(--paper) 88%, transparent); backdrop-filter: blur(8px); border-bottom: 1px solid var(--line); }
.brand { font-weight: 700; font-size: 1.1rem; color: var(--ink); text-decoration: none; margin-right: auto; }
.brand span { font-weight: 400; color: var(--quiet); }
input, button { font: inherit; color: inherit; background: var(--code); border: 1px solid var(--line); border-radius: .5rem; padding: .3rem .75rem; }
input { width: min(20rem, 40vw); }
button { cursor: pointer; }
nav { position: sticky; top: 3.75rem; height: calc(100vh - 3.75rem); overflow: auto; padding: .5rem 1.25rem 3rem; background: var(--side); border-right: 1px solid var(--line); font-size: .875rem; }
nav h2 { font-size: .75rem; letter-spacing: .06em; text-transform: uppercase; color: var(--quiet); margin: 1.5rem 0 .25rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav a { display: block; padding: .2rem .5rem; border-radius: .4rem; color: inherit; text-decoration: none; overflow-wrap: anywhere; }
nav a:hover, nav a[aria-current] { background: var(--code); color: var(--accent); }
nav b { display: inline-block; width: 2.9rem; }
b.get, b.post { font: 700 .7rem ui-monospace, monospace; text-transform: uppercase; }
b.get { color: var(--get); }
b.post { color: var(--post); }
main { padding: 1rem clamp(1rem, 4vw, 4rem) 6rem; max-width: 64rem; }
h1 small { font-size: 1rem; font-weight: 400; color: var(--quiet); }
h2.group { margin: 4rem 0 0; padding-top: 1.5rem; border-top: 2px solid var(--line); }
section.operation, section.schema { margin: 2.5rem 0; }
h3 { margin: 0; font-size: 1.25rem; }
h3 a { color: inherit; text-decoration: none; }
h3 a:hover::after { content: ' #'; color: var(--quiet); }
h4 { margin: 1.5rem 0 .25rem; }
.route { margin: .25rem 0; }
p { margin: .35rem 0; max-width: 46rem; }
code { font: .875em ui-monospace, 'SF Mono', monospace; background: var(--code); border-radius: .3rem; padding: .1em .3em; overflow-wrap: anywhere; }
.example { position: relative; margin: .75rem 0; }
pre { margin: 0; padding: 1rem; background: var(--code); border: 1px solid var(--line); border-radius: .6rem; overflow: auto; max-height: 28rem; }
pre code { padding: 0; background: none; overflow-wrap: normal; }
.example button { position: absolute; top: .5rem; right: .5rem; font-size: .75rem; padding: .1rem .6rem; background: var(--paper); }
ul.fields { list-style: none; margin: .5rem 0; padding: 0; border-top: 1px solid var(--line); }
ul.fields > li { padding: .6rem 0; border-bottom: 1px solid var(--line); }
.head { display: flex; flex-wrap: wrap; gap: .3rem .6rem; align-items: baseline; }
.head .name { font-weight: 700; background: none; padding: 0; }
.type, .default { color: var(--quiet); font-size: .875rem; }
.type i { font-style: normal; }
.badge { font-size: .7rem; border: 1px solid currentColor; border-radius: 1rem; padding: 0 .5rem; color: var(--quiet); }
.badge.required { color: var(--accent); }
.badge.refused { color: var(--bad); }
.badge.default-only { color: var(--post); }
.badge.accepted { color: var(--get); }
details { margin: .35rem 0 .35rem .25rem; padding-left: .9rem; border-left: 2px solid var(--line); }
summary { cursor: pointer; color: var(--quiet); font-size: .875rem; }
ul.errors { margin: .25rem 0; padding: 0; list-style: none; display: grid; gap: .25rem; font-size: .9rem; }
[hidden] { display: none !important; }
@media (max-width: 56rem) { body { display: block; } nav { position: static; height: auto; border: 0; max-height: 40vh; } .brand span { display: none; } input { order: 1; width: 100%; } header { position: static; } html { scroll-padding-top: 1rem; } }
@media print { header, nav, button { display: none; } body { display: block; } }
`.trimStart()
