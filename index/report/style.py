"""The look of ``report.html``: system fonts, light and dark, and readable on paper.

Every pair of text and background has a contrast of at least 4.5 to 1, and no meaning is in colour alone.
"""

CSS = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --text: #1c2430; --soft: #566173; --line: #e1e5eb; --link: #0b57c2;
  --stale: #b3261e; --stale-soft: #fce8e6; --unknown: #6a3fb0; --unknown-soft: #efe7fb;
  --warn: #8a5300; --warn-soft: #fdf0d5; --fresh: #146c3a; --fresh-soft: #dff3e6;
  --exempt: #566173; --exempt-soft: #eceff3; --warn-bar: #e09b1a; --exempt-bar: #c3cad4;
}
@media (prefers-color-scheme: dark) { :root {
  --page: #11151b; --card: #1a2029; --text: #e7ebf1; --soft: #a3adbc; --line: #2d3643; --link: #8ab8ff;
  --stale: #ff8a80; --stale-soft: #48201f; --unknown: #cbb0ff; --unknown-soft: #34264f;
  --warn: #ffc861; --warn-soft: #45330f; --fresh: #7fdca2; --fresh-soft: #17402a;
  --exempt: #a3adbc; --exempt-soft: #2a323d; --warn-bar: #ffc861; --exempt-bar: #4a5565;
} }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; letter-spacing: -.01em; }
h2 { margin: 0 0 .75rem; font-size: 1.15rem; overflow-wrap: anywhere; }
h2 small { margin-left: .35rem; font-size: .875rem; font-weight: 400; color: var(--soft);
  white-space: nowrap; }
header p { margin: .25rem 0 0; color: var(--soft); }
section { margin-top: 1.25rem; padding: 1.25rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; }
a { color: var(--link); text-underline-offset: .15em; }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--link);
  outline-offset: 2px; border-radius: 2px; }

.summary { display: grid; grid-template-columns: auto 1fr; gap: 1.75rem; align-items: center; }
.score { text-align: center; padding-right: 1.75rem; border-right: 1px solid var(--line); }
.score b { display: block; font-size: 3rem; line-height: 1.1; font-weight: 650; white-space: nowrap; }
.score span { color: var(--soft); }
.summary p { margin: 0 0 .75rem; }
.summary ul { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; margin: .75rem 0 0; padding: 0;
  list-style: none; }
.summary li::before { content: ""; display: inline-block; width: .65rem; height: .65rem; margin-right: .45rem;
  border-radius: .2rem; background: var(--bar); }
.bar { display: flex; gap: 2px; height: .75rem; border-radius: .4rem; overflow: hidden;
  background: var(--line); }
.bar i { flex: 0 1 0; min-width: 3px; background: var(--bar); }
.stale { --bar: var(--stale); } .unknown { --bar: var(--unknown); } .warn { --bar: var(--warn-bar); }
.fresh { --bar: var(--fresh); } .exempt { --bar: var(--exempt-bar); }

.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .55rem .75rem .55rem 0; text-align: left; vertical-align: top;
  border-top: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
thead th { padding-top: 0; border-top: 0; font-size: .8125rem; font-weight: 600; color: var(--soft); }
tbody th { font-weight: 600; overflow-wrap: anywhere; min-width: 12rem; }
tbody th small { font-weight: 400; color: var(--soft); }
.findings tbody th { font-weight: 400; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.none { color: var(--soft); }
.documents { table-layout: fixed; min-width: 44rem; }
.documents .verdict { width: 8.25rem; } .documents .age { width: 11%; padding-right: 1.75rem; }
.documents .due { width: 25%; } .documents .dated { width: 14%; overflow-wrap: anywhere; }
.findings .kind { width: 10rem; }
td.dated, td small { color: var(--soft); }
.shares { width: 30%; min-width: 6rem; } .owners td.shares { vertical-align: middle; }
  .owners .bar { height: .5rem; }
.badge { display: inline-block; padding: .05rem .6rem; border-radius: 1rem; font-size: .8125rem;
  font-weight: 600;
  white-space: nowrap; }
.badge i { font-style: normal; }
.badge.stale { color: var(--stale); background: var(--stale-soft); }
.badge.unknown { color: var(--unknown); background: var(--unknown-soft); }
.badge.warn { color: var(--warn); background: var(--warn-soft); }
.badge.fresh { color: var(--fresh); background: var(--fresh-soft); }
.badge.exempt { color: var(--exempt); background: var(--exempt-soft); }
details { margin-top: .75rem; }
summary { cursor: pointer; color: var(--soft); }
details[open] summary { margin-bottom: .75rem; }
.more { margin: .75rem 0 0; color: var(--soft); }
footer { margin-top: 2rem; color: var(--soft); font-size: .875rem; }
footer h2 { font-size: 1rem; color: var(--text); }
dl { margin: 0; } dl div { display: flex; gap: .75rem; padding: .15rem 0; } dt { flex: 0 0 7.5rem; }
  dd { margin: 0; }

@media (max-width: 40rem) {
  .summary { grid-template-columns: 1fr; gap: 1rem; }
  .score { padding: 0 0 1rem; border-right: 0; border-bottom: 1px solid var(--line); }
  thead { display: none; } .documents { min-width: 0; }
  .owners tr { display: grid; grid-template-columns: repeat(5, auto); gap: .25rem .75rem; }
  .owners th, .owners .shares { grid-column: 1 / -1; }
  .owners .shares { order: 1; min-width: 0; width: auto; }
  .owners td::before { content: attr(data-label); display: block; font-size: .75rem; color: var(--soft); }
  .owners td.shares::before { content: none; } .owners .number { text-align: left; }
  tr { display: block; padding: .75rem 0; border-top: 1px solid var(--line); }
  tbody th, td { display: block; padding: .1rem 0; border: 0; text-align: left; min-width: 0; }
  .documents .due, .documents .dated, .documents .age { width: auto; }
  .documents td.age:not(:empty)::before { content: "Age: "; }
}
@media print {
  :root { --page: #fff; --card: #fff; --text: #000; --soft: #444; --line: #bbb; --link: #000; }
  html, body { font-size: 11px; } main { max-width: none; padding: 0; } tbody th { min-width: 0; }
  section { padding: .75rem 0; border-width: 1px 0 0; border-radius: 0; }
  tr, .summary { break-inside: avoid; } h2 { break-after: avoid; } thead { display: table-header-group; }
  .bar, .badge, .summary li::before { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .scroll { overflow: visible; } .documents { min-width: 0; }
}
"""
