"""The same store and settings make the same torrents anywhere, and a lost edition comes back as one that its mirrors go on with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from flows_mirror import follow_place, seeded
from flows_world import StoppedClock, bytes_of, copy_archive, make_anew, make_archive, opened, put_out, small_music, take

from fonoteca.edges.clock import SystemClock

pytestmark = pytest.mark.xdist_group("swarm")
ELSEWHERE = {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "4711", "COLUMNS": "40"}


def bare_copy(made: Path, target: Path) -> Path:
    """Return a copy of an archive's store, settings and secrets alone, its files made in the opposite order."""
    kept = [
        path for part in ("store", "keys", "private") for path in sorted((made / part).rglob("*"), reverse=True) if path.is_file()
    ]
    for path in (*kept, made / "fonoteca.toml", made / "archive.json"):
        copy = target / path.relative_to(made)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return target


def torrents(folder: Path) -> dict[str, bytes]:
    """Return the torrents of an edition's drops of the store, by path: catalogues and search indexes are made anew each time."""
    found = bytes_of(folder / "editions", "drops/metadata-", "drops/search-")
    return {path: content for path, content in found.items() if path.endswith(".torrent")}


def test_the_same_store_makes_the_same_torrents_in_another_process_place_language_zone_and_order(tmp_path: Path) -> None:
    """One copy is from before the first publication, one from after it, with its edition and register lost."""
    made = make_archive(tmp_path / "origin")
    with opened(made) as archive:
        take(archive, small_music(tmp_path / "music"))
    before = bare_copy(made, tmp_path / "a b" / "before \N{LATIN SMALL LETTER E WITH ACUTE}")
    with opened(made) as archive:
        put_out(archive)
    lost = bare_copy(made, tmp_path / "lost")
    script = Path(__file__).with_name("swarms_elsewhere.py")
    path = os.pathsep.join([str(Path(__file__).parents[1] / "flows"), *sys.path])
    words = [sys.executable, str(script), str(before), str(lost)]
    ended = subprocess.run(
        words, env={**os.environ, **ELSEWHERE, "PYTHONPATH": path}, capture_output=True, check=False, timeout=200
    )
    assert ended.returncode == 0, ended.stderr.decode()
    expected = torrents(made)
    assert len(expected) >= 2
    assert torrents(lost) == expected
    assert torrents(before) == expected


def test_a_lost_edition_is_taken_back_from_a_mirror_or_made_anew_as_one_that_its_mirrors_go_on_with(tmp_path: Path) -> None:
    made, mirror = make_archive(tmp_path / "origin"), tmp_path / "mirror"
    now = SystemClock().now()
    with opened(made, clock=StoppedClock(now)) as archive:
        take(archive, small_music(tmp_path / "music"))
        put_out(archive)
    for hour in range(1, 4):  # signs its date anew, so that mirrors see later versions than editions there are
        with opened(made, clock=StoppedClock(now + timedelta(hours=hour))) as archive:
            put_out(archive)
    with seeded(made) as given:
        first = follow_place(mirror, made, given)
    expected, signed = torrents(made), bytes_of(made / "editions")
    shutil.rmtree(made / "editions")
    with seeded(mirror) as given:
        taken_back = copy_archive(made, tmp_path / "taken-back")
        follow_place(taken_back, mirror, given)
    assert (
        bytes_of(mirror / "editions", "mirror.json").items()
        <= bytes_of(taken_back / "editions", "mirror.json").items()
        <= signed.items()
    )
    with opened(taken_back, clock=StoppedClock(now + timedelta(hours=4))) as archive:
        assert (put_out(archive).number, archive.editions.signs_own()) == (1, True)
    for path in made.glob("register.sqlite*"):
        path.unlink()
    with opened(made, clock=StoppedClock(now + timedelta(hours=4))) as archive:
        make_anew(archive)
        put_out(archive)
    assert torrents(made) == expected
    with seeded(made) as given:
        again = follow_place(mirror, made, given)
    assert (first.number, again.number, again.root_sha256) == (1, 2, first.root_sha256)
    assert torrents(mirror) == expected
