"""A folder with every chart of a snapshot, and a page that shows them all with nothing fetched from anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import vl_convert

from fonoteca.catalogue.charts.gallery import CHARTS
from fonoteca.catalogue.charts.look import DARK, LIGHT, png_of, spec_of
from fonoteca.catalogue.citation import MADE_UP
from fonoteca.catalogue.statistics import Statistics
from fonoteca.ports import Progress, Staging

PAGE_FILE = "index.html"
_LOOKS = (LIGHT, DARK)
_SNIPPET = "window.vegaEmbed = vegaEmbed;"
"""What of the bundled programmes the page calls."""


def write_gallery(statistics: Statistics, folder: Path, staging: Staging, progress: Progress) -> tuple[str, ...]:
    """Write every chart into a folder: NAME.png, NAME-dark.png, NAME.vl.json, NAME.csv, and index.html with all of them.

    folder: empty, below staging. Returns: the names of the files. Cost: a second a chart, and one for the page's programmes.
    """
    written = []

    def write(name: str, content: bytes) -> None:
        with staging.writer(folder / name) as stream:
            stream.write(content)
        written.append(name)

    specs: dict[str, dict[str, Any]] = {}
    with progress.task("drawing", len(CHARTS), "charts") as advance:
        for name, kind in CHARTS.items():
            specs[name] = {look.name: spec_of(kind.draw(statistics, look)) for look in _LOOKS}
            write(f"{name}.png", png_of(specs[name][LIGHT.name]))
            write(f"{name}-dark.png", png_of(specs[name][DARK.name]))
            write(f"{name}.vl.json", json.dumps(specs[name][LIGHT.name], ensure_ascii=False).encode())
            write(f"{name}.csv", statistics.tables[kind.table].csv())
            advance(1)
    write(PAGE_FILE, page(statistics, specs).encode())
    return tuple(written)


def page(statistics: Statistics, specs: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page. specs: Vega-Lite by chart and look."""
    citation = statistics.citation
    figures = [_figure(name, statistics) for name in CHARTS]
    warning = f'<p class="warning">{escape(MADE_UP)}</p>' if statistics.synthetic else ""
    sources = [
        f"<li><b>{escape(s.name)}</b> {escape(s.date)}: {s.row_count:,} rows, {escape(s.attribution)}, {escape(s.licence)}"
        f"{' (synthetic)' if s.synthetic else ''}</li>"
        for s in citation.sources
    ]
    return _PAGE.substitute(
        title=escape(f"Catalogue {citation.name}"),
        counts=escape(
            f"{statistics.recording_count:,} recordings, {statistics.release_count:,} releases, {statistics.artist_count:,} artists"
        ),
        warning=warning,
        contents="".join(f'<li><a href="#{name}">{escape(kind.title)}</a></li>' for name, kind in CHARTS.items()),
        figures="\n".join(figures),
        sources="".join(sources),
        id=escape(citation.id),
        specs=json.dumps(specs, ensure_ascii=False).replace("<", "\\u003c"),
        programmes=vl_convert.javascript_bundle(_SNIPPET).replace("</script", "<\\/script"),
    )


def _figure(name: str, statistics: Statistics) -> str:
    kind = CHARTS[name]
    title, caption = escape(kind.title), escape(kind.caption(statistics))
    return f"""<figure id="{name}"><h2>{title}</h2>
<div class="chart" data-chart="{name}"><noscript><picture>
<source srcset="{name}-dark.png" media="(prefers-color-scheme: dark)"><img src="{name}.png" alt="{caption}">
</picture></noscript></div>
<figcaption>{caption}</figcaption>
<p class="files"><a href="{name}.png">PNG</a> <a href="{name}-dark.png">dark</a> <a href="{name}.vl.json">Vega-Lite</a> <a
href="{name}.csv">table</a></p></figure>"""


_PAGE = Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline';
 script-src 'unsafe-inline' 'unsafe-eval'">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ground: #fff; --ink: #22272e; --faint: #6b7280; --rule: #e5e7eb; --mark: #c8553d;
 --main: #1f6f78; }
@media (prefers-color-scheme: dark) {
 :root { --ground: #15191e; --ink: #e8eaed; --faint: #a2abb6; --rule: #2c333b; --mark: #f08a6c;
 --main: #5fbac4; } }
body { background: var(--ground); color: var(--ink); font: 16px/1.5 Helvetica, Arial, 'Liberation Sans', sans-serif;
 max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { position: absolute; clip-path: inset(50%); }
a { color: var(--main); } .warning { color: var(--mark); font-weight: 600; }
nav ul { padding: 0; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; list-style: none; }
figure { margin: 2.5rem 0 0; padding: 2rem 0 0; border-top: 1px solid var(--rule); }
.chart { overflow-x: auto; } .chart img { max-width: 100%; } figcaption { max-width: 46rem; margin-top: .6rem; }
.files, footer { color: var(--faint); font-size: .85rem; } .files a { margin-right: .7rem; }
footer { border-top: 1px solid var(--rule); margin-top: 3rem; padding-top: 1rem; overflow-wrap: anywhere; }
</style></head><body>
<h1>$title</h1><p>$counts</p>$warning
<nav><ul>$contents</ul></nav>
$figures
<footer><p>Made of:</p><ul>$sources</ul><p>Cite as <code>$id</code>.
Figures behind each picture are in the table under it.</p></footer>
<script type="application/json" id="specs">$specs</script>
<script>$programmes</script>
<script>
const specs = JSON.parse(document.getElementById("specs").textContent);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
function draw() {
  for (const place of document.querySelectorAll("[data-chart]")) {
    const spec = specs[place.dataset.chart][dark.matches ? "dark" : "light"];
    vegaEmbed(place, spec, { renderer: "svg", actions: false, ast: false });
  }
}
dark.addEventListener("change", draw);
draw();
</script></body></html>
""")
