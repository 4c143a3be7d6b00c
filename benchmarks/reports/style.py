"""How the HTML report looks: calm, one accent, light and dark, on a phone and on paper. No font, no picture is fetched."""

from __future__ import annotations

from .svg import DARK_VARIABLES, LIGHT_VARIABLES, PAPER_DARK, PAPER_LIGHT
from .svg import STYLE as CHART_STYLE

LIGHT_INK = (
    f"--paper:{PAPER_LIGHT};--text:#1c1f24;--soft:#5b616b;--rule:#dfe0dc;--wash:#f1f1ed;--accent:#0067a3;"
    f"--warn:#8a5a00;--warn-wash:#fdf5e3;--bad:#a82a1b;{LIGHT_VARIABLES}"
)
DARK_INK = (
    f"--paper:{PAPER_DARK};--text:#e7e8ea;--soft:#a3aab4;--rule:#343940;--wash:#20242a;--accent:#6cb8ee;"
    f"--warn:#e8b65a;--warn-wash:#2a2419;--bad:#ff8f7d;{DARK_VARIABLES}"
)

STYLE = f"""
:root {{ color-scheme: light dark; {LIGHT_INK} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {DARK_INK} }} }}
* {{ box-sizing: border-box; }}
html {{ -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }}
body {{
  margin: 0; background: var(--paper); color: var(--text); overflow-wrap: break-word;
  font: 1.0625rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}}
main {{ max-width: 80rem; margin: 0 auto; padding: clamp(1.5rem, 5vw, 4rem) clamp(1rem, 4vw, 3rem) 5rem; }}
.where {{ margin: 0 0 1rem; color: var(--soft); font-size: .9375rem; letter-spacing: .01em; }}
.where b {{ color: var(--accent); font-weight: 600; }}
h1 {{
  margin: 0; max-width: 46rem; font-weight: 400; font-size: clamp(1.125rem, 1rem + .55vw, 1.375rem); line-height: 1.5;
  text-wrap: pretty;
}}
h1 b {{
  display: block; margin-bottom: .6rem; font-weight: 650; letter-spacing: -.018em; line-height: 1.2; text-wrap: balance;
  font-size: clamp(1.625rem, 1.2rem + 2vw, 2.5rem);
}}
h1 span {{ font-size: 0; }}
h2 {{ margin: 0 0 1rem; font-size: 1.25rem; font-weight: 650; letter-spacing: -.01em; line-height: 1.3; }}
h3 {{ margin: 0 0 .25rem; font-size: 1.0625rem; font-weight: 650; line-height: 1.35; }}
section {{ margin-top: clamp(2.75rem, 6vw, 4.5rem); }}
p {{ margin: 0; max-width: 44rem; text-wrap: pretty; }}
.meaning {{ margin-top: 1rem; color: var(--soft); }}
.quiet {{ margin-top: 1.5rem; color: var(--soft); font-size: .9375rem; }}
.warnings {{
  margin-top: 2rem; padding: 1rem 1.25rem 1.1rem; border-left: 3px solid var(--warn); border-radius: 0 6px 6px 0;
  background: var(--warn-wash); max-width: 52rem;
}}
.warnings h2 {{ margin-bottom: .4rem; font-size: 1.0625rem; color: var(--warn); }}
.warnings ul {{ margin: 0; padding-left: 1.1rem; }}
.warnings li + li {{ margin-top: .35rem; }}

.scroll {{ overflow-x: auto; overscroll-behavior-x: contain; }}
.scroll:focus-visible, summary:focus-visible {{ outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 3px; }}
table {{
  border-collapse: separate; border-spacing: 0; font-size: .875rem; line-height: 1.25rem; font-variant-numeric: tabular-nums;
}}
caption {{ padding: 0 0 .75rem; text-align: left; color: var(--soft); }}
caption span {{ display: inline-block; position: sticky; left: 0; max-width: min(100%, calc(100vw - 2rem)); }}
th, td {{ padding: .5rem .55rem; text-align: right; vertical-align: top; border-bottom: 1px solid var(--rule); }}
td {{ white-space: nowrap; }}
thead th {{
  vertical-align: bottom; font-size: .78125rem; font-weight: 500; line-height: 1.3; color: var(--soft);
  border-bottom-color: var(--soft);
}}
th:first-child {{ position: sticky; left: 0; background: var(--paper); text-align: left; padding-left: 0; }}
tbody th {{ font-weight: 600; white-space: nowrap; }}
td:last-child, th:last-child {{ padding-right: 0; }}
.figures table {{ width: 100%; }}
.matrix {{ margin-top: 2.75rem; }}
.matrix table {{ width: auto; }}
.matrix td, .matrix thead th {{ padding-left: 1.75rem; }}
.matrix th:first-child {{ padding-left: 0; }}
.matrix small {{ display: inline; margin-left: .35em; }}
.figures .next td, .figures .next th {{ border-top: 1px solid var(--rule); }}
small {{ display: block; font-size: .78125rem; line-height: 1.125rem; font-weight: 400; color: var(--soft); }}
.invalid td:nth-child(2) {{ color: var(--bad); font-weight: 650; white-space: normal; }}
.invalid small {{ color: inherit; }}

details {{ margin-top: 1rem; font-size: .9375rem; }}
summary {{ width: fit-content; color: var(--accent); cursor: pointer; }}
details > :not(summary) {{ margin-top: .75rem; }}
details > .scroll + .scroll {{ margin-top: 2.25rem; }}
.pairs {{ margin: 1.75rem 0 0; padding: 0; list-style: none; max-width: 66rem; font-size: .9375rem; }}
.pairs li {{ padding: .3rem 0; }}

.charts {{ max-width: 72rem; display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 4rem; }}
figure {{ margin: 0; min-width: 0; }}
figure.wide {{ grid-column: 1 / -1; }}
figcaption {{ margin-bottom: 1.1rem; max-width: 44rem; }}
figcaption p {{ color: var(--soft); font-size: .9375rem; line-height: 1.5; }}
.panels {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(18rem, 100%), 1fr)); gap: 1.5rem 2.5rem; }}
figure th, figure td {{ padding: .35rem .6rem; }}

dl {{ margin: 0; display: grid; grid-template-columns: 10rem minmax(0, 1fr); gap: .5rem 1.5rem; font-size: .9375rem; }}
dt {{ font-weight: 600; }}
dd {{ margin: 0; max-width: 46rem; }}
dl + h3 {{ margin-top: 2rem; }}
h3 + dl {{ margin-top: .75rem; }}
pre {{ margin: 0; padding: .85rem 1.1rem; border-radius: 6px; background: var(--wash); overflow-x: auto; }}
code {{ font: .9em/1.5 ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace; }}

@media (max-width: 52rem) {{
  .charts {{ grid-template-columns: minmax(0, 1fr); gap: 2.75rem; }}
}}
@media (max-width: 36rem) {{
  dl {{ grid-template-columns: minmax(0, 1fr); gap: 0; }}
  dd {{ margin-bottom: .7rem; }}
}}
@media print {{
  @page {{ size: A4; margin: 14mm; }}
  :root {{ color-scheme: light; --paper: #fff; font-size: 9pt; }}
  main {{ max-width: none; padding: 0; }}
  section {{ margin-top: 10mm; }}
  figure, .warnings, tr, pre, svg {{ break-inside: avoid; }}
  h2, h3, figcaption {{ break-after: avoid; }}
  .charts {{ grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 9mm 8mm; }}
  .panels {{ grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 5mm 6mm; }}
  .scroll {{ overflow: visible; }}
  .figures table {{ font-size: 7pt; }}
  .figures th, .figures td {{ padding: 1.2mm .9mm; }}
  .figures thead th, small {{ font-size: 6.25pt; }}
  figure details, .meanings {{ display: none; }}
  details::details-content {{ content-visibility: visible; display: block; }}
}}
{CHART_STYLE}"""
