"""On paper and by simulation: 86 M files, 300 TB, 40 Ray nodes. What it takes, and where it bends first.

python -m bench paper            the figures, in seconds
python -m bench.paper --write    the tables of docs/scale.md anew; a test holds them equal to what is derived here
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from bench import paper_ingest, paper_storage
from bench.paper_inputs import ASSUMED, MEASURED, Inputs, Line, inputs, requests
from bench.paper_model import Stage, costs, ingest_stages
from bench.report import Figure, number

PAGE = Path(__file__).resolve().parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- paper: {} -->\n", "<!-- end -->\n"
SEED = 1890
LAYOUTS = tuple(
    paper_ingest.Layout(f"{archives} archive{'s' if archives > 1 else ''}", archives, key)
    for archives in (1, 4, 8, 40)
    for key in ("near_latency_s", "cloud_latency_s")
)
CYCLES_D = (7, 30, 90, 365)
MIRRORS_MAX = 4
Row = Sequence[str]


def figures(_scratch: Path) -> list[Figure]:
    """Return what the model derives from what was measured and assumed. Nothing is timed."""
    given = inputs()
    found = [Figure(f"paper: {name}", value, unit, less_is_better=True) for name, value, unit in costs(given)]
    for stage in ingest_stages(given):
        found.append(Figure(f"paper: ingest, if bound by {stage.name}", stage.days, "days", less_is_better=True))
    for layout, spread in _makespans():
        found.append(Figure(f"paper: ingest, {layout.name}, {_where(layout)}", spread.middle, "days", less_is_better=True))
    for days in CYCLES_D:
        risk = paper_storage.at_risk(given, days, SEED)
        found.append(Figure(f"paper: damaged and not known, audits every {days} days", risk / 1e3, "kB", less_is_better=True))
    for each in paper_storage.durability(given, MIRRORS_MAX, SEED):
        name = f"paper: expected loss a year, {each.mirrors} mirror{'s' if each.mirrors > 1 else ''}"
        found.append(Figure(name, each.lost_by_formula / 1e6, "MB", less_is_better=True))
    return found


@cache
def _makespans() -> tuple[tuple[paper_ingest.Layout, paper_ingest.Spread], ...]:
    given = inputs()
    return tuple((layout, paper_ingest.makespan_days(given, layout, SEED)) for layout in LAYOUTS)


def _where(layout: paper_ingest.Layout) -> str:
    return "S3 in the same room" if layout.latency_key == "near_latency_s" else "S3 in the cloud"


def tables() -> Mapping[str, str]:
    """Return each table of the page by name, as Markdown."""
    given = inputs()
    return {
        "measured": _lines(given.of(MEASURED)),
        "assumed": _lines(given.of(ASSUMED)),
        "requests": _requests(),
        "costs": _table(("what", "figure"), [(name, f"{_shown(value)} {unit}".rstrip()) for name, value, unit in costs(given)]),
        "stages": _stages(ingest_stages(given)),
        "makespan": _makespan(given),
        "traffic": _traffic(given),
        "risk": _risk(given),
        "durability": _durability(given),
    }


def _table(head: Row, rows: Sequence[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)


def _shown(value: float) -> str:
    """Return a number with three digits that count, large and small ones in words of ten."""
    if value and abs(value) < 0.001:
        return f"{value:.1e}"
    return number(float(f"{value:.3g}"))


def _bytes(value: float) -> str:
    """Return bytes with the unit that fits."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{_shown(value / size)} {unit}"
    return f"{_shown(value)} B"


def _lines(lines: Sequence[Line]) -> str:
    rows = []
    for line in lines:
        unit = line.unit
        value = _bytes(line.value) + unit.removeprefix("B") if unit in ("B", "B/s") else f"{_shown(line.value)} {unit}".rstrip()
        rows.append((line.name, value, line.source))
    return _table(("what", "value", "measured by" if lines[0].kind == MEASURED else "assumed after"), rows)


_DEEDS = {
    "acquire_batch": "a batch that is acquired (at most 1,000 objects or 1 GB)",
    "acquire_object": "an object in it",
    "acquire_file": "a file of an object",
    "acquire_long_file_more": "more for a file of three parts (over 16 MiB)",
    "audit_object": "an object that is audited",
    "audit_file": "a file of it, 3.5 MB",
    "look_object": "an object that was audited before, and is not due",
    "look_file": "a file of it",
    "repair_piece": "one `repair` of one piece of a file of 3.5 MB, its look for what is ill included",
    "repair_piece_of_long_file": "the same for a file of three parts",
}


def _requests() -> str:
    kinds = ("PUT", "POST", "GET", "HEAD", "LIST")
    rows = [(words, *(f"{requests(deed)[kind]:g}" for kind in kinds)) for deed, words in _DEEDS.items()]
    return _table(("for", *kinds), rows)


def _stages(stages: Sequence[Stage]) -> str:
    rows = [(stage.name, f"{_shown(stage.days)} days", stage.why, stage.remedy) for stage in stages]
    return _table(("bound", "300 TB take", "because", "what to do"), rows)


def _makespan(given: Inputs) -> str:
    rows = []
    for layout, spread in _makespans():
        dollars = spread.middle * 24 * given["nodes"] * given["node_price"]
        span = f"{_shown(spread.middle)} days ({_shown(spread.low)} to {_shown(spread.high)})"
        rows.append((layout.name, _where(layout), span, f"{_shown(dollars)} USD"))
    return _table(("drivers", "store", "from the first byte to the last, 5 to 95 %", "40 nodes for so long"), rows)


def _traffic(given: Inputs) -> str:
    rows = []
    for each in paper_storage.traffic(given, SEED):
        ratio = f"{each.by_files / each.by_pieces:.1f}"
        rows.append((each.name, _shown(each.per_year), _bytes(each.by_pieces), _bytes(each.by_files), ratio))
    return _table(("a mirror, a year", "times", "fetched by pieces", "by whole files", "ratio"), rows)


def _risk(given: Inputs) -> str:
    rows = []
    for days in CYCLES_D:
        rate = given["bytes"] / (days * 86_400)
        disks = -(-given["bytes"] // given["disk_bytes"])
        share = 100 * rate / (disks * given["disk_speed"])
        risk = paper_storage.at_risk(given, days, SEED)
        rows.append((f"{days} days", f"{_bytes(rate)}/s", f"{_shown(share)} %", _bytes(risk)))
    return _table(("everything read every", "reading all the time", "of its disks", "damaged and not known, in the mean"), rows)


def _durability(given: Inputs) -> str:
    rows = []
    for each in paper_storage.durability(given, MIRRORS_MAX, SEED):
        rare = each.by_formula * paper_storage.YEARS < 10
        simulated = "too rare" if rare else _bytes(each.lost_bytes)
        years = f"{_shown(100 * each.by_formula)} %" if each.by_formula < 0.1 else "most years"
        rows.append((str(each.mirrors), simulated, _bytes(each.lost_by_formula), years))
    return _table(("mirrors", "lost a year, simulated", "in closed form", "chance of any loss a year"), rows)


def page_with(text: str, made: Mapping[str, str]) -> str:
    """Return a page with its tables made anew, between their markers. Raises: ValueError for a table that it has not."""
    for name, table in made.items():
        begin = text.index(BEGIN.format(name)) + len(BEGIN.format(name))
        text = text[:begin] + table + text[text.index(END, begin) :]
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, or write them into the page. Returns: the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.paper", description="The tables of docs/scale.md.")
    parser.add_argument("--write", action="store_true", help="write them into the page")
    if parser.parse_args(arguments).write:
        PAGE.write_text(page_with(PAGE.read_text("utf-8"), tables()), "utf-8")
        return 0
    for name, table in tables().items():
        print(f"## {name}\n\n{table}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
