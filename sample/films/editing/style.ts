/** Colours by role; the dark ones follow the system. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f4f5f7; --card: #fff; --ink: #1c2330; --muted: #5b6577; --line: #d9dee6; --accent: #2456c7; --on-accent: #fff;
  --mine: #0b6b4f; --mine-soft: #e3f4ed; --theirs: #8a4b00; --theirs-soft: #fdf0dc; --bad: #b3261e; --bad-soft: #fcebea;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161d; --card: #1b212b; --ink: #e8ecf3; --muted: #a3adbd; --line: #333d4c; --accent: #8fb0ff; --on-accent: #0f1b36;
    --mine: #74d6b1; --mine-soft: #16362c; --theirs: #f2b866; --theirs-soft: #3a2a10; --bad: #ff9d95; --bad-soft: #42201e;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; }
.bar { padding: .9rem 1.5rem; background: var(--card); border-bottom: 1px solid var(--line); }
.brand { font-weight: 700; letter-spacing: .02em; }
.crumb { color: var(--muted); margin-left: .5rem; }
main { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; text-wrap: balance; }
h2 { font-size: 1.05rem; margin: 0 0 .75rem; }
.lead { color: var(--muted); margin: 0 0 1.5rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.5rem; margin-bottom: 1.25rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1.1rem 1.5rem; }
.wide { grid-column: 1 / -1; }
label, legend { font-weight: 600; padding: 0; }
.hint { color: var(--muted); font-weight: 400; font-size: .875rem; }
input:not([type=radio]), select {
  display: block; width: 100%; margin-top: .3rem; padding: .55rem .7rem; font: inherit; color: inherit;
  background: var(--page); border: 1px solid var(--muted); border-radius: .5rem;
}
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
[aria-invalid=true] { border-color: var(--bad) !important; }
.error { color: var(--bad); font-size: .875rem; margin: .3rem 0 0; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem 1.25rem; align-items: center; margin-top: 1.5rem; }
button { font: inherit; font-weight: 600; color: var(--on-accent); background: var(--accent); border: 0; border-radius: .5rem; padding: .65rem 1.25rem; cursor: pointer; }
a { color: var(--accent); }
.notice { border-radius: .75rem; border-left: .4rem solid; padding: .9rem 1.1rem; margin: 0 0 1.25rem; }
.notice p { margin: .2rem 0 0; }
.notice.good { background: var(--mine-soft); border-color: var(--mine); }
.notice.bad { background: var(--bad-soft); border-color: var(--bad); }
.notice.warn { background: var(--theirs-soft); border-color: var(--theirs); }
fieldset { border: 1px solid var(--line); border-radius: .75rem; padding: 1rem 1.1rem 1.1rem; margin: 0 0 1rem; min-width: 0; }
fieldset legend { padding: 0 .4rem; margin-left: -.4rem; }
.was { color: var(--muted); margin: 0 0 .7rem; font-size: .9375rem; }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .75rem; }
.side { display: flex; gap: .7rem; align-items: flex-start; padding: .8rem .9rem; border: 2px solid var(--line); border-radius: .6rem; font-weight: 400; cursor: pointer; }
.side input { margin: .3rem 0 0; accent-color: var(--accent); width: 1.05rem; height: 1.05rem; flex: none; }
.side:has(:checked) { border-color: var(--accent); }
.side:has(:focus-visible) { outline: 3px solid var(--accent); outline-offset: 2px; }
.side :focus-visible { outline: none; }
.who { display: block; font-size: .8125rem; font-weight: 700; }
.side.theirs .who { color: var(--theirs); } .side.mine .who { color: var(--mine); }
.value { display: block; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .55rem .75rem .55rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { font-size: .8125rem; color: var(--muted); font-weight: 600; }
del { color: var(--muted); text-decoration-thickness: 1px; } ins { text-decoration: none; font-weight: 600; border-radius: .25rem; padding: 0 .2rem; }
ins.theirs { color: var(--theirs); background: var(--theirs-soft); } ins.mine { color: var(--mine); background: var(--mine-soft); }
.none { font-style: italic; color: var(--muted); }
`;
