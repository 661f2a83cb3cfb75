"""`fonoteca acquire plan`: the wants of the plan in force, and what `--dry-run` says of any acquire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.flows.places import asked_for, places_of
from fonoteca.flows.seeking import Limits, Seeker, estimate
from fonoteca.formats.quantities import parse_bytes, parse_span, show_bytes
from fonoteca.intake import seek_rooms
from fonoteca.model.errors import UsageError
from fonoteca.model.wants import WantRow, WantState
from fonoteca.sources import SOURCES, Remote
from fonoteca.wiring import Archive, open_archive

EXIT_DONE, EXIT_FAILED, EXIT_REFUSED = 0, 1, 3
ROWS_SHOWN = 20
DRY_WANTS_MAX = 10_000
ADDRESSES_SHOWN = 3
ESTIMATE_EVERY_S = 15.0
_STYLES = {WantState.HELD: "green", WantState.REVIEW: "yellow", WantState.REFUSED: "red", WantState.FAILED: "red"}
_SHOWN = {
    WantState.HELD: "held",
    WantState.REVIEW: "for review",
    WantState.NOT_FOUND: "not found",
    WantState.WANTED: "not looked for yet",
}


@dataclass(frozen=True, slots=True)
class PlanAsked:
    """The options of `acquire` that are about a plan, as they were typed."""

    dry_run: bool = False
    status: bool = False
    bytes_max: str = ""
    requests: int = 0
    span: str = ""
    again: bool = False

    @property
    def limits(self) -> Limits:
        """When the run begins nothing new. Raises: UsageError."""
        if self.requests < 0:
            raise UsageError(f"--requests {self.requests}", "expected 0 or more")
        return Limits(
            parse_bytes(self.bytes_max) if self.bytes_max else None,
            self.requests or None,
            parse_span(self.span).total_seconds() if self.span else None,
            self.again,
        )


def acquire_plan(archive: Path, asked: PlanAsked, *, later: bool, refs: Sequence[str], as_json: bool) -> int:
    """Take the wants of the plan in force, or say where they stand. Returns: the exit status."""
    if refs:
        raise UsageError(" ".join(refs), "`acquire plan` takes no REF", "Its places are `sources.places` in fonoteca.toml.")
    limits = asked.limits
    progress = TerminalProgress(quiet=as_json)
    if asked.status or asked.dry_run:
        with open_archive(archive) as opened:
            return _say_status(opened, as_json=as_json) if asked.status else _say_dry_run(opened, as_json=as_json)
    rows: list[WantRow] = []
    found: Counter[WantState] = Counter()
    with open_archive(archive, writing=True) as opened:
        seeker = Seeker(seek_rooms(opened, progress, later=later), limits)
        told_at = 0.0
        for row in seeker.rows():
            found[row.state] += 1
            if as_json:
                rows.append(row)
                continue
            _say_row(row)
            if seeker.seconds() - told_at >= ESTIMATE_EVERY_S:
                told_at = seeker.seconds()
                progress.note(_pace(seeker))
        standing = _standing(opened)
    if as_json:
        spent = {"fetched_bytes": seeker.fetched_bytes, "requests": seeker.requests, "seconds": round(seeker.seconds(), 1)}
        print_json({"plan": seeker.plan.id, "stopped": seeker.stopped, **spent, **standing, "wants": [row_json(r) for r in rows]})
    else:
        _say_end(seeker, standing)
    if found[WantState.FAILED]:
        return EXIT_FAILED
    return EXIT_REFUSED if found[WantState.REFUSED] or found[WantState.REVIEW] else EXIT_DONE


def _say_row(row: WantRow) -> None:
    say(f"{_SHOWN.get(row.state, row.state)}  {row.place}. {row.title} by {row.artist}", _STYLES.get(row.state, ""))
    if row.reason:
        say(f"  {row.reason}")
    if row.next_at is not None:
        say(f"  tried {row.tries} times; again from {row.next_at:%Y-%m-%d %H:%M} UTC on")


def _pace(seeker: Seeker) -> str:
    """Return how far a run is, and between what and what the rest takes."""
    left = seeker.left
    so_far = f"{seeker.settled:,} wants looked for, {show_bytes(seeker.fetched_bytes)}, {seeker.requests:,} requests; {left:,} left"
    span = estimate(seeker.settled, seeker.seconds(), left)
    if span is None:
        return f"{so_far}: too early to say for how long"
    low, high = (timedelta(seconds=round(each)) for each in span)
    return f"{so_far}: between {low} and {high} more at this pace"


def _say_end(seeker: Seeker, standing: Mapping[str, Any]) -> None:
    _say_states(standing)
    say(f"fetched {show_bytes(seeker.fetched_bytes)} with {seeker.requests:,} requests", "bold")
    if seeker.stopped:
        say(f"stopped: {seeker.stopped}. Run the same command again to go on.", "yellow")


def _standing(archive: Archive) -> dict[str, Any]:
    """Return how many wants of the plan in force are in each state."""
    plan = archive.catalogue.current_plan()
    if plan is None:
        raise UsageError("plan", "there is none", "Run `fonoteca plan --budget BYTES` first.")
    counts = dict(archive.register.wants.counts(plan.id))
    counts[WantState.WANTED] = max(0, plan.want_count - sum(counts.values()))
    return {"plan": plan.id, "want_count": plan.want_count, "states": {state.value: counts.get(state, 0) for state in WantState}}


def _say_states(standing: Mapping[str, Any]) -> None:
    rows = [(_SHOWN.get(state, state.value), f"{standing['states'][state.value]:,}") for state in WantState]
    print_table(f"{standing['want_count']:,} wants of plan {standing['plan']}", ("state", "wants"), rows, (1,))


def _say_status(archive: Archive, *, as_json: bool) -> int:
    standing = _standing(archive)
    troubled = (WantState.FAILED, WantState.REVIEW, WantState.REFUSED, WantState.NOT_FOUND)
    shown = {state: archive.register.wants.page(standing["plan"], state, 0, ROWS_SHOWN) for state in troubled}
    if as_json:
        every = [row for state in WantState for row in archive.register.wants.page(standing["plan"], state, 0, DRY_WANTS_MAX)]
        print_json({**standing, "wants": [row_json(row) for row in sorted(every, key=lambda each: each.place)]})
        return EXIT_DONE
    _say_states(standing)
    for state, rows in shown.items():
        if rows:
            say()
        for row in rows:
            _say_row(row)
        more = standing["states"][state.value] - len(rows)
        if more:
            say(f"and {more:,} more {_SHOWN.get(state, state.value)}; `--status --json` has all")
    return EXIT_DONE


def _say_dry_run(archive: Archive, *, as_json: bool) -> int:
    """Say what the wants that come next would ask of whom. Nobody is asked, and nothing is written."""
    plan = archive.catalogue.current_plan()
    if plan is None:
        raise UsageError("plan", "there is none", "Run `fonoteca plan --budget BYTES` first.")
    places = places_of(archive.settings.sources.places)
    wants = archive.catalogue.wants(0, DRY_WANTS_MAX)
    known = archive.register.wants.of([want.recording for want in wants])
    done = {row.recording for row in known.values() if row.state in (WantState.HELD, WantState.REFUSED, WantState.NOT_FOUND)}
    asked = list(asked_for((want for want in wants if want.recording not in done), places))
    hosts: dict[str, dict[str, Any]] = {}
    for each in asked:
        host = hosts.setdefault(each.host, {"host": each.host, "addresses": {}, "wants": 0, "bytes": 0})
        host["addresses"][each.url] = None
        host["wants"] += 1
        host["bytes"] += each.want.file_bytes
    per_second = archive.settings.sources.per_second
    for host in hosts.values():
        host["addresses"] = list(host["addresses"])
        # For each item: what it says of itself, twice, and its files.
        host["requests_about"] = 2 * len(host["addresses"]) + host["wants"]
        host["seconds_at_least"] = round(host["requests_about"] / per_second)
    if as_json:
        print_json({"plan": plan.id, "wants": len(wants), "done": len(done), "hosts": list(hosts.values())})
        return EXIT_DONE
    for host in hosts.values():
        about = f"about {host['requests_about']:,} requests and {show_bytes(host['bytes'])}"
        least = timedelta(seconds=host["seconds_at_least"])
        say(f"{host['host']}: {host['wants']:,} wants, {about}; {least} at least, at {per_second:g} requests a second", "bold")
        for address in host["addresses"][:ADDRESSES_SHOWN]:
            say(f"  {address}")
        if len(host["addresses"]) > ADDRESSES_SHOWN:
            say(f"  and {len(host['addresses']) - ADDRESSES_SHOWN:,} more")
    if not hosts:
        say("nobody would be asked")
    if plan.want_count > len(wants):
        say(f"of the first {len(wants):,} of {plan.want_count:,} wants")
    return EXIT_DONE


def say_asked(kind: str, refs: Sequence[str], *, as_json: bool) -> int:
    """Say what an acquire of references would ask first; nobody is asked. Returns: the exit status."""
    source = SOURCES[kind]
    asked = {ref: source.begins(ref) if isinstance(source, Remote) else "" for ref in refs}
    if as_json:
        print_json({"asked": [{"reference": ref, "first": url} for ref, url in asked.items()]})
        return EXIT_DONE
    for ref, url in asked.items():
        said = f"asks robots.txt, {url}, and what that leads to" if url else "asks no host over the web"
        say(f"{kind} {ref}: {said}")
    return EXIT_DONE


def row_json(row: WantRow) -> dict[str, Any]:
    """Return what became of a want as `--json` shows it."""
    times = {name: at.isoformat() if at else None for name, at in (("next_at", row.next_at), ("changed_at", row.changed_at))}
    return {**asdict(row), "state": row.state.value, **times}
