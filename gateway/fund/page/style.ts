/** The style of the page, in both themes. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#fff, #14161a);
  --ink: light-dark(#1d2129, #e6e8ec);
  --quiet: light-dark(#5b6472, #9aa3b1);
  --line: light-dark(#e2e5ea, #2b3038);
  --accent: light-dark(#6b3fd4, #b79cff);
  --code: light-dark(#f1f2f5, #20242b);
  --good: light-dark(#116a3c, #5fd391);
  --bad: light-dark(#a3262c, #ff8b8f);
  font: 16px/1.6 system-ui, sans-serif;
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 0 1rem 4rem; background: var(--paper); color: var(--ink); }
header { display: flex; gap: 1rem; align-items: baseline; color: var(--quiet); border-bottom: 1px solid var(--line); }
.brand { font-weight: 700; color: var(--ink); }
h1 { margin: 1.5rem 0 .5rem; }
h2 { margin: 2rem 0 .5rem; font-size: 1.25rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .875rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
dt { color: var(--quiet); }
dd { margin: 0; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { text-align: left; font-weight: 400; padding: .25rem 1.5rem .25rem 0; border-bottom: 1px solid var(--line); }
td { font-variant-numeric: tabular-nums; }
.steps { list-style: none; display: flex; padding: 0; margin: 1.5rem 0 .5rem; gap: .5rem; }
.steps li { flex: 1; border-top: .25rem solid var(--line); padding-top: .25rem; color: var(--quiet); }
body:is([data-step=waiting], [data-step=sent], [data-step=final]) .waiting,
body:is([data-step=sent], [data-step=final]) .sent,
body[data-step=final] .final { border-color: var(--accent); color: var(--ink); }
#status { font-size: 1.125rem; min-height: 3.6rem; }
[data-step=final] #status { color: var(--good); }
:is([data-step=failed], [data-step=lost]) #status { color: var(--bad); }
/* What was paid, or cannot be any more, is not to be paid again. */
:is([data-step=final], [data-step=failed]) .ways { display: none; }
.ways { display: flex; flex-wrap: wrap; gap: 2rem; }
.ways > div { flex: 1; min-width: 16rem; }
figure { margin: 0; width: min(100%, 30rem); text-align: center; }
figure svg { display: block; width: 100%; shape-rendering: crispEdges; }
figcaption { color: var(--quiet); }
.button { display: inline-block; padding: .5rem 1rem; border-radius: .5rem; background: var(--accent); color: var(--paper); text-decoration: none; }
button { font: inherit; }
pre { white-space: pre-wrap; background: var(--code); padding: .75rem; border-radius: .5rem; max-height: 20rem; overflow: auto; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
`
