"""A crash at each durable call of an import and a build, one after the other: the old snapshot or the new, never less."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from catalogue_world import StillClock, mapping_of, recordings_csv

from fonoteca.catalogue import Catalogue
from fonoteca.edges.disk import DiskBlobs
from fonoteca.edges.disk_calls import SystemCalls
from fonoteca.edges.disk_staging import DiskStaging
from fonoteca.model.catalogue import Snapshot


class PowerCutError(BaseException):
    """The machine is off. No code may catch it."""


class CutCalls(SystemCalls):
    """System calls until the power is cut; from then on every one of them ends the world."""

    def __init__(self, calls_left: int) -> None:
        self.calls_left = calls_left
        self.count = 0


def _cut(name: str) -> None:
    real = getattr(SystemCalls, name)

    def call(self: CutCalls, *arguments: object) -> object:
        if self.count >= self.calls_left:
            raise PowerCutError(name)
        self.count += 1
        return real(self, *arguments)

    setattr(CutCalls, name, call)


for _name in ("create_file", "write", "fsync", "fsync_dir", "rename", "link", "unlink", "mkdir", "rmdir"):
    _cut(_name)


def _run(folder: Path, calls: SystemCalls | None) -> Snapshot:
    """Replace the table and build."""
    blobs = DiskBlobs(folder / "catalogue", calls) if calls else DiskBlobs(folder / "catalogue")
    staging = DiskStaging(folder / "staging", calls) if calls else DiskStaging(folder / "staging")
    with Catalogue(blobs, staging, StillClock()) as catalogue:
        catalogue.import_table([folder / "new.csv"], mapping_of())
        return catalogue.build()


def _sound(folder: Path) -> Snapshot:
    """Return the snapshot in force, every file of it proved."""
    with Catalogue(DiskBlobs(folder / "catalogue"), DiskStaging(folder / "staging"), StillClock()) as catalogue:
        snapshot = catalogue.snapshot()
        assert snapshot
        files = dict(catalogue.snapshot_files())
        for path, digest in snapshot.files:
            assert hashlib.sha256(files[path].read_bytes()).hexdigest() == digest
        assert all(source.row_count for source in catalogue.sources())
        return snapshot


def test_a_crash_at_any_durable_call_leaves_the_old_snapshot_or_the_new(tmp_path: Path) -> None:
    base = tmp_path / "base"
    for name in ("catalogue", "staging"):
        (base / name).mkdir(parents=True)
    recordings_csv(base / "new.csv", 3)
    old = _run(base, None)
    recordings_csv(base / "new.csv", 4)

    whole = tmp_path / "whole"
    shutil.copytree(base, whole)
    counted = CutCalls(10**9)
    new = _run(whole, counted)
    assert new != old
    assert counted.count > 40

    outcomes = set()
    for calls in range(counted.count):
        folder = tmp_path / "crash"
        shutil.copytree(base, folder)
        with pytest.raises(PowerCutError):
            _run(folder, CutCalls(calls))
        found = _sound(folder)
        assert found in (old, new), calls
        outcomes.add(found.name)
        assert _run(folder, None) == new, calls
        shutil.rmtree(folder)
    assert outcomes == {old.name, new.name}
