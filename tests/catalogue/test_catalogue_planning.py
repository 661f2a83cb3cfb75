"""The plan of a catalogue: what it may want, what it keeps beside popularity order, its file of wants, and its phases."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from catalogue_world import StillClock, held_track, listening_of, mapping_of, recordings_csv
from hypothesis import given, settings
from hypothesis import strategies as st
from test_catalogue_crash import CutCalls, PowerCutError

from fonoteca.catalogue import Catalogue
from fonoteca.catalogue.encodings import KNOWN, Smallest, Wanted, open_encodings, parse_encoding
from fonoteca.catalogue.planning import choose
from fonoteca.catalogue.wantsfile import Parts, chosen_of
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_calls import SystemCalls
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.catalogue import AS_OFFERED, OPUS_75, Encoding, Permit, Plan, PlanQuestion
from fonoteca.model.errors import StoreError, UsageError

ANY = Permit.ANY_FORMAT


def asked(budget_bytes: int, *encodings: Encoding, phase_bytes: int = 10**12) -> PlanQuestion:
    return PlanQuestion(budget_bytes, phase_bytes, encodings)


@pytest.fixture
def planned(catalogue: Catalogue, tmp_path: Path) -> Catalogue:
    """Six recordings: four wanted, of which one is under no licence, one of uneven size, and two held."""
    path = tmp_path / "a.csv"
    path.write_text("key,title,artist,size,licence\nbig,Big,A,1000,L\nmid,Mid,B,300,L\nlow,Low,C,300,L\nbare,Bare,D,1,\n")
    columns = {"key": "key", "title": "title", "artist": "artist", "file_bytes": "size", "licence": "licence"}
    catalogue.import_table([path], mapping_of("music", columns=columns))
    heard = {"big": (100, 100), "mid": (90, 90), "low": (80, 80), "bare": (500, 500)}
    catalogue.import_table([listening_of(tmp_path / "l.csv", heard)], mapping_of("heard", "listening", key_source="music"))
    catalogue.import_store([held_track(1), held_track(2)])
    catalogue.build()
    return catalogue


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """Sixty recordings under a synthetic history."""
    folder = tmp_path_factory.mktemp("plans")
    for name in ("catalogue", "staging"):
        (folder / name).mkdir()
    with Catalogue(DiskBlobs(folder / "catalogue"), DiskStaging(folder / "staging"), StillClock()) as catalogue:
        catalogue.import_table([recordings_csv(folder / "a.csv", 60)], mapping_of())
        catalogue.import_synthetic_history(1, 50)
        catalogue.build()
        yield catalogue


def licensed(licence: str) -> Permit:
    return ANY if licence == "L" else Permit.REFUSED


# What may be wanted


def test_a_plan_keeps_more_listening_than_popularity_order_in_the_same_bytes(planned: Catalogue) -> None:
    plan = planned.plan(asked(1000), licensed)
    assert [want.title for want in plan.wants] == ["Mid", "Low"]
    assert (plan.want_count, plan.plan_bytes, plan.candidate_count, plan.left_out_count) == (2, 600, 3, 1)
    assert plan.held_share < plan.by_popularity.share < plan.kept.share <= plan.bound.share <= 1
    assert plan.optimal


def test_rights_are_asked_once_a_licence_and_what_is_held_is_never_wanted(planned: Catalogue) -> None:
    licences: list[str] = []

    def permits(licence: str) -> Permit:
        licences.append(licence)
        return Permit.AS_OFFERED

    plan = planned.plan(asked(10**9), permits)
    # What is held is under a licence too, which nobody need be asked about; asking does no harm.
    assert len(licences) == len(set(licences))
    assert {"", "L"} <= set(licences)
    assert {want.title for want in plan.wants} == {"Big", "Mid", "Low", "Bare"}
    assert plan.kept.share == pytest.approx(1)
    assert (plan.left_out_count, plan.left_out_share) == (0, 0)


def test_what_rights_refuse_is_left_out_however_much_it_is_heard(planned: Catalogue) -> None:
    plan = planned.plan(asked(10**9), licensed)
    assert "Bare" not in {want.title for want in plan.wants}
    assert plan.kept.share + plan.left_out_share == pytest.approx(1)
    assert plan.bound.share < 1


def test_where_nothing_may_be_wanted_the_plan_is_what_is_held(planned: Catalogue) -> None:
    plan = planned.plan(asked(10**9), lambda _: Permit.REFUSED)
    assert (plan.wants, plan.want_count, plan.plan_bytes, plan.phases, plan.encodings) == ((), 0, 0, (), ())
    assert plan.kept.share == plan.bound.share == plan.held_share
    assert plan.held_share == pytest.approx(planned.coverage().held_share)
    assert planned.wants() == []


@pytest.mark.parametrize("budget", [0, -1, 2**60])
def test_a_budget_out_of_bounds_is_refused(budget: int) -> None:
    with pytest.raises(UsageError, match="a budget of"):
        PlanQuestion(budget)


def test_a_budget_smaller_than_anything_says_what_the_smallest_takes(planned: Catalogue) -> None:
    with pytest.raises(UsageError, match="the smallest recording takes 300 B"):
        planned.plan(asked(299), licensed)
    assert planned.current_plan() is None


def test_without_a_snapshot_there_is_no_plan(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match="there is no snapshot yet"):
        catalogue.plan(asked(1000), licensed)
    with pytest.raises(UsageError, match="there is none yet"):
        catalogue.wants()
    assert catalogue.current_plan() is None


# Encodings


def test_another_format_is_wanted_only_where_rights_let_it_be_made() -> None:
    encodings = (OPUS_75, Encoding("mp3-96", 96_000, 0.8, source="jamendo"))
    assert open_encodings(encodings, Permit.REFUSED, "jamendo") == 0
    assert open_encodings(encodings, Permit.AS_OFFERED, "elsewhere") == 0b001
    assert open_encodings(encodings, Permit.AS_OFFERED, "jamendo") == 0b101
    assert open_encodings(encodings, Permit.ANY_FORMAT, "elsewhere") == 0b011
    assert open_encodings(encodings, Permit.ANY_FORMAT, "jamendo") == 0b111


def test_a_sources_encoding_is_open_to_what_it_offers_whoever_names_it(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,title,artist,duration\n0000000a-1111-4222-8333-444444444444,Song,Singer,200\n")
    named = {"id": "id", "title": "title", "artist": "artist", "duration_s": "duration"}
    catalogue.import_table([tmp_path / "a.csv"], mapping_of("names", columns=named))
    (tmp_path / "b.csv").write_text("key,title,artist,duration,licence,size\nk,Song,Singer,200,L,9000000\n")
    offered = {"key": "key", "title": "title", "artist": "artist", "duration_s": "duration", "licence": "licence"}
    catalogue.import_table([tmp_path / "b.csv"], mapping_of("offers", columns={**offered, "file_bytes": "size"}))
    catalogue.build()
    (row,) = catalogue.rows()
    assert (row.source, row.licence_uri, row.file_bytes) == ("names", "L", 9_000_000)
    for source, encoding in (("offers", "mp3-96"), ("names", AS_OFFERED)):
        plan = catalogue.plan(asked(9_000_000 - (source == "offers"), Encoding("mp3-96", 96_000, 0.9, source)), licensed_as_it_is)
        assert [want.encoding for want in plan.wants] == [encoding]


def licensed_as_it_is(licence: str) -> Permit:
    return Permit.AS_OFFERED if licence == "L" else Permit.REFUSED


def test_an_encoding_is_chosen_where_it_keeps_more_in_the_bytes(heard: Catalogue) -> None:
    small, whole = 10**7, 10**9
    mixed = heard.plan(asked(small, OPUS_75), lambda _: ANY)
    assert {part.name for part in mixed.encodings} <= {AS_OFFERED, "opus-75"}
    assert any(want.encoding == "opus-75" for want in mixed.wants)
    assert sum(part.want_count for part in mixed.encodings) == mixed.want_count
    own = heard.plan(asked(small), lambda _: ANY)
    kept_formats = heard.plan(asked(small, OPUS_75), lambda _: Permit.AS_OFFERED)
    assert mixed.kept.value > own.kept.value == kept_formats.kept.value
    assert {want.encoding for want in (*own.wants, *kept_formats.wants)} == {AS_OFFERED}
    everything = heard.plan(asked(whole, OPUS_75), lambda _: ANY)
    assert {want.encoding for want in everything.wants} == {AS_OFFERED}
    assert everything.kept.value == pytest.approx(1)


def test_a_recording_is_wanted_once(heard: Catalogue) -> None:
    plan = heard.plan(asked(4 * 10**7, *KNOWN), lambda _: ANY)
    wants = heard.wants(0, 1000)
    assert len(wants) == plan.want_count == len({want.recording for want in wants})


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("opus-75", OPUS_75),
        ("opus-75=75k:0.98", OPUS_75),
        ("opus-64=64000:0.5", Encoding("opus-64", 64_000, 0.5)),
        ("flac@internet-archive=1.2M", Encoding("flac", 1_200_000, 1.0, "internet-archive")),
    ],
)
def test_an_encoding_is_read_as_it_is_written(text: str, encoding: Encoding) -> None:
    assert parse_encoding(text) == encoding


@pytest.mark.parametrize(
    "text",
    [
        *("", "opus", "opus=", "opus=75k:", "opus=75k:2", "opus=75k:0", "opus=75k:0.9.1", "opus=0:0.5", "opus=900M:0.5"),
        *("=75k:0.9", "O P=75k:0.9", "as-offered=75k:0.9", "opus=-75k:0.9", "opus=75x:0.9", "a@=75k:0.9", "opus=nan:0.9"),
    ],
)
def test_an_encoding_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="encoding"):
        parse_encoding(text)


def test_encodings_are_few_and_each_has_one_meaning() -> None:
    with pytest.raises(UsageError, match="each once"):
        asked(1000, OPUS_75, Encoding("opus-75", 75_000, 0.5))
    with pytest.raises(UsageError, match="at most"):
        asked(1000, *(Encoding(f"e{n}", 1000 * n, 0.5) for n in range(1, 9)))


# Beside popularity order


@given(budget=st.integers(2 * 10**6, 10**8), encodings=st.sampled_from([(), (OPUS_75,), KNOWN]))
@settings(max_examples=30, deadline=None)
def test_a_plan_never_keeps_less_than_popularity_order(heard: Catalogue, budget: int, encodings: tuple[Encoding, ...]) -> None:
    plan = heard.plan(asked(budget, *encodings), lambda _: ANY)
    assert plan.by_popularity.share <= plan.kept.share <= plan.bound.share
    assert max(plan.by_popularity.value, plan.by_popularity_smallest.value) <= plan.kept.value <= plan.bound.value
    assert plan.by_popularity.value == pytest.approx(plan.by_popularity.share)
    assert plan.kept.value <= plan.kept.share
    assert plan.plan_bytes <= budget
    assert plan.synthetic


def made_up(count: int, seed: int, *encodings: Encoding) -> Wanted:
    """Return recordings in order of popularity, listening as heavy-tailed as it is, under two licences."""
    rng = np.random.default_rng(seed)
    share = np.sort(1 / (1 + rng.permutation(count)) ** 1.1)[::-1]
    duration_ms = (1 + rng.gamma(8, 30_000, count)).astype(np.int32)
    mask = np.where(rng.random(count) < 0.8, (1 << (len(encodings) + 1)) - 1, 1).astype(np.uint8)
    rank = np.arange(1, count + 1, dtype=np.uint32)
    return Wanted(rank, share / share.sum(), duration_ms.astype(np.int64) * 24, duration_ms, mask, encodings)


@pytest.mark.parametrize("tightness", [0.01, 0.05, 0.2, 0.7])
@pytest.mark.parametrize("encodings", [(), (OPUS_75,), KNOWN])
def test_on_many_recordings_the_gap_to_the_bound_is_a_thousandth_at_most(tightness: float, encodings: tuple[Encoding, ...]) -> None:
    wanted = made_up(20_000, 3, *encodings)
    outcome = choose(wanted, 0.0, int(wanted.file_bytes.sum() * tightness))
    assert outcome.kept.value >= 0.999 * outcome.bound.value
    assert outcome.by_popularity.share < outcome.kept.share <= outcome.bound.share
    assert outcome.by_popularity_smallest.value < outcome.kept.value


def test_popularity_order_takes_the_most_heard_first_of_whatever_still_fits() -> None:
    sizes = np.array([5, 9, 3, 9, 1, 1, 4], np.int64)
    share = np.array([0.3, 0.2, 0.15, 0.14, 0.1, 0.06, 0.05])
    wanted = Wanted(np.arange(1, 8, dtype=np.uint32), share, sizes, np.full(7, 1000, np.int32), np.ones(7, np.uint8), ())
    outcome = choose(wanted, 0.0, 10)
    assert outcome.by_popularity.share == pytest.approx(0.3 + 0.15 + 0.1 + 0.06)


def test_the_smallest_encoding_is_of_those_that_are_open() -> None:
    wanted = made_up(500, 1, *KNOWN)
    sizes = Smallest(wanted).at(slice(0, 500))[0][0]
    own = wanted.mask == 1
    assert own.any()
    assert (sizes[own] == wanted.file_bytes[own]).all()
    assert (sizes[~own] == wanted.duration_ms[~own].astype(np.int64) * 64_000 // 8000).all()


# The file of wants


def rows_of(folder: Path, plan: Plan) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = pq.read_table(folder / "catalogue" / "plans" / plan.id / "wants.parquet").to_pylist()
    return rows


def test_wants_come_in_order_of_worth_and_add_up(planned: Catalogue, tmp_path: Path) -> None:
    plan = planned.plan(asked(10**9), lambda _: ANY)
    rows = rows_of(tmp_path, plan)
    assert [row["place"] for row in rows] == [1, 2, 3, 4]
    worth = [row["share"] / row["file_bytes"] for row in rows]  # type: ignore[operator]
    assert worth == sorted(worth, reverse=True)
    assert [row["cumulative_bytes"] for row in rows] == [1, 301, 601, 1601]
    assert rows[-1]["cumulative_share"] == pytest.approx(plan.kept.share)
    assert rows[-1]["cumulative_bytes"] == plan.plan_bytes
    by_rank = {recording.popularity.rank: recording for recording in planned.recordings()}
    for row, want in zip(rows, planned.wants(), strict=True):
        recording = by_rank[row["rank"]]  # type: ignore[index]
        assert str(row["recording"]) == recording.id == want.recording
        assert (want.title, want.artist, want.share) == (recording.title, recording.artist, row["share"])
        assert (want.place, want.phase, want.encoding) == (row["place"], row["phase"], row["encoding"])


def test_wants_are_paged(heard: Catalogue) -> None:
    plan = heard.plan(asked(5 * 10**7, OPUS_75), lambda _: ANY)
    whole = heard.wants(0, 10_000)
    assert tuple(whole) == plan.wants
    assert len(whole) == plan.want_count > 20
    assert heard.wants(3, 5) == whole[3:8]
    assert heard.wants(plan.want_count - 2, 100) == whole[-2:]
    assert heard.wants(plan.want_count, 1) == []
    for limit in (0, 10_001):
        with pytest.raises(UsageError, match="a page of"):
            heard.wants(0, limit)


def test_the_same_question_has_the_same_bytes_and_another_takes_its_place(planned: Catalogue, tmp_path: Path) -> None:
    def digests() -> dict[str, str]:
        folder = tmp_path / "catalogue" / "plans"
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    first = planned.plan(asked(1000), licensed)
    before = digests()
    assert set(before) == {"current", f"{first.id}/plan.json", f"{first.id}/wants.parquet"}
    other = planned.plan(asked(1001), licensed)
    assert set(digests()) == {"current", f"{other.id}/plan.json", f"{other.id}/wants.parquet"}
    assert planned.plan(asked(1000), licensed) == first == planned.current_plan()
    assert digests() == before
    assert planned.plan(asked(1000), lambda _: ANY).id != first.id


def test_a_plan_outlives_the_snapshot_it_was_made_of(planned: Catalogue, tmp_path: Path) -> None:
    plan = planned.plan(asked(1000), licensed)
    planned.import_store([held_track(3)])
    assert planned.build().name != plan.snapshot
    assert tuple(planned.wants()) == plan.wants
    assert planned.plan(asked(1000), licensed).id != plan.id


def test_a_plan_that_is_spoilt_is_a_store_error(planned: Catalogue, tmp_path: Path) -> None:
    plan = planned.plan(asked(1000), licensed)
    path = tmp_path / "catalogue" / "plans" / plan.id / "plan.json"
    facts = json.loads(path.read_text())
    del facts["kept"]
    path.write_text(json.dumps(facts))
    with pytest.raises(StoreError, match="lacks what fonoteca-plan/1 has"):
        planned.current_plan()


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


READERS: dict[str, Callable[[Path], list[dict[str, object]]]] = {
    ".csv": _csv,  # type: ignore[dict-item]
    ".jsonl": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
    ".parquet": lambda path: pq.read_table(path).to_pylist(),
}


@pytest.mark.parametrize("ending", READERS)
def test_a_plan_is_exported_with_titles_in_order(planned: Catalogue, tmp_path: Path, ending: str) -> None:
    planned.plan(asked(10**9), lambda _: ANY)
    target = tmp_path / f"it's a plan{ending}"
    planned.export_wants(target)
    rows = READERS[ending](target)
    assert [row["title"] for row in rows] == [want.title for want in planned.wants()]
    assert [int(str(row["cumulative_bytes"])) for row in rows] == [1, 301, 601, 1601]
    with pytest.raises(UsageError, match="not a kind of file"):
        planned.export_wants(tmp_path / "plan.xls")


# Phases


@given(
    sizes=st.lists(st.integers(0, 50), min_size=1, max_size=60),
    phase_bytes=st.integers(1, 120),
    cut=st.integers(0, 60),
)
def test_phases_are_bounded_in_order_and_whole(sizes: list[int], phase_bytes: int, cut: int) -> None:
    parts = Parts(phase_bytes, (AS_OFFERED,))
    whole = np.array(sizes, np.int64)
    numbers: list[int] = []
    before = 0
    for piece in (whole[:cut], whole[cut:]):
        numbers += parts.add(before, piece, piece / 100.0, np.zeros(len(piece), np.int8)).tolist()
        before += int(piece.sum())
    assert numbers == sorted(numbers)
    assert sorted(set(numbers)) == list(range(1, len(parts.phases) + 1))
    for number, (phase, following) in enumerate(zip(parts.phases, [*parts.phases[1:], None], strict=True), start=1):
        mine = [size for size, n in zip(sizes, numbers, strict=True) if n == number]
        assert phase[:2] == (len(mine), sum(mine))
        assert phase[2] == pytest.approx(sum(mine) / 100)
        assert sum(mine) <= phase_bytes or sum(size > 0 for size in mine) == 1
        if following:
            first = next(size for size, n in zip(sizes, numbers, strict=True) if n == number + 1)
            assert sum(mine) + first > phase_bytes


def test_a_plan_is_cut_into_phases_that_add_up(heard: Catalogue) -> None:
    plan = heard.plan(asked(10**8, OPUS_75, phase_bytes=10**7), lambda _: ANY)
    assert len(plan.phases) > 5
    assert sum(phase.part_bytes for phase in plan.phases) == plan.plan_bytes
    assert sum(phase.want_count for phase in plan.phases) == plan.want_count
    assert plan.held_share + sum(phase.share for phase in plan.phases) == pytest.approx(plan.kept.share)
    assert max(phase.part_bytes for phase in plan.phases) <= 10**7
    assert [want.phase for want in plan.wants] == sorted(want.phase for want in plan.wants)


def test_phases_without_number_are_refused(heard: Catalogue) -> None:
    with pytest.raises(UsageError, match="would be over 10000"):
        heard.plan(asked(10**8, phase_bytes=1), lambda _: ANY)


def test_wants_are_used_up_in_place() -> None:
    wanted = made_up(1000, 2, OPUS_75)
    share, file_bytes, rank = wanted.share.copy(), wanted.file_bytes.copy(), wanted.rank.copy()
    outcome = choose(wanted, 0.0, int(wanted.file_bytes.sum() * 0.3))
    options = outcome.selection.options.copy()
    sizes = wanted.at(slice(0, 1000))[0]
    chosen = chosen_of(wanted, outcome.selection.options)
    order = chosen.order.astype(int)
    assert sorted(order.tolist()) == list(range(int((options >= 0).sum())))
    rows = np.flatnonzero(options >= 0)
    assert (chosen.rank == rank[rows]).all()
    assert (chosen.share == share[rows]).all()
    assert (chosen.encoding == options[rows]).all()
    assert (chosen.file_bytes == sizes[options[rows], rows]).all()
    assert int(chosen.file_bytes.sum()) == outcome.selection.total_bytes
    assert (chosen.file_bytes[chosen.encoding == 0] == file_bytes[rows][chosen.encoding == 0]).all()
    worth = (chosen.share * np.array([1.0, OPUS_75.value])[chosen.encoding] / chosen.file_bytes)[order]
    assert (np.diff(worth) <= 1e-6 * worth[:-1]).all()


# A crash


def _plan_in(folder: Path, calls: SystemCalls) -> Plan:
    with Catalogue(DiskBlobs(folder / "catalogue", calls), DiskStaging(folder / "staging", calls), StillClock()) as catalogue:
        return catalogue.plan(asked(1001), licensed)


def test_a_crash_at_any_durable_call_leaves_the_old_plan_or_the_new(planned: Catalogue, tmp_path: Path) -> None:
    old = planned.plan(asked(1000), licensed)
    base = tmp_path / "base"
    for name in ("catalogue", "staging"):
        shutil.copytree(tmp_path / name, base / name)
    whole = tmp_path / "whole"
    shutil.copytree(base, whole)
    counted = CutCalls(10**9)
    new = _plan_in(whole, counted)
    assert new.id != old.id
    found = set()
    for calls_left in range(counted.count):
        folder = tmp_path / f"cut-{calls_left}"
        shutil.copytree(base, folder)
        with pytest.raises(PowerCutError):
            _plan_in(folder, CutCalls(calls_left))
        with Catalogue(DiskBlobs(folder / "catalogue"), DiskStaging(folder / "staging"), StillClock()) as after:
            plan = after.current_plan()
            assert plan in (old, new)
            assert plan is not None
            assert len(after.wants()) == plan.want_count
            found.add(plan.id)
            assert after.plan(asked(1001), licensed) == new
        shutil.rmtree(folder)
    assert found == {old.id, new.id}
