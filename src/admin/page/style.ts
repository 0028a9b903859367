/**
 * How the page looks. Colours are named by what they mean, once for light and once for dark; figures have all one width;
 * below 720 px tables become blocks, so that nothing has to be scrolled sideways.
 */
export const style = `
:root {
  color-scheme: light dark;
  --ground: #f7f7f5; --sheet: #fff; --ink: #1b1e22; --soft: #5c636b; --line: #e3e4e1; --field: #f1f1ee;
  --accent: #0f6b66; --accent-soft: #d5e8e6; --good: #1c7a3f; --warn: #8f5b00; --bad: #b3261e;
  --good-soft: #dff0e3; --warn-soft: #f8ebcf; --bad-soft: #f9dedb;
  --mono: ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #121416; --sheet: #1a1d20; --ink: #e4e6e8; --soft: #9aa2aa; --line: #2b2f34; --field: #23272b;
    --accent: #5cc4bb; --accent-soft: #17403d; --good: #6cc98a; --warn: #e0ad4f; --bad: #f2857c;
    --good-soft: #17351f; --warn-soft: #3a2c0e; --bad-soft: #47201d;
  }
}
* { box-sizing: border-box; }
html { background: var(--ground); color: var(--ink); font: 14px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: break-word; }
h1, h2, h3, p, ul, dl, dd, table { margin: 0; padding: 0; }
ul { list-style: none; }
a { color: var(--accent); }
code, .mono { font-family: var(--mono); font-size: .93em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 12px; top: 8px; background: var(--sheet); padding: 6px 10px; z-index: 2; }
.wrap { max-width: 1440px; margin: 0 auto; padding: 0 20px; }
.top { background: var(--sheet); border-bottom: 1px solid var(--line); }
.top .wrap { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 22px; padding-top: 12px; padding-bottom: 12px; }
h1 { font-size: 16px; font-weight: 650; letter-spacing: -.01em; }
.top > .wrap > section { display: contents; }
.facts { display: flex; flex-wrap: wrap; gap: 4px 20px; color: var(--soft); }
.facts div { display: flex; gap: 6px; }
.facts dd { color: var(--ink); }
.live { margin-left: auto; color: var(--soft); display: flex; align-items: center; gap: 7px; }
.live::before { content: ''; width: 8px; height: 8px; border-radius: 50%; background: var(--line); }
.live[data-state=on]::before { background: var(--good); }
.live[data-state=off]::before { background: var(--bad); }
nav { border-bottom: 1px solid var(--line); background: var(--sheet); position: sticky; top: 0; z-index: 1; }
nav ul { display: flex; flex-wrap: wrap; gap: 0 4px; margin-left: -10px; }
nav a { display: block; padding: 7px 10px; color: var(--soft); text-decoration: none; border-bottom: 2px solid transparent; }
nav a:hover { color: var(--ink); border-color: var(--accent); }
main.wrap { display: grid; gap: 16px; padding-top: 16px; padding-bottom: 40px; grid-template-columns: minmax(0, 1fr); }
@media (min-width: 1080px) { main.wrap { grid-template-columns: minmax(0, 1.55fr) minmax(0, 1fr); align-items: start; } .wide { grid-column: 1 / -1; } }
.column { display: grid; gap: 16px; grid-template-columns: minmax(0, 1fr); }
.sheet { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px 16px; scroll-margin-top: 48px; }
h2 { font-size: 14px; font-weight: 650; margin-bottom: 10px; display: flex; align-items: baseline; gap: 10px; }
h2 small, .soft { font-weight: 400; color: var(--soft); font-size: 13px; }
h3 { font-size: 13px; font-weight: 600; color: var(--soft); margin-bottom: 4px; }
.none { color: var(--soft); }
.pill { display: inline-block; padding: 0 8px; border-radius: 999px; font-size: 12px; line-height: 20px; font-weight: 550; background: var(--field); color: var(--soft); white-space: nowrap; }
.pill.good { background: var(--good-soft); color: var(--good); }
.pill.warn { background: var(--warn-soft); color: var(--warn); }
.pill.bad { background: var(--bad-soft); color: var(--bad); }
.pill.accent { background: var(--accent-soft); color: var(--accent); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 12px 28px; }
.tile .figure { font-size: 28px; line-height: 1.2; font-weight: 600; letter-spacing: -.02em; }
.tile .figure small { font-size: 14px; font-weight: 400; color: var(--soft); letter-spacing: 0; }
.tile p + p { color: var(--soft); font-size: 13px; }
.spark { display: block; width: 100%; height: 36px; margin: 6px 0 4px; border-bottom: 1px solid var(--line); }
.spark .area { fill: var(--accent-soft); stroke: var(--accent); stroke-width: 1.2; vector-effect: non-scaling-stroke; }
.spark .off { fill: var(--bad); stroke: none; }
.reasons { display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 14px 32px; margin-top: 16px; padding-top: 14px; border-top: 1px solid var(--line); }
.reasons li { display: grid; grid-template-columns: minmax(0, 11em) 1fr auto; gap: 10px; align-items: center; padding: 1px 0; }
.bar { display: block; width: 100%; height: 6px; }
.bar .track { fill: var(--field); }
.bar .filled { fill: var(--bad); }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-weight: 500; font-size: 12px; color: var(--soft); padding: 0 12px 4px 0; }
td:first-child, .free { overflow-wrap: anywhere; }
td { padding: 5px 12px 5px 0; border-top: 1px solid var(--line); vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
.num { text-align: right; white-space: nowrap; }
.time { white-space: nowrap; color: var(--soft); }
tr.bad td:first-child { box-shadow: inset 3px 0 var(--bad); padding-left: 9px; }
tr.warn td:first-child { box-shadow: inset 3px 0 var(--warn); padding-left: 9px; }
details > summary { cursor: pointer; list-style-position: outside; margin-left: 16px; }
details > :not(summary) { margin-left: 16px; }
.host { border-top: 1px solid var(--line); padding: 7px 0; }
.host:first-of-type { border-top: 0; padding-top: 0; }
.host > summary .row { display: inline-flex; flex-wrap: wrap; gap: 2px 12px; align-items: baseline; width: calc(100% - 4px); }
.host > summary .row > :last-child { margin-left: auto; color: var(--soft); }
.host strong { font-weight: 600; }
.host table { margin: 6px 0 2px 16px; width: calc(100% - 16px); }
.policy { color: var(--soft); font-size: 13px; margin-top: 3px; }
.denial { border-top: 1px solid var(--line); padding: 6px 0; }
.denial:first-of-type { border-top: 0; }
.denial summary .row { display: inline-grid; grid-template-columns: 5.2em 11em minmax(0, 1fr); gap: 2px 12px; width: calc(100% - 4px); vertical-align: top; }
.denial .what { display: flex; flex-wrap: wrap; gap: 0 14px; overflow-wrap: anywhere; }
.denial .where { color: var(--soft); }
.denial .why { color: var(--soft); font-size: 13px; grid-column: 3 / -1; overflow-wrap: anywhere; }
.explain { margin-top: 8px; }
.explain label { display: block; color: var(--soft); font-size: 13px; }
textarea { display: block; width: 100%; font: 12px/1.5 var(--mono); color: var(--ink); background: var(--field); border: 1px solid var(--line); border-radius: 6px; padding: 6px 8px; }
.sheet > p + table { margin-top: 8px; }
.later { margin-top: 14px; }
.ca { border-top: 1px solid var(--line); padding: 5px 0; }
.pairs { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 14px; margin-top: 6px; font-size: 13px; }
.pairs dt { color: var(--soft); }
pre { margin: 8px 0 2px; padding: 10px 12px; background: var(--field); border-radius: 6px; font: 12px/1.5 var(--mono); white-space: pre-wrap; }
button { font: inherit; color: var(--accent); background: none; border: 1px solid var(--line); border-radius: 6px; padding: 2px 10px; margin-top: 8px; cursor: pointer; }
button:hover { border-color: var(--accent); }
footer.wrap { color: var(--soft); padding-bottom: 28px; font-size: 13px; }
@media (max-width: 720px) {
  nav { position: static; }
  .wrap, .top .wrap { padding-left: 12px; padding-right: 12px; }
  .live { margin-left: 0; }
  .sheet { padding: 12px; }
  table, tbody, tr, td { display: block; width: 100%; }
  thead { position: absolute; left: -100vw; }
  tr { border-top: 1px solid var(--line); padding: 6px 0; display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1px 12px; }
  tr:first-child { border-top: 0; }
  td { border: 0; padding: 0; }
  td:first-child, td.whole { grid-column: 1 / -1; }
  td[data-name]::before { content: attr(data-name) ' '; color: var(--soft); font-size: 12px; }
  td:empty { display: none; }
  .num { text-align: left; }
  .denial summary .row { grid-template-columns: 5.2em minmax(0, 1fr); }
  .denial summary .row > :nth-child(n + 3) { grid-column: 1 / -1; }
  .pairs { grid-template-columns: minmax(0, 1fr); } .pairs dt { margin-top: 4px; }
  .host table { margin-left: 0; width: 100%; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
@media print { nav, .live { display: none; } }
`;
