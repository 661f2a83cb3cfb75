"""Terms that people set, and editions, mirrors and swarms of what has a term."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from flows_mirror import PATIENCE, Given, follow_place
from flows_world import (
    NOW,
    Quiet,
    StoppedClock,
    artwork,
    audio,
    make_archive,
    opened,
    picture,
    put_item,
    put_out,
    rebuilt_state,
    serving,
    state_of,
    take,
    track,
)

from fonoteca.deskroom import desk_rooms
from fonoteca.edges.swarm import LibtorrentSwarm
from fonoteca.flows.docket import put_and_do, work
from fonoteca.flows.seed import Seeding, seed
from fonoteca.flows.terming import objects_meant
from fonoteca.flows.whereabouts import Whereabouts
from fonoteca.formats.terms import order_of_form, term_order
from fonoteca.model.desk import EntryState
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.terms import ALWAYS, ANYWHERE, Term
from fonoteca.neighbours import SwarmChoice, open_swarm
from fonoteca.people import Role
from fonoteca.ports import Swarm
from fonoteca.serve.paths import object_url
from fonoteca.serve.signing.cookies import SESSION
from fonoteca.wiring import Archive, load_settings, seed_rooms

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
STARTS, ENDS = NOW + HOUR, NOW + 2 * HOUR
LATER = Term(STARTS, ENDS)
PEOPLE = (("Ada", Role.OPERATOR), ("Bea", Role.CURATOR), ("Cid", Role.LISTENER))


def objects_in(archive: Archive, drop_id: str) -> set[ObjectId]:
    """Return what is in a drop."""
    return {member.object_id for member in archive.register.members_of_drop(drop_id)}


def members(archive: Archive) -> set[ObjectId]:
    """Return what is in any drop."""
    return {object_id for drop in archive.register.drops() for object_id in objects_in(archive, drop.id)}


@contextmanager
def seeding_at(folder: Path, at: datetime) -> Iterator[tuple[Swarm, Seeding]]:
    """Seed an archive with a real swarm as it may be given out at a moment."""
    with ExitStack() as open_now:
        archive = Archive(folder, load_settings(folder))
        open_now.callback(archive.close)
        archive.clock = StoppedClock(at)
        swarm = open_now.enter_context(open_swarm(SwarmChoice()))
        yield swarm, seed(seed_rooms(archive, swarm))


def test_a_term_that_a_person_set_survives_a_rebuild_and_the_source_that_says_nothing_of_it(tmp_path: Path) -> None:
    music = tmp_path / "music"
    put_item(music, "one", {"a.flac": track(1), "cover.png": picture()})
    with opened(make_archive(tmp_path / "archive")) as archive:
        take(archive, music)
        meant = objects_meant(archive.register, "folder:one")
        assert meant == [artwork("one"), audio("one")]
        rooms = desk_rooms(archive, Quiet())
        entry = put_and_do(rooms, order_of_form(meant, (NOW + HOUR).isoformat(), "", "de, AT", "her letter of 3 May"))
        assert entry.state is EntryState.DONE
        assert entry.outcome == "it may be shared from 1 March 2026, 13:00:00 UTC, in AT, DE only"
        term = Term(NOW + HOUR, None, frozenset({"AT", "DE"}))
        assert archive.register.terms.all() == dict.fromkeys(meant, term)
        assert [archive.store.rights(each).term for each in meant] == [term, term]
        assert archive.store.head(audio("one")) == 2
        assert any(member.path.endswith("/v2/content/rights.json") for member in archive.store.read(audio("one")).members)
        put_and_do(rooms, term_order(meant, term, "said again"))
        take(archive, music)
        assert archive.store.head(audio("one")) == 2, "the same word again, and a source without it, change nothing"
        before = state_of(archive.register)
    assert rebuilt_state(tmp_path / "archive", tmp_path) == before
    with opened(tmp_path / "archive") as archive:
        put_and_do(desk_rooms(archive, Quiet()), term_order(meant, ALWAYS, "it ended by agreement"))
        assert not archive.register.terms.all()
        assert archive.store.rights(audio("one")).term == ALWAYS
        take(archive, music)
        assert archive.store.head(audio("one")) == 3
        before = state_of(archive.register)
    assert rebuilt_state(tmp_path / "archive", tmp_path) == before


def test_a_word_about_nothing_or_without_a_reason_is_refused(tmp_path: Path) -> None:
    with opened(make_archive(tmp_path / "archive")) as archive:
        rooms = desk_rooms(archive, Quiet())
        for order, words in (
            (term_order([audio("nobody")], LATER, "why not"), "nothing is held"),
            (term_order([audio("nobody")], LATER, " "), "expected a reason"),
            (term_order(["a record"], LATER, "x"), "ObjectId"),
        ):
            with pytest.raises(UsageError, match=words):
                put_and_do(rooms, order)
        with pytest.raises(UsageError, match="no time zone"):
            order_of_form([audio("x")], "2027-05-01T00:00", "", "", "x")
        with pytest.raises(UsageError, match="'QQ' is no territory"):
            order_of_form([audio("x")], "", "", "QQ", "x")
        with pytest.raises(UsageError, match="key of an item"):
            objects_meant(archive.register, "folder:nobody")
        assert not archive.people.docket.in_state(EntryState.WAITING, 9)


def test_an_edition_a_mirror_and_a_swarm_keep_to_the_term(tmp_path: Path) -> None:
    music, folder, clock = tmp_path / "music", tmp_path / "origin", StoppedClock()
    said = f'licence = "CC-BY-4.0"\nfrom = "{STARTS}"\nuntil = "{ENDS}"'
    put_item(music, "hour", {"a.flac": track(1)}, said)
    put_item(music, "local", {"b.flac": track(2)}, 'licence = "CC-BY-4.0"\nterritories = ["AT"]')
    put_item(music, "free", {"c.flac": track(3)})
    with opened(make_archive(folder), clock=clock) as archive:
        take(archive, music)
        clock.at = STARTS - SECOND
        reasons = {each.member.object_id: each.reason for each in put_out(archive).withheld}
        assert reasons == {
            audio("hour"): "it is available from 1 March 2026, 13:00:00 UTC",
            audio("local"): "it is available in AT only",
        }
        assert members(archive) == {audio("free")}
        clock.at = STARTS
        assert put_out(archive).made
        assert members(archive) == {audio("free"), audio("hour")}
    with seeding_at(folder, STARTS) as (swarm, _), LibtorrentSwarm(PATIENCE) as own:
        follow_place(tmp_path / "mirror", folder / "editions", Given(own, Whereabouts((swarm.address,))))
    with opened(tmp_path / "mirror") as mirror:
        assert mirror.store.rights(audio("hour")).term == LATER
        assert mirror.register.terms.closed(ENDS, ANYWHERE) == {audio("hour")}
        (its_drop,) = [row.id for row in mirror.register.drops() if audio("hour") in objects_in(mirror, row.id)]
    for place in (folder, tmp_path / "mirror"):
        with seeding_at(place, ENDS - SECOND) as (_, before), seeding_at(place, ENDS) as (_, after):
            assert set(before.drops) - set(after.drops) == {its_drop}
            assert (its_drop, "nothing of it may be given out now") in after.withheld


def test_a_curator_sets_a_term_by_the_form_and_the_second_one_is_told_of_the_first(tmp_path: Path) -> None:
    music, clock = tmp_path / "music", StoppedClock()
    put_item(music, "one", {"a.flac": track(1), "cover.png": picture()})
    place = f"/desk/terms/{audio('one')}"
    with opened(make_archive(tmp_path / "archive"), clock=clock) as archive:
        take(archive, music)
        accounts = [archive.people.add(name, "four words of mine", role) for name, role in PEOPLE]
        sessions = [archive.people.open_session(account.number) for account in accounts]
        with serving(archive) as address, ExitStack() as clients:
            port = address.rpartition(":")[2]
            ada, bea, cid = (
                clients.enter_context(httpx.Client(base_url=address, cookies={f"{SESSION}-{port}": each}, timeout=30))
                for each in sessions
            )
            assert [httpx.get(address + place).status_code, cid.get(place).status_code] == [401, 403]
            forms = [fields_of(each.get(place)) for each in (ada, bea)]
            wrong = ada.post(place, data={**forms[0], "starts": "2027-05-01T12:00", "reason": "<b>hers</b>"})
            assert wrong.status_code == 422
            assert "no time zone" in wrong.text
            assert 'value="2027-05-01T12:00"' in wrong.text
            assert "<b>hers</b>" not in wrong.text
            assert ada.post(place, data={**forms[0], "starts": "2027-05-01", "reason": ""}).status_code == 422
            first = ada.post(place, data={**forms[0], "starts": "2027-05-01", "reason": "hers"})
            assert first.status_code == 303
            second = bea.post(place, data={**forms[1], "territories": "AT", "reason": "his"})
            assert second.status_code == 409
            assert "2027-05-01" in second.text
            assert [entry.state for entry in work(desk_rooms(archive, Quiet()))] == [EntryState.DONE]
            assert "it may be shared from 1 May 2027" in ada.get(first.headers["location"]).text
            assert archive.register.terms.all().keys() == {audio("one"), artwork("one")}
            assert "shared from 1 May 2027" in httpx.get(address + object_url(audio("one"))).text
            again = fields_of(bea.get(place))
            assert again["starts"] == "2027-05-01T00:00:00Z"
            assert bea.post(place, data={**again, "starts": "", "reason": "it is out", "alone": "1"}).status_code == 303
            assert [entry.outcome for entry in work(desk_rooms(archive, Quiet()))] == ["it may be shared always and everywhere"]
            assert archive.register.terms.all().keys() == {artwork("one")}


def fields_of(page: httpx.Response) -> dict[str, str]:
    """Return the fields of the page's form, as a browser would send them."""
    assert page.status_code == 200
    form = page.text.split('class="sheet"')[1]
    return {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form) if name != "alone"}
