"""The wants of a plan, from hosts on loopback into a real archive: every want in its right state, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flows_world import NOW, SETTINGS, StoppedClock, change_settings, in_turn, make_archive, opened, track

from fonoteca.catalogue.mapping import TableMapping
from fonoteca.edges.web import open_web
from fonoteca.flows.acquire import AcquireRooms
from fonoteca.flows.catalogue import plan
from fonoteca.flows.places import asked_for, places_of
from fonoteca.flows.seeking import NO_LIMITS, Limits, Seeker, SeekRooms, estimate
from fonoteca.model.catalogue import PlanQuestion
from fonoteca.model.errors import UsageError
from fonoteca.model.manners import Manners
from fonoteca.model.wants import WantRow, WantState
from fonoteca.testing import source_hosts
from fonoteca.testing.source_answers import BY, put_archive_item, put_list
from fonoteca.testing.source_hosts import Given, SourceHost, source_host
from fonoteca.wiring import Archive, catalogue_rooms

MANNERS = Manners("archive@example.org", 1000.0, 4, retry_wait_s_max=1, own_networks=True)
MAPPING = b"""
name = "label"
rows = "recordings"
licence = "CC0"
attribution = "the tests"
date = "2026-01-01"
[columns]
key = "key"
title = "title"
artist = "artist"
release = "release"
duration_s = "seconds"
licence = "licence"
source_uri = "source"
"""
HERE = "http://www.archive.org/download"


@pytest.fixture
def host() -> Iterator[SourceHost]:
    with source_host() as found:
        yield found


@pytest.fixture
def wanting(fast_path: Path) -> Path:
    """An archive that wants ten recordings of ten items, all of them at the Internet Archive."""
    folder = make_archive(fast_path / "archive")
    lines = [f"k{n},Song {n},The Generators,Album {n},{60 + n},{BY},{HERE}/album-{n}/{n}.mp3" for n in range(10)]
    table = fast_path / "label.csv"
    table.write_text("\n".join(["key,title,artist,release,seconds,licence,source", *lines, ""]))
    with opened(folder) as archive:
        archive.catalogue.import_table([table], TableMapping.from_toml(MAPPING, "label.toml"))
        archive.catalogue.build()
        assert plan(catalogue_rooms(archive, in_turn(archive).progress), PlanQuestion(10**9, 10**9, ())).want_count == 10
    return folder


Seek = Callable[..., tuple[dict[str, WantRow], Seeker]]


@pytest.fixture
def seek(wanting: Path, host: SourceHost) -> Seek:
    """Return what runs over the plan once, as a run of its own, and gives what became of wants by their title."""

    def run(
        limits: Limits = NO_LIMITS, later_by: timedelta = timedelta(), places: tuple[str, ...] = (), manners: Manners = MANNERS
    ) -> tuple[dict[str, WantRow], Seeker]:
        with opened(wanting, clock=StoppedClock(NOW + later_by)) as archive:
            archive.__dict__["web"] = web = open_web(wanting / "sources.sqlite", manners)
            try:
                seeker = Seeker(rooms_of(archive, places or (f"internet-archive {host.address}",)), limits)
                return {row.title: row for row in seeker.rows()}, seeker
            finally:
                web.close()

    return run


def rooms_of(archive: Archive, places: tuple[str, ...]) -> SeekRooms:
    desk: AcquireRooms = in_turn(archive)
    return SeekRooms(desk, archive.catalogue, places)


def states(rows: dict[str, WantRow]) -> dict[str, str]:
    return {title: row.state.value for title, row in sorted(rows.items())}


def put_all(host: SourceHost) -> None:
    for number in range(10):
        put_archive_item(host, f"album-{number}", {f"{number}.flac": track(number)})


def test_every_want_ends_in_its_right_state_and_stays_in_it(host: SourceHost, seek: Seek, wanting: Path) -> None:
    put_all(host)
    put_archive_item(host, "album-1", {"1.flac": track(1)}, licence="")
    put_archive_item(host, "album-2", {"2.flac": track(2)}, **{"access-restricted-item": "true"})
    put_archive_item(host, "album-3", {"other.flac": track(3)})
    del host.given["/metadata/album-4"]
    host.put("/download/album-5/5.flac", track(5)[:-1] + b"x")
    host.misdeeds["/download/album-6/6.flac"] = source_hosts.status(403)
    host.misdeeds["/download/album-7/7.flac"] = source_hosts.page
    rows, seeker = seek()
    expected = {
        **dict.fromkeys(("Song 0", "Song 8", "Song 9"), "held"),
        "Song 1": "review",
        "Song 2": "refused",
        "Song 3": "not-found",
        "Song 4": "not-found",
        "Song 5": "failed",
        "Song 6": "refused",
        "Song 7": "failed",
    }
    assert states(rows) == dict(sorted(expected.items()))
    assert (seeker.stopped, seeker.left) == ("", 0)
    assert not host.asked("/download/album-1/1.flac"), "without an admission no byte is asked for"
    assert (rows["Song 5"].tries, rows["Song 5"].next_at) == (1, NOW + timedelta(hours=1))
    asked = len(host.requests)
    assert seek()[0] == {}, "what is settled is not looked for again, and what failed not before its time"
    assert len(host.requests) == asked
    host.put("/download/album-5/5.flac", track(5))
    assert states(seek(later_by=timedelta(hours=2))[0]) == {"Song 5": "held", "Song 7": "failed"}
    with opened(wanting) as archive:
        counts = archive.register.wants.counts(seeker.plan.id)
        assert counts == {WantState.HELD: 4, WantState.REVIEW: 1, WantState.REFUSED: 2, WantState.NOT_FOUND: 2, WantState.FAILED: 1}
        assert sorted(archive.staging.left()) == sorted(name for name in archive.staging.left() if name.startswith("fetch-"))


def test_a_run_ends_within_its_limits_and_the_next_goes_on(host: SourceHost, seek: Seek) -> None:
    put_all(host)
    size = len(track(0))
    rows, seeker = seek(Limits(fetched_bytes=3 * size + size // 2))
    assert 0 < seeker.fetched_bytes <= 3 * size + size // 2
    assert "bytes" in seeker.stopped
    done = len(rows)
    before = len(host.requests)
    rows, seeker = seek(Limits(requests=9))
    assert len(host.requests) - before <= 9
    assert rows
    assert "requests" in seeker.stopped
    assert done + len(rows) + len(seek()[0]) == 10
    assert all(len(host.asked(f"/download/album-{number}/{number}.flac")) == 1 for number in range(10))


def test_a_host_that_wants_to_be_left_alone_leaves_its_wants_as_they_were(host: SourceHost, seek: Seek) -> None:
    put_all(host)
    host.misdeeds["/metadata/album-4"] = source_hosts.status(503, 1, **{"Retry-After": "3600"})
    rows, seeker = seek()
    assert "Song 4" not in rows
    assert "left alone until" in seeker.stopped
    asked = len(host.requests)
    seek()
    assert len(host.requests) == asked


def test_the_next_place_is_asked_where_the_first_has_it_not(host: SourceHost, seek: Seek) -> None:
    put_all(host)
    del host.given["/metadata/album-4"]
    host.put("/free/four.flac", track(40))
    row = {"url": "free/four.flac", "licence": BY, "title": "song 4", "artist": "the generators", "item": "four"}
    places = (f"internet-archive {host.address}", f"http {put_list(host, [row])}")
    rows, _ = seek(places=places)
    assert set(states(rows).values()) == {"held"}
    assert rows["Song 4"].reference.startswith("http ")


def test_a_licence_that_changes_on_the_way_is_held_for_a_person(host: SourceHost, seek: Seek) -> None:
    put_all(host)
    before = host.given["/metadata/album-2"].body
    assert isinstance(before, bytes)
    after = before.replace(BY.encode(), b"https://creativecommons.org/licenses/by-nc-nd/4.0/")
    host.given["/metadata/album-2"] = Given(lambda time: before if time == 1 else after)
    row = seek()[0]["Song 2"]
    assert row.state is WantState.REVIEW
    assert row.reason.startswith("licence-changed")


def test_a_dry_run_asks_nobody(host: SourceHost, wanting: Path) -> None:
    with opened(wanting) as archive:
        asked = list(asked_for(archive.catalogue.wants(), places_of([f"internet-archive {host.address}"])))
    assert {each.url for each in asked} == {f"{host.address}/metadata/album-{number}" for number in range(10)}
    assert not host.requests


@pytest.mark.parametrize("places", [(), ("folder /music",), ("streaming https://example.org",)])
def test_where_nothing_can_be_looked_for_is_said(wanting: Path, places: tuple[str, ...]) -> None:
    change_settings(wanting, replace(SETTINGS, sources=replace(MANNERS, places=places)))
    with opened(wanting) as archive, pytest.raises(UsageError, match=r"sources\.places"):
        Seeker(rooms_of(archive, archive.settings.sources.places))


def test_an_estimate_is_not_given_before_there_is_one_and_narrows() -> None:
    assert estimate(9, 60, 100) is None
    few, many = estimate(16, 160, 100), estimate(10_000, 100_000, 100)
    assert few is not None
    assert many is not None
    assert few[0] < many[0] < 1000 < many[1] < few[1]
