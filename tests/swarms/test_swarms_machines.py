"""Several machines: an origin that dies, mirrors that complete each other, and one that follows a mirror alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flows_world import SETTINGS, StoppedClock, bytes_of, make_archive, opened, put_item, put_out, take
from swarms_network import Machine, await_that, machines, why_no_machines
from swarms_sound import sound

from fonoteca.edges.clock import SystemClock
from fonoteca.model.settings import EditionSettings

pytestmark = pytest.mark.xdist_group("swarm")
PORT = 6881
COMMAND = [sys.executable, "-m", "fonoteca"]


def made_origin(folder: Path) -> Path:
    """Return an archive of nine items in one drop, signed by today's clock, and the folder from which its edition is served."""
    for n in range(9):
        put_item(folder / "music", f"item{n}", {"a.wav": sound(n, 100_000)})
    made = make_archive(folder / "origin", replace(SETTINGS, editions=EditionSettings(drop_bytes_max=10_000_000)))
    with opened(made, clock=StoppedClock(SystemClock().now())) as archive:
        take(archive, folder / "music")
        put_out(archive)
    (folder / "web").mkdir()
    (folder / "web" / "editions").symlink_to(made / "editions")
    return made


@contextmanager
def ended(running: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Give a program that is killed when the context ends."""
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def events(said: Path) -> list[dict[str, object]]:
    """Return what a service told so far, one object a line."""
    return [json.loads(line) for line in said.read_text().splitlines() if line.startswith("{") and line.endswith("}")]


def held(folder: Path) -> dict[str, bytes]:
    """Return every file of music of an archive."""
    return {path: content for path, content in bytes_of(folder / "store").items() if path.endswith(".wav")}


def arrived(folder: Path, expected: Mapping[str, bytes]) -> set[str]:
    """Return which files of music lie whole in what a mirror is fetching."""
    found = ((path, staged / path) for staged in (folder / "staging").glob("follow-*") for path in expected)
    return {path for path, file in found if file.is_file() and file.read_bytes() == expected[path]}


def following(mirror: Machine, folder: Path, place: str, peers: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a mirror that goes on. It says what happens in a file beside its folder."""
    words = [*COMMAND, "follow", place, "--keep", "--private", "--json", f"--host={mirror.address}", f"--port={PORT}"]
    return mirror.start([*words, *(f"--peer={each}" for each in peers), f"--archive={folder}"], folder.with_suffix(".log"))


def tells(folder: Path, what: str) -> bool:
    """Return whether a service told that something happened."""
    return any(event["event"] == what for event in events(folder.with_suffix(".log")))


def test_mirrors_that_hold_different_thirds_end_complete_without_their_origin_and_one_more_follows_a_mirror(tmp_path: Path) -> None:
    if reason := why_no_machines():
        pytest.skip(reason)
    made = made_origin(tmp_path)
    expected = held(made)
    with machines(5) as (origin, *three, fourth), ExitStack() as running:
        others = {each: [other for other in three if other is not each] for each in three}
        folders = {each: tmp_path / f"mirror{n}" for n, each in enumerate(three)}
        place = f"http://{origin.address}:8000/editions/"
        peers = {
            each: [f"{origin.address}:{PORT + n}", *(f"{other.address}:{PORT}" for other in others[each])]
            for n, each in enumerate(three)
        }
        for each in three:
            each.cut_off(*others[each])
        script = Path(__file__).with_name("swarms_origin.py")
        words = [sys.executable, script, made, origin.address, str(PORT), tmp_path / "web"]
        giving = running.enter_context(ended(origin.start(words, tmp_path / "origin.log")))
        await_that(lambda: (tmp_path / "origin.log").read_text().endswith("]\n"), "an origin that gives")
        thirds = [set(each) for each in json.loads((tmp_path / "origin.log").read_text())]
        mirrors = {each: running.enter_context(ended(following(each, folders[each], place, peers[each]))) for each in three}
        for each, third in zip(three, thirds, strict=True):
            await_that(lambda folder=folders[each], third=third: arrived(folder, expected) == third, "a third of the music")
        assert [len(third) for third in thirds] == [3, 3, 3]
        assert set.union(*thirds) == set(expected)
        giving.kill()
        mirrors[three[2]].kill()
        for each in three:
            each.join(*others[each])
        mirrors[three[2]].wait()
        running.enter_context(ended(following(three[2], folders[three[2]], place, peers[three[2]])))
        for folder in folders.values():
            await_that(lambda folder=folder: tells(folder, "refreshed"), "a whole mirror")
            assert held(folder) == expected
        fourth.cut_off(origin, *three[1:])
        words = [*COMMAND, "serve", f"--host={three[0].address}", "--port=8420", "--json", f"--archive={folders[three[0]]}"]
        running.enter_context(ended(three[0].start(words, tmp_path / "serve.log")))
        await_that(lambda: "url" in (tmp_path / "serve.log").read_text(), "a site")
        follow = ["follow", f"http://{three[0].address}:8420/editions/", "--json", f"--archive={tmp_path / 'mirror3'}"]
        told = json.loads(fourth.run([*COMMAND, *follow]))
        assert (told["edition"], told["expired"]) == (1, False)
        assert held(tmp_path / "mirror3") == expected
