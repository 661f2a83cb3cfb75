"""Sources asked again on loopback: the same is confirmed, as much is kept, less is a question for a person; politely, in turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flows_world import NOW, SETTINGS, Quiet, in_turn, make_archive, opened, track

from fonoteca.edges.web import open_web
from fonoteca.flows.acquire import acquire
from fonoteca.flows.rechecking import Became, Rechecked, Round, questions, recheck
from fonoteca.flows.replay import replay
from fonoteca.flows.rulings import Ruling, rule
from fonoteca.intake import recheck_rooms
from fonoteca.model.manners import Manners
from fonoteca.model.rights import Hold
from fonoteca.model.settings import RecheckSettings
from fonoteca.model.withdrawal import WithdrawalState
from fonoteca.testing import source_hosts
from fonoteca.testing.clocks import SteppingClock
from fonoteca.testing.source_answers import BY, NC, put_archive_item
from fonoteca.testing.source_hosts import SourceHost, source_host
from fonoteca.wiring import Archive

MANNERS = Manners("archive@example.org", 1000.0, 4, file_bytes_max=1_000_000, retry_wait_s_max=1, own_networks=True)
CC0 = "https://creativecommons.org/publicdomain/zero/1.0/"
SONG = {"1.flac": track(1)}
ITEMS = ("gone", "less", "more", "same", "shut")


@contextmanager
def asking(folder: Path) -> Iterator[Archive]:
    with opened(folder) as archive:
        archive.clock = SteppingClock(NOW)  # type: ignore[assignment]
        archive.__dict__["web"] = web = open_web(folder / "sources.sqlite", MANNERS)
        try:
            yield archive
        finally:
            web.close()


def again(archive: Archive, asked: Round = Round()) -> dict[str, Rechecked]:  # noqa: B008 - it is frozen
    rooms = recheck_rooms(archive, Quiet())
    return {each.question.record.item.partition(":")[2]: each for each in recheck(rooms, asked)}


def held(host: SourceHost, folder: Path) -> Path:
    """Return an archive that holds an item of each name, all under CC BY."""
    with asking(folder) as archive:
        for name in ITEMS:
            put_archive_item(host, name, SONG)
            list(acquire(in_turn(archive), "internet-archive", f"{host.address}/details/{name}"))
    return folder


def change(host: SourceHost) -> None:
    """Let each item say something else."""
    put_archive_item(host, "less", SONG, NC)
    put_archive_item(host, "more", SONG, CC0)
    host.put("/metadata/gone", "{}", "application/json")
    put_archive_item(host, "shut", SONG, **{"access-restricted-item": "true"})


@pytest.fixture
def host() -> Iterator[SourceHost]:
    with source_host() as found:
        yield found


def test_each_answer_of_a_source_has_its_consequence(host: SourceHost, tmp_path: Path) -> None:
    folder = held(host, make_archive(tmp_path / "archive"))
    with asking(folder) as archive:
        assert [each.became for each in again(archive).values()] == [Became.CONFIRMED] * len(ITEMS)
        assert not again(archive, Round(due=True)), "nothing is due for half a year"
        change(host)
        found = again(archive)
        assert {name: each.became for name, each in found.items()} == {
            "gone": Became.DOUBTED,
            "less": Became.DOUBTED,
            "more": Became.RESTATED,
            "same": Became.CONFIRMED,
            "shut": Became.DOUBTED,
        }
        assert "no longer grants commercial" in found["less"].words
        assert archive.evidence.read(dict(found["more"].events[0].facts)["evidence"].split(",")[0])  # type: ignore[union-attr]
        register = archive.register
        waiting = {row.subject: row.rule for row in register.decisions("open", 10)}
        assert sorted(waiting.values()) == ["source-changed", "source-gone", "source-gone"]
        assert not register.withdrawals.masked(), "what was given is not taken back by a web page"
        # A person settles it, and is not asked the same again; the log alone tells all of it.
        rule(archive, [found["less"].question.object_id], Ruling(BY, "it was given under this", archive.clock.now()))
        assert again(archive)["less"].became is Became.RESTATED
        put_archive_item(host, "less", SONG, f"{NC.removesuffix('4.0/')}3.0/")
        assert again(archive)["less"].became is Became.DOUBTED, "something else again is a question again"
        assert {row.subject for row in register.decisions("open", 10)} == set(waiting)
        before = [(row.subject, row.state, row.reason) for row in register.decisions("open", 10)]
        with register.made_anew() as anew:
            replay(anew, archive.store.newest_events())
        assert sorted((row.subject, row.state, row.reason) for row in register.decisions("open", 10)) == sorted(before)


def test_a_run_asks_so_much_and_the_next_goes_on_where_it_ended(host: SourceHost, tmp_path: Path) -> None:
    folder = held(host, make_archive(tmp_path / "archive"))
    with asking(folder) as archive:
        rooms = recheck_rooms(archive, Quiet())
        before = len(host.requests)
        listed = [each.address for each in questions(rooms, Round())]
        assert (len(listed), len(host.requests)) == (len(ITEMS), before), "nobody is asked"
        asked = Counter[str]()
        for step in (Round(items_max=2), Round(requests_max=2), Round(items_max=1)):
            asked.update(list(again(archive, step)))
        assert asked == Counter(ITEMS), "each once, the longest ago first"
        host.misdeeds["/metadata/same"] = source_hosts.status(500)
        host.misdeeds["/metadata/less"] = source_hosts.page
        found = again(archive)
        assert found["less"].became is Became.SILENT
        assert "same" not in found or found["same"].became is Became.SILENT, "it was busy, or did not answer"
        assert not archive.register.decisions("open", 10)


def test_where_the_settings_say_so_it_goes_dark_until_somebody_decided(host: SourceHost, tmp_path: Path) -> None:
    settings = replace(SETTINGS, recheck=RecheckSettings(dark=True))
    folder = held(host, make_archive(tmp_path / "archive", settings))
    change(host)
    with asking(folder) as archive:
        assert sum(each.became is Became.DOUBTED for each in again(archive).values()) == 3
        assert {each.state for each in archive.register.withdrawals.masked().values()} == {WithdrawalState.DISPUTED}
        assert len(archive.register.withdrawals.masked()) == 3
        assert set(again(archive)) == {"more", "same"}, "nobody is asked about what is masked"


def test_a_later_acquire_does_not_take_less_for_more(host: SourceHost, tmp_path: Path) -> None:
    folder = held(host, make_archive(tmp_path / "archive"))
    change(host)
    with asking(folder) as archive:
        songs = len([each for each in host.requests if each.path.startswith("/download/")])
        (outcome,) = acquire(in_turn(archive), "internet-archive", f"{host.address}/details/less")
        assert isinstance(outcome, Hold)
        assert outcome.rule == "source-changed"
        assert len([each for each in host.requests if each.path.startswith("/download/")]) == songs
        (row,) = archive.register.objects_of("internet-archive:less")
        assert (row.head_version, row.licence_uri) == (1, BY)
