/** The page's looks: system fonts, one accent, colours that colour-blind readers can tell apart (Okabe and Ito). */

const light = `
  color-scheme: light;
  --page: #fbfbfa; --card: #ffffff; --ink: #1b1f24; --ink-2: #4a525c; --ink-3: #59626c;
  --line: #c9ced4; --grid: #e8eaed; --rule: #e1e4e8; --soft: #f1f3f5;
  --c1: #0072b2; --c2: #d55e00; --c2-ink: #a84a00; --c3: #009e73; --c4: #b0568f; --c5: #56b4e9; --c6: #b58900;
  --band: rgba(0, 114, 178, 0.16); --mute: #d5dade; --mute-2: #87919b; --bar: rgba(0, 114, 178, 0.15);
  --link: #005a8f; --focus: #d55e00; --clear: rgba(0, 0, 0, 0);`;

const dark = `
  color-scheme: dark;
  --page: #15181c; --card: #1c2025; --ink: #eceff2; --ink-2: #bac1c9; --ink-3: #a3acb6;
  --line: #4a525c; --grid: #2c3138; --rule: #30363d; --soft: #242930;
  --c1: #5ab4ea; --c2: #f39047; --c2-ink: #f6a768; --c3: #2cc69a; --c4: #dd8fc0; --c5: #9fd3f5; --c6: #e0b93f;
  --band: rgba(90, 180, 234, 0.2); --mute: #3c444d; --mute-2: #6d7783; --bar: rgba(90, 180, 234, 0.2);
  --link: #7cc4f0; --focus: #f39047; --clear: rgba(0, 0, 0, 0);`;

/** The style sheet of the page. */
export const styleSheet = `
:root {${light}}
@media (prefers-color-scheme: dark) { :root:not([data-theme]) {${dark}} }
:root[data-theme="dark"] {${dark}}
:root.printing {${light}}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; scroll-behavior: smooth; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: 0.5rem 1rem; z-index: 2; }
.frame { max-width: 76rem; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
@media (min-width: 70rem) {
  .frame { display: grid; grid-template-columns: 12rem minmax(0, 1fr); column-gap: 2.5rem; }
  .frame > header { grid-column: 2; }
  .frame > nav { grid-column: 1; grid-row: 1 / span 2; position: sticky; top: 2rem; align-self: start; max-height: calc(100vh - 4rem); overflow-y: auto; }
  .frame > main { grid-column: 2; }
  nav ol { flex-direction: column; gap: 0.1rem; } nav a { white-space: normal !important; }
}
main { min-width: 0; }
nav { font-size: 0.875rem; }
nav ol { display: flex; list-style: none; margin: 0; padding: 0; overflow-x: auto; gap: 0.25rem; }
nav a { display: block; padding: 0.3rem 0.6rem; border-radius: 0.35rem; color: var(--ink-2); text-decoration: none; white-space: nowrap; }
nav a:hover { background: var(--soft); color: var(--ink); }
@media (max-width: 69.99rem) { nav { margin: 1.5rem -1.5rem 0; padding: 0.5rem 1.5rem; border-block: 1px solid var(--rule); } nav ol { padding-block: 0.1rem; } nav a:first-child { padding-left: 0.6rem; } }
a { color: var(--link); }
h1 { font-size: clamp(1.5rem, 1.1rem + 1.6vw, 2.1rem); line-height: 1.2; margin: 0 0 0.35rem; letter-spacing: -0.015em; text-wrap: balance; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 0.5rem; letter-spacing: -0.01em; }
h3 { font-size: 1.02rem; margin: 1.75rem 0 0.4rem; }
section { margin-top: 3.25rem; }
code { font: 0.88em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
p { margin: 0 0 0.9rem; max-width: 44rem; overflow-wrap: anywhere; }
.byline { color: var(--ink-3); font-size: 0.9rem; }
.lead { font-size: clamp(1.1rem, 1rem + 0.5vw, 1.28rem); line-height: 1.5; max-width: 46rem; margin-top: 1.25rem; text-wrap: pretty; }
.lead strong { font-weight: 650; white-space: nowrap; }
.plain { color: var(--ink-2); }
.note + .plain { margin-top: 0.6rem; }
.plain dfn { font-style: normal; font-weight: 600; color: var(--ink); }
.note { color: var(--ink-3); font-size: 0.84rem; line-height: 1.45; margin: 0; max-width: 52rem; }
.number { font-variant-numeric: tabular-nums; }
ul.findings { margin: 1.5rem 0 0.9rem; padding-left: 1.15rem; max-width: 46rem; }
ul.findings li { margin-bottom: 0.4rem; overflow-wrap: anywhere; }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 0.75rem; margin: 1.5rem 0; padding: 0; list-style: none; }
.tiles li { background: var(--card); border: 1px solid var(--rule); border-radius: 0.6rem; padding: 0.85rem 1rem 0.9rem; }
.tiles .name { display: block; font-size: 0.84rem; color: var(--ink-2); }
.tiles .value { display: block; font-size: 1.65rem; font-weight: 620; line-height: 1.25; letter-spacing: -0.02em; font-variant-numeric: tabular-nums; }
.tiles .value small { font-size: 0.95rem; font-weight: 400; color: var(--ink-2); letter-spacing: 0; }
.tiles .from { display: block; font-size: 0.84rem; color: var(--ink-3); }

figure { margin: 1.25rem 0; background: var(--card); border: 1px solid var(--rule); border-radius: 0.6rem; padding: 1rem 1rem 0.75rem; min-width: 0; break-inside: avoid; }
figcaption { margin: 0 0 0.6rem; font-size: 0.92rem; max-width: 46rem; }
figcaption h3, figcaption h4 { margin: 0; font-weight: 620; font-size: 1rem; }
figcaption span { color: var(--ink-2); }
.plot { width: 100%; overflow: hidden; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 0 1.25rem; align-items: start; }

.table-block { container-type: inline-size; margin: 1.25rem 0; background: var(--card); border: 1px solid var(--rule); border-radius: 0.6rem; overflow: hidden; }
.table-view { position: relative; }
.table-view.more-left::before, .table-view.more-right::after { content: "\\2039"; position: absolute; z-index: 1; inset-block: 0; left: 0; width: 1.6rem; display: grid; place-items: center; color: var(--ink); font-size: 1.3rem; background: linear-gradient(270deg, transparent, var(--card) 75%); pointer-events: none; }
.table-view.more-right::after { content: "\\203a"; left: auto; right: 0; background: linear-gradient(90deg, transparent, var(--card) 75%); }
.table-view.more-below { box-shadow: inset 0 -0.7rem 0.6rem -0.6rem var(--line); }
.table-scroll { overflow-x: auto; }
.table-scroll.tall { max-height: 34rem; overflow-y: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
caption { text-align: left; padding: 0.9rem 1rem 0.5rem; font-weight: 620; font-size: 1rem; }
caption > div { position: sticky; left: 1rem; width: calc(100cqi - 2rem); overflow-wrap: anywhere; }
caption span { display: block; font-weight: 400; color: var(--ink-2); font-size: 0.9rem; max-width: 46rem; }
th, td { padding: 0.42rem 0.5rem; text-align: left; vertical-align: baseline; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { padding-left: 1rem; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { font-weight: 500; font-size: 0.82rem; color: var(--ink-2); border-bottom: 1px solid var(--line); background: var(--card); vertical-align: bottom; }
.tall thead th { position: sticky; top: 0; box-shadow: inset 0 -1px var(--line); }
thead button.sort { font: inherit; color: inherit; background: none; border: 0; padding: 0; text-align: inherit; text-decoration: underline dotted var(--mute-2); text-underline-offset: 0.2em; }
thead button.sort:hover { text-decoration-style: solid; }
th[aria-sort=ascending] button.sort::after { content: "\\a0\\2191"; }
th[aria-sort=descending] button.sort::after { content: "\\a0\\2193"; }
.find { display: none; margin: 0; padding: 0.6rem 1rem 0; font-size: 0.84rem; color: var(--ink-2); max-width: none; text-align: right; }
.js .find { display: block; }
.find input { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 0.4rem; padding: 0.2rem 0.5rem; width: 12rem; max-width: 60%; }
tbody th { font-weight: 500; }
td:not(.words), th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td small, th small { color: var(--ink-3); font-size: 0.82rem; font-weight: 400; }
td .change { display: block; }
.file-only { display: none; }
.words { min-width: 4rem; overflow-wrap: break-word; }
tbody th.words { max-width: 22rem; }
td.words { max-width: 30rem; }
.words.wide { min-width: 9.5rem; }
thead th.number { white-space: normal; }
tr.strong > * { background: var(--bar); }
tr.strong > th { font-weight: 650; }
td.bar { background-image: linear-gradient(90deg, var(--bar) var(--bar-size), transparent 0); }
.table-foot { display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem; align-items: end; justify-content: space-between; padding: 0.6rem 1rem 0.7rem; border-top: 1px solid var(--rule); }
.table-foot .note { flex: 1 1 18rem; }
.tools { display: none; margin: 0; gap: 0.4rem; }
.js .tools { display: flex; }
figure { position: relative; }
figcaption .tools { position: absolute; top: 0.8rem; right: 1rem; }
.js figcaption:has(.tools) h3, .js figcaption:has(.tools) h4 { padding-right: 6.5rem; }
button, select { font: inherit; font-size: 0.84rem; color: var(--ink); background: var(--card); border: 1px solid var(--line); border-radius: 0.4rem; padding: 0.25rem 0.65rem; cursor: pointer; max-width: 100%; }
button:hover { background: var(--soft); }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.table-scroll:focus-visible { outline-offset: -2px; }

.confusion td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.confusion td.cell { background: color-mix(in srgb, var(--c1) var(--bar-size, 0%), transparent); }

.control { display: none; position: sticky; top: 0; z-index: 1; background: var(--card); border: 1px solid var(--line); border-radius: 0.6rem; padding: 0.8rem 1rem; margin: 1.25rem 0; box-shadow: 0 2px 10px rgba(0, 0, 0, 0.06); }
.js .control { display: block; }
.control .line { display: flex; flex-wrap: wrap; gap: 0.3rem 0.9rem; align-items: center; }
.control label { font-weight: 620; }
.control input { flex: 1 1 12rem; min-width: 8rem; accent-color: var(--c2); height: 1.75rem; }
.control output { font-variant-numeric: tabular-nums; }
.control .sums { margin: 0.35rem 0 0; font-size: 0.92rem; color: var(--ink-2); max-width: none; font-variant-numeric: tabular-nums; }
.control .sums b { color: var(--ink); font-weight: 620; }
.nowrap { white-space: nowrap; }
.faces { display: grid; gap: 1rem; margin: 0.9rem 0 0; padding: 0; list-style: none; }
.faces .row { display: flex; flex-wrap: wrap; gap: 0.25rem; align-items: flex-end; margin: 0.2rem 0 0; padding: 0; list-style: none; max-width: none; }
.faces figure { margin: 0; padding: 0; border: 0; background: none; width: 4.25rem; }
.faces img { display: block; width: 4.25rem; height: auto; border-radius: 0.3rem; }
.faces figcaption { font-size: 0.72rem; line-height: 1.25; color: var(--ink-2); margin: 0.15rem 0 0; text-align: center; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.faces .gap { align-self: center; padding: 0 0.5rem; color: var(--ink-3); font-size: 0.84rem; }
.small-set { border: 0; margin: 0; padding: 0; min-width: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(8.4rem, 1fr)); gap: 0.5rem; }
.small-set legend { padding: 0; margin: 0 0 0.6rem; font-size: 0.92rem; max-width: 46rem; }
.small-set legend b { display: block; font-weight: 620; font-size: 1rem; }
.small-set legend span { color: var(--ink-2); }
.small { position: relative; display: block; border: 1px solid var(--rule); border-radius: 0.45rem; padding: 0.35rem 0.45rem 0.3rem; cursor: pointer; font-size: 0.78rem; line-height: 1.3; min-width: 0; }
.small:hover { border-color: var(--line); }
.small input { position: absolute; opacity: 0; inset: 0; margin: 0; width: 100%; height: 100%; cursor: pointer; }
.small:has(input:checked) { border-color: var(--c1); box-shadow: inset 0 0 0 1px var(--c1); }
.small:has(input:focus-visible) { outline: 2px solid var(--focus); outline-offset: 2px; }
.small .tap { display: block; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; font-weight: 550; }
.small .count { display: block; color: var(--ink-2); font-variant-numeric: tabular-nums; }
.small .count b { color: var(--c2-ink); font-weight: 650; }
.small svg { display: block; width: 100%; height: auto; overflow: visible; }
.small .axis { stroke: var(--line); fill: none; stroke-width: 1; }
.small .train { stroke: var(--ink-3); fill: none; stroke-width: 1; stroke-dasharray: 2 2; }
.small .held { stroke: var(--c1); fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.small .error { fill: var(--band); }
.small .knee path { fill: var(--c2); stroke: var(--card); stroke-width: 1; }
.pick { margin: 0; display: flex; gap: 0.5rem; align-items: center; flex-wrap: wrap; font-size: 0.92rem; }

details.fold { border: 1px solid var(--rule); border-radius: 0.6rem; overflow: hidden; background: var(--card); margin: 1.25rem 0; padding: 0 1rem; }
details.fold > summary { cursor: pointer; padding: 0.75rem 0; font-weight: 550; overflow-wrap: anywhere; }
details.fold > .table-block { border: 0; border-radius: 0; margin: 0 -1rem; }
details.fold[open] > summary { border-bottom: 1px solid var(--rule); }
details.fold > summary h2 { display: inline; font-size: 1.1rem; }
details.run > section:first-of-type { margin-top: 1.25rem; }
details.run > section { margin-top: 2.25rem; }
.top { display: flex; justify-content: space-between; gap: 1rem; align-items: start; }
#theme { display: none; white-space: nowrap; }
.js #theme { display: block; }
#status { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
footer { margin-top: 3.5rem; border-top: 1px solid var(--rule); padding-top: 1rem; }

@media (max-width: 40rem) {
  .frame { padding: 1.25rem 1rem 3rem; }
  nav { margin-inline: -1rem; padding-inline: 1rem; }
  section { margin-top: 2.5rem; }
  figure { padding: 0.8rem 0.6rem 0.5rem; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.5rem; }
  .tiles li { padding: 0.65rem 0.75rem; }
  .tiles .value { font-size: 1.35rem; }
  th, td { padding: 0.4rem 0.55rem; }
  .small-set { grid-template-columns: repeat(auto-fill, minmax(6.6rem, 1fr)); }
  .control .reset { width: 100%; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
.printing .frame { display: block; width: 680px; padding: 0; }
.printing .pair { grid-template-columns: 1fr; }
@page { margin: 15mm 14mm; }
@media print {
  :root, :root[data-theme] {${light}}
  body { background: #fff; font-size: 10.5pt; }
  .frame, .printing .frame { display: block; max-width: none; width: auto; padding: 0; }
  nav, .tools, .find, #theme, .skip, .js .control, .table-view::before, .table-view::after { display: none !important; }
  .table-view.more-below { box-shadow: none; }
  .pick select { border: 0; padding: 0; appearance: none; }
  .table-scroll, .table-scroll.tall { overflow: visible; max-height: none; }
  .table-block { overflow: visible; }
  .tall thead th { position: static; }
  table { font-size: 8.5pt; }
  thead th { font-size: 8pt; }
  td small, th small { font-size: 7.5pt; }
  th, td { padding: 0.22rem 0.35rem; }
  .words, tbody th.words, td.words.wide { min-width: 0; overflow-wrap: anywhere; }
  .tiles { grid-template-columns: repeat(4, 1fr); gap: 0.4rem; }
  .tiles li { padding: 0.5rem 0.6rem; }
  .tiles .value { font-size: 15pt; }
  section { margin-top: 1.6rem; }
  h2, h3, caption, summary, figcaption { break-after: avoid; }
  tr, li, .small { break-inside: avoid; }
  figure, .table-block, .tiles li, details.fold { border-color: #ccc; }
  .small-set { grid-template-columns: repeat(6, 1fr); }
  .pair { grid-template-columns: 1fr; }
  .plot { overflow: visible; }
  a { color: inherit; text-decoration: none; }
}
`;
