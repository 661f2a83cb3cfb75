"""A snapshot that another archive made is taken in whole or not at all, and only if it is a catalogue."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from catalogue_world import StillClock, held_track

from fonoteca.catalogue import Catalogue
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.catalogue import Snapshot
from fonoteca.model.errors import TrustError

RECORDINGS_FILE = "recordings/00000.parquet"


class Offer:
    """An archive's snapshot, to be tampered with, and a mirror that may take it in."""

    def __init__(self, folder: Path, mirror: Catalogue) -> None:
        self.folder = folder
        self.mirror = mirror

    def edit(self, change: Callable[[dict[str, Any]], object] = lambda _facts: None) -> Offer:
        """Change snapshot.json, with the right digests of whatever the files are now."""
        path = self.folder / "snapshot.json"
        facts = json.loads(path.read_bytes())
        for file in facts["files"]:
            file["sha256"] = hashlib.sha256((self.folder / file["path"]).read_bytes()).hexdigest()
        change(facts)
        path.write_text(json.dumps(facts))
        return self

    def rewrite(self, select: str, where: str = "") -> Offer:
        """Put other rows into the first file of recordings."""
        path, kept = self.folder / RECORDINGS_FILE, self.folder.parent / "kept.parquet"
        shutil.copyfile(path, kept)
        duckdb.execute(f"COPY (SELECT {select} FROM read_parquet('{kept}') {where}) TO '{path}' (FORMAT parquet)")
        kept.unlink()
        return self.edit()

    def adopt(self) -> Snapshot:
        return self.mirror.adopt_snapshot(self.folder)


@pytest.fixture
def offer(tmp_path: Path) -> Iterator[Offer]:
    clock, staging = StillClock(), DiskStaging(tmp_path / "staging")
    with Catalogue(DiskBlobs(tmp_path / "archive"), staging, clock) as archive:
        archive.import_starter()
        archive.import_store([held_track(number) for number in range(3)])
        archive.import_synthetic_history(7, 50)
        made = archive.build()
    folder = staging.folder("arrived")
    shutil.copytree(tmp_path / "archive" / made.name, folder, dirs_exist_ok=True)
    with Catalogue(DiskBlobs(tmp_path / "mirror"), staging, clock) as mirror:
        yield Offer(folder, mirror)


def test_what_is_built_can_be_taken_in(offer: Offer) -> None:
    facts = json.loads((offer.folder / "snapshot.json").read_bytes())
    adopted = offer.adopt()
    assert (adopted.name, adopted.recording_count, adopted.synthetic) == (facts["name"], facts["recording_count"], True)
    assert offer.mirror.snapshot() == adopted
    assert offer.mirror.coverage().held_count == 3
    assert len(list(offer.mirror.rows())) == adopted.recording_count


TAMPERED: dict[str, Callable[[Offer], object]] = {
    "a title that is nothing": lambda o: o.rewrite("* REPLACE (nullif(title, title) AS title)"),
    "a column that is missing": lambda o: o.rewrite("* EXCLUDE (share)"),
    "a column of another type": lambda o: o.rewrite("* REPLACE ('x' AS share)"),
    "a share that is no number": lambda o: o.rewrite("* REPLACE ('nan'::DOUBLE AS share)"),
    "a share that is negative": lambda o: o.rewrite("* REPLACE (-share AS share)"),
    "an interval without its share": lambda o: o.rewrite("* REPLACE (share_high AS share_low)"),
    "ranks that repeat": lambda o: o.rewrite("* REPLACE (1::BIGINT AS rank)"),
    "fewer rows than promised": lambda o: o.rewrite("*", "WHERE rank < 9"),
    "more recordings than rows": lambda o: o.edit(
        lambda f: (f.update(recording_count=9), f["popularity"].update(recording_count=9))
    ),
    "no recordings": lambda o: o.edit(lambda f: (f.update(recording_count=0), f["popularity"].update(recording_count=0))),
    "listening of nobody": lambda o: o.edit(lambda f: f["popularity"]["sources"][0].update(effective_listeners=0)),
    "listening without end": lambda o: o.edit(lambda f: f["popularity"]["sources"][0].update(listens=float("inf"))),
    "another digest": lambda o: o.edit(lambda f: f["files"][0].update(sha256="0" * 64)),
    "a name that leads out": lambda o: o.edit(lambda f: f.update(name="../2026-01-31")),
    "a file too many": lambda o: (o.folder / "more").write_bytes(b""),
    "a file that is missing": lambda o: (o.folder / RECORDINGS_FILE).unlink(),
    "no Parquet": lambda o: ((o.folder / RECORDINGS_FILE).write_bytes(b"junk"), o.edit()),
    "no JSON": lambda o: (o.folder / "snapshot.json").write_bytes(b"{"),
}


@pytest.mark.parametrize("lie", TAMPERED)
def test_what_is_no_catalogue_is_not_taken_in(offer: Offer, lie: str) -> None:
    TAMPERED[lie](offer)
    with pytest.raises(TrustError):
        offer.adopt()
    assert offer.mirror.snapshot() is None


def test_two_snapshots_cannot_have_one_name(offer: Offer, tmp_path: Path) -> None:
    other = tmp_path / "staging" / "other"
    shutil.copytree(offer.folder, other)
    first = offer.adopt()
    again = Offer(other, offer.mirror)
    shutil.copytree(other, tmp_path / "staging" / "same")
    assert Offer(tmp_path / "staging" / "same", offer.mirror).adopt() == first
    again.edit(lambda f: f["popularity"].update(unmatched_listens=1))
    with pytest.raises(TrustError, match="another snapshot of this name"):
        again.adopt()
    assert offer.mirror.snapshot() == first
