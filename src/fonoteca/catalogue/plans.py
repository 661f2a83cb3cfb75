"""Plans on disk: the answer to one question about one snapshot, whole or not at all.

    plans/current                     the folder in force, written last
    plans/<id>/wants.parquet          what to hold next, in order of worth
    plans/<id>/plan.json              fonoteca-plan/1: the question, and what comes of it

A folder is named for its question: the snapshot's content, budget, encodings, and what rights said. The same question finds
its answer there; another's takes its place, since wants weigh some 40 B each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa

from fonoteca.catalogue.duck import DuckSettings, duck_errors, open_duck
from fonoteca.catalogue.encodings import Wanted
from fonoteca.catalogue.layout import RECORDINGS
from fonoteca.catalogue.planning import Found, Permits, choose, gather, parquet_errors
from fonoteca.catalogue.snapshots import StoredSnapshot
from fonoteca.catalogue.sourcefile import digests_of, parse_json, to_json
from fonoteca.catalogue.wantsfile import (
    PHASES_MAX,
    Chosen,
    Parts,
    check_export,
    chosen_of,
    export_wants,
    read_wants,
    wants_within,
    write_wants,
)
from fonoteca.model.catalogue import AS_OFFERED, Encoding, Kept, Plan, PlannedWithin, PlanPart, PlanQuestion, Snapshot
from fonoteca.model.corridor import Want
from fonoteca.model.errors import StoreError, UsageError
from fonoteca.ports import Blobs, Progress, Staging

PLANS = "plans"
FORMAT = "fonoteca-plan/1"
CURRENT = f"{PLANS}/current"
WANTS_FILE = "wants.parquet"
PLAN_FILE = "plan.json"
FIRST_WANTS = 100
"""How many wants a plan shows of itself."""
PAGE_WANTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class PlanArea:
    """The plan of one catalogue. One writer at a time: the archive's lock is the caller's to hold. local: a blob as a file."""

    blobs: Blobs
    staging: Staging
    duck: DuckSettings
    local: Callable[[str], Path]

    def current(self) -> Plan | None:
        """Return the plan in force with its first wants, None before the first."""
        if self.blobs.size(CURRENT) is None:
            return None
        plan = _plan_at(self.blobs, self.blobs.read(CURRENT).decode("ascii", "replace").strip())
        return replace(plan, wants=tuple(self._wants(plan, 0, FIRST_WANTS)))

    def within(self, snapshot: str, budget_bytes: int) -> PlannedWithin | None:
        """Return what the plan in force brings in so many bytes, None where none is in force or it is of another snapshot.

        Its first wants are the greedy answer for a smaller budget: below the best by less than the first want that does not fit.
        """
        if self.blobs.size(CURRENT) is None:
            return None
        plan = _plan_at(self.blobs, self.blobs.read(CURRENT).decode("ascii", "replace").strip())
        if plan.snapshot != snapshot:
            return None
        if budget_bytes >= plan.plan_bytes:
            return PlannedWithin(plan.id, budget_bytes, plan.want_count, plan.plan_bytes, plan.kept.share, whole=True)
        with parquet_errors([self.local(_wants_key(plan))]):
            count, wants_bytes, share = wants_within(self.local(_wants_key(plan)), budget_bytes)
        return PlannedWithin(plan.id, budget_bytes, count, wants_bytes, share if count else plan.held_share, whole=False)

    def wants(self, after_place: int, limit: int) -> list[Want]:
        """Return the wants after a place, at most `limit`. Raises: UsageError."""
        if not 1 <= limit <= PAGE_WANTS_MAX:
            raise UsageError("wants", f"a page of {limit}", f"Ask for 1 to {PAGE_WANTS_MAX}.")
        return self._wants(self._in_force(), max(0, after_place), limit)

    def export(self, target: Path) -> None:
        """Write all wants to a new file. Raises: UsageError for a kind of file that is not known, and before the first plan."""
        check_export(target)
        plan = self._in_force()
        spill = self.staging.folder("catalogue-plan-export")
        try:
            with duck_errors(str(target)), open_duck(self.duck, spill) as duck:
                export_wants(duck, self.local(_wants_key(plan)), self._recordings(plan.snapshot), target)
        finally:
            self.staging.discard(spill)

    def put(self, base: StoredSnapshot, question: PlanQuestion, permits: Permits, progress: Progress) -> Plan:
        """Make the plan, put it in force in place of the one before, and return it with its first wants. All or nothing.

        Raises: UsageError when nothing fits the budget, or its phases are too small.
        """
        recordings = self._recordings(base.snapshot.name)
        with progress.task("reading what there is to want", base.snapshot.recording_count, "recordings") as advance:
            wanted, found = gather(recordings, question.encodings, permits, advance)
        name = _digest(base.snapshot, question, found)
        if self.blobs.size(f"{PLANS}/{name}/{PLAN_FILE}") is None:
            with progress.task("choosing", None):
                plan, chosen = _answer(name, base, question, (wanted, found))
            del wanted  # used up: what is left of it weighs 4 B a recording
            with progress.task("writing the wants", plan.want_count, "wants") as advance:
                self._store(plan, chosen, recordings, advance)
        self.blobs.write(CURRENT, name.encode() + b"\n")
        for child in list(self.blobs.children(PLANS)):
            if f"{PLANS}/{child}" != CURRENT and child != name:
                self.blobs.delete(f"{PLANS}/{child}")
        return self._in_force()

    def _store(self, plan: Plan, chosen: Chosen, recordings: Sequence[Path], advance: Callable[[int], None]) -> None:
        """Write the plan's folder, its phases and encodings counted on the way."""
        question = plan.question
        parts = Parts(question.phase_bytes, (AS_OFFERED, *(encoding.name for encoding in question.encodings)))
        folder = self.staging.folder("catalogue-plan")
        try:
            for count in write_wants(folder / WANTS_FILE, chosen, (recordings, plan.held_share), parts):
                advance(count)
            counted = replace(plan, phases=parts.as_phases(), encodings=parts.as_encodings())
            with self.staging.writer(folder / PLAN_FILE) as stream:
                stream.write(_to_bytes(counted, folder))
            self.blobs.adopt(folder, f"{PLANS}/{plan.id}")
        except (pa.ArrowException, OSError) as error:
            raise StoreError("plan", f"could not be written: {error}", "Check the free space; the old plan stands.") from error
        finally:
            self.staging.discard(folder)

    def _in_force(self) -> Plan:
        plan = self.current()
        if plan is None:
            raise UsageError("plan", "there is none yet", "Make one with `fonoteca plan --budget 300TB`.")
        return plan

    def _wants(self, plan: Plan, after_place: int, limit: int) -> list[Want]:
        key = _wants_key(plan)
        with duck_errors(f"catalogue/{key}"), open_duck(self.duck, None) as duck:
            return read_wants(duck, self.local(key), self._recordings(plan.snapshot), (after_place, limit))

    def _recordings(self, snapshot: str) -> list[Path]:
        """Return the files of a snapshot's recordings in order of rank."""
        found = [self.local(key) for key in self.blobs.keys(f"{snapshot}/{RECORDINGS}")]
        if not found:
            raise UsageError("plan", f"it was made of the snapshot {snapshot}, which is no more", "Plan again.")
        return found


def _answer(name: str, base: StoredSnapshot, question: PlanQuestion, gathered: tuple[Wanted, Found]) -> tuple[Plan, Chosen]:
    """Return the plan without its parts, and what it wants."""
    wanted, found = gathered
    candidate_count = wanted.group_count
    outcome = choose(wanted, found.held_share, question.budget_bytes)
    _check_phases(outcome.selection.total_bytes, question.phase_bytes)
    chosen = chosen_of(wanted, outcome.selection.options)
    plan = Plan(
        id=name,
        snapshot=base.snapshot.name,
        question=question,
        want_count=len(chosen.order),
        plan_bytes=outcome.selection.total_bytes,
        held_share=found.held_share,
        kept=outcome.kept,
        bound=outcome.bound,
        by_popularity=outcome.by_popularity,
        by_popularity_smallest=outcome.by_popularity_smallest,
        optimal=outcome.selection.exact,
        candidate_count=candidate_count,
        left_out_count=found.left_out_count,
        left_out_share=found.left_out_share,
        phases=(),
        encodings=(),
        synthetic=base.basis.synthetic,
    )
    return plan, chosen


def _wants_key(plan: Plan) -> str:
    return f"{PLANS}/{plan.id}/{WANTS_FILE}"


def _check_phases(plan_bytes: int, phase_bytes: int) -> None:
    if plan_bytes // phase_bytes > PHASES_MAX:
        raise UsageError(
            "plan", f"phases of {phase_bytes} bytes would be over {PHASES_MAX}", f"Give {plan_bytes // PHASES_MAX + 1} or more."
        )


def _digest(snapshot: Snapshot, question: PlanQuestion, found: Found) -> str:
    """Return 16 hexadecimal digits that name the question's folder."""
    asked = {
        "format": FORMAT,
        "files": snapshot.files,
        "question": asdict(question),
        "permits": [(licence, permit.value) for licence, permit in found.permits],
    }
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _to_bytes(plan: Plan, folder: Path) -> bytes:
    """Return plan.json, the same to the byte for the same plan."""
    facts = {name: value for name, value in asdict(plan).items() if name != "wants"}
    return to_json({"format": FORMAT, **facts, "files": digests_of(folder, (WANTS_FILE,))})


def _plan_at(blobs: Blobs, name: str) -> Plan:
    """Return the plan that a folder's plan.json describes. Raises: StoreError when it is not one."""
    key = f"{PLANS}/{name}/{PLAN_FILE}"
    facts = parse_json(blobs.read(key), f"catalogue/{key}", FORMAT)
    try:
        asked = facts.pop("question")
        encodings = tuple(Encoding(**encoding) for encoding in asked.pop("encodings"))
        facts["question"] = PlanQuestion(encodings=encodings, **asked)
        for kept in ("kept", "bound", "by_popularity", "by_popularity_smallest"):
            facts[kept] = Kept(**facts[kept])
        for parts in ("phases", "encodings"):
            facts[parts] = tuple(PlanPart(**part) for part in facts[parts])
        return Plan(**{name: value for name, value in facts.items() if name not in ("format", "files")})
    except (KeyError, TypeError, AttributeError, UsageError) as error:
        raise StoreError(f"catalogue/{key}", f"lacks what {FORMAT} has: {error}", "Plan again.") from error
