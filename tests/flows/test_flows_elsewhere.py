"""Music from hosts on loopback that answer as sources do, into a real archive: what is admitted, and what is caught."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from flows_world import NOW, SETTINGS, StoppedClock, audio, in_turn, make_archive, opened, put_item, serving, track
from flows_world import take as own_take

from fonoteca.edges.web import open_web
from fonoteca.flows import fetching
from fonoteca.flows.acquire import Acquired, Failed, Outcome, acquire
from fonoteca.flows.fetching import Fetching, FetchRooms, Spoilt, promised_bytes
from fonoteca.model.errors import FonotecaError, SourceError
from fonoteca.model.manners import Manners
from fonoteca.model.rights import Hold, Refusal
from fonoteca.model.settings import OaiSettings
from fonoteca.model.terms import Term
from fonoteca.rights import decide
from fonoteca.sources import SOURCES
from fonoteca.testing import source_hosts
from fonoteca.testing.source_answers import BY, NC, put_archive_item
from fonoteca.testing.source_hosts import Answering, Given, SourceHost, source_host

MANNERS = Manners("archive@example.org", 1000.0, 4, file_bytes_max=1_000_000, retry_wait_s_max=2, own_networks=True)


@pytest.fixture
def host() -> Iterator[SourceHost]:
    with source_host() as found:
        yield found


@pytest.fixture
def take(fast_path: Path) -> Callable[[str, str], list[Outcome]]:
    """Return what acquires a reference of a kind into one archive, each time as a run of its own."""
    folder = make_archive(fast_path / "archive")

    def run(kind: str, ref: str) -> list[Outcome]:
        with opened(folder) as archive:
            archive.__dict__["web"] = web = open_web(folder / "sources.sqlite", MANNERS)
            try:
                return list(acquire(in_turn(archive), kind, ref))
            finally:
                web.close()

    return run


def put_songs(host: SourceHost, name: str, licence: str = BY, *numbers: int, **metadata: str) -> None:
    """Put an item as the Internet Archive has it."""
    put_archive_item(host, name, {f"{number}.flac": track(number) for number in numbers or (1, 2)}, licence, **metadata)


def test_an_item_of_the_internet_archive_is_held_as_it_was_uploaded(host: SourceHost, take: Callable[..., list[Outcome]]) -> None:
    put_songs(host, "album-1")
    (outcome,) = take("internet-archive", f"{host.address}/details/album-1")
    assert isinstance(outcome, Acquired), outcome
    assert (outcome.object_id, outcome.file_count) == (audio("album-1").replace("folder", "internet-archive"), 2)
    assert {each.path for each in host.asked()} == {"/metadata/album-1", "/download/album-1/1.flac", "/download/album-1/2.flac"}


@pytest.mark.parametrize(
    ("metadata", "kind", "rule"),
    [
        ({"licenseurl": ""}, Hold, "no-evidence"),
        ({"access-restricted-item": "true"}, Refusal, "nothing-offered"),
        ({"licenseurl": "", "rights": "all mine"}, Hold, "free-text-only"),
        ({"licenseurl": "https://example.org/my-own-terms"}, Hold, "licence-unknown"),
    ],
)
def test_without_an_admission_no_song_is_asked_for(
    host: SourceHost, take: Callable[..., list[Outcome]], metadata: dict[str, str], kind: type, rule: str
) -> None:
    put_songs(host, "album-1", **metadata)
    (outcome,) = take("internet-archive", f"{host.address}/details/album-1")
    assert isinstance(outcome, kind)
    assert outcome.rule == rule
    assert {each.path for each in host.asked()} == {"/metadata/album-1"}


def test_a_licence_that_changes_between_listing_and_download_is_caught(
    host: SourceHost, take: Callable[..., list[Outcome]]
) -> None:
    put_songs(host, "album-1")
    before = host.given["/metadata/album-1"].body
    assert isinstance(before, bytes)
    host.given["/metadata/album-1"] = Given(lambda time: before if time == 1 else before.replace(BY.encode(), NC.encode()))
    (outcome,) = take("internet-archive", f"{host.address}/details/album-1")
    assert isinstance(outcome, Hold)
    assert outcome.rule == "licence-changed"


def test_other_bytes_than_were_stated_are_not_held(host: SourceHost, take: Callable[..., list[Outcome]]) -> None:
    put_songs(host, "album-1")
    host.put("/download/album-1/2.flac", track(2)[:-1] + b"x")
    (outcome,) = take("internet-archive", f"{host.address}/details/album-1")
    assert isinstance(outcome, Failed)
    assert "expected sha1" in outcome.error.problem
    host.put("/download/album-1/2.flac", track(2))
    (outcome,) = take("internet-archive", f"{host.address}/details/album-1")
    assert isinstance(outcome, Acquired)
    assert len(host.asked("/download/album-1/1.flac")) == 1, "what was whole is not fetched again"


def test_a_search_that_never_ends_is_ended(host: SourceHost, take: Callable[..., list[Outcome]]) -> None:
    put_songs(host, "album-1", BY, 1)
    host.put("/services/search/v1/scrape", json.dumps({"items": [{"identifier": "album-1"}], "cursor": "more"}))
    outcomes = take("internet-archive", f"search:{host.address} collection:all")
    assert [type(each) for each in outcomes] == [Acquired]
    assert len([each for each in host.asked() if each.path.startswith("/services")]) == 2


def listed(host: SourceHost, *rows: tuple[str, str, str]) -> str:
    lines = ["url\tlicence\ttitle\tartist\titem", *("\t".join((*row, "The Generators", "Album one")) for row in rows)]
    host.put("/list.tsv", "\n".join(lines), "text/tab-separated-values")
    return f"{host.address}/list.tsv"


def test_a_list_says_what_each_file_may(host: SourceHost, take: Callable[..., list[Outcome]]) -> None:
    for number in (1, 2, 3):
        host.put(f"/music/{number}.flac", track(number))
    ref = listed(host, ("music/1.flac", BY, "One"), ("music/2.flac", NC, "Two"), ("music/3.flac", "", "Three"))
    outcomes = take("http", ref)
    assert [type(each) for each in outcomes] == [Acquired, Acquired, Hold]
    assert not host.asked("/music/3.flac")
    host.requests.clear()
    assert [type(each) for each in take("http", f"{ref}#Album one")] == [Acquired, Acquired, Hold]
    assert [each.status for each in host.asked("/list.tsv")][:1] == [304]


def test_a_list_is_asked_again_before_its_files_are_held(host: SourceHost, take: Callable[..., list[Outcome]]) -> None:
    host.put("/music/1.flac", track(1))
    ref = listed(host, ("music/1.flac", BY, "One"))
    body = host.given["/list.tsv"].body
    assert isinstance(body, bytes)
    host.given["/list.tsv"] = Given(lambda time: body if time == 1 else body.replace(BY.encode(), b""))
    (outcome,) = take("http", ref)
    assert isinstance(outcome, Hold)


def test_a_folder_on_a_server_is_walked_within_bounds(host: SourceHost, take: Callable[..., list[Outcome]]) -> None:
    index = '<html><a href="?C=N">sort</a><a href="../">up</a>{}</html>'
    host.put("/m/", index.format('<a href="a/">a/</a><a href="a/">again</a>'), "text/html")
    host.put("/m/a/", index.format('<a href="rights.toml">r</a><a href="1.flac">1</a><a href="/etc/passwd">x</a>'), "text/html")
    host.put("/m/a/rights.toml", 'licence = "CC-BY-4.0"\ntitle = "Album A"\nartist = "A. Person"\n')
    host.put("/m/a/1.flac", track(1))
    (outcome,) = take("http", f"{host.address}/m/")
    assert isinstance(outcome, Acquired)
    assert "/etc/passwd" not in {each.path for each in host.requests}


def test_folders_without_end_are_given_up(host: SourceHost, take: Callable[..., list[Outcome]]) -> None:
    class Deep(dict[str, Given]):
        def get(self, path: str, default: Given | None = None) -> Given | None:  # type: ignore[override]
            return Given(b'<a href="deeper/">deeper</a>', "text/html") if path.startswith("/m/") else default

    host.given = Deep()
    with pytest.raises(SourceError, match="deep"):
        take("http", f"{host.address}/m/")
    assert len(host.asked()) < 20


@pytest.mark.parametrize("misdeed", [source_hosts.page, source_hosts.huge, source_hosts.endless, source_hosts.zipped])
def test_what_is_no_song_fails_and_its_neighbour_is_held(
    host: SourceHost, take: Callable[..., list[Outcome]], misdeed: Callable[[Answering, bytes], bool]
) -> None:
    host.put("/music/1.flac", track(1))
    host.put("/other/2.flac", track(2))
    host.misdeeds["/music/1.flac"] = misdeed
    rows = [f"{path}\t{BY}\t{path}\tThe Generators\t{path[:5]}" for path in ("music/1.flac", "other/2.flac")]
    host.put("/list.tsv", "\n".join(["url\tlicence\ttitle\tartist\titem", *rows]))
    assert [type(each) for each in take("http", f"{host.address}/list.tsv")] == [Failed, Acquired]


@pytest.mark.parametrize("content", ["not a list", "url\tnonsense\na\tb", '{"url": 3', "url\tlicence\nftp://x/y\tz", "\0\1\2"])
def test_what_is_no_list_is_said_to_be_none(host: SourceHost, take: Callable[..., list[Outcome]], content: str) -> None:
    host.put("/list.tsv", content)
    with pytest.raises(FonotecaError):
        take("http", f"{host.address}/list.tsv")


def test_another_fonoteca_gives_what_it_may_share(fast_path: Path, take: Callable[..., list[Outcome]]) -> None:
    settings = replace(SETTINGS, oai=OaiSettings("archive.example", "librarian@archive.example", 1))
    origin = make_archive(fast_path / "origin", settings)
    music = fast_path / "music"
    for number, name in enumerate(("one", "two")):
        put_item(music, name, {f"{name}.flac": track(60 + number, title=f"Song {name}", artist="The Generators")})
    put_item(music, "kept", {"kept.flac": track(70)}, 'own = true\nacts = ["hold"]')
    with opened(origin) as archive:
        assert all(isinstance(each, Acquired) for name in ("one", "two", "kept") for each in own_take(archive, music / name))
        with serving(archive) as address:
            harvested = take("oai-pmh", f"{address}/oai?set=audio")
            assert [type(each) for each in harvested] == [Acquired, Acquired], harvested
            played = take("opensubsonic", f"{address} own: hold")
            assert [type(each) for each in played] == [Acquired, Acquired], played
            (held,) = take("opensubsonic", f"{address}#{first_album(address)}")
            assert isinstance(held, Hold), "the protocol says nothing of rights, and nobody declared any"


def test_an_embargo_travels_by_harvest_and_what_is_kept_from_some_is_for_a_person(
    fast_path: Path, take: Callable[..., list[Outcome]]
) -> None:
    settings = replace(SETTINGS, oai=OaiSettings("archive.example", "librarian@archive.example", 9))
    music, clock = fast_path / "music", StoppedClock()
    starts = NOW + timedelta(hours=1)
    said = {"soon": f"from = {starts:%Y-%m-%dT%H:%M:%SZ}", "ends": "until = 2030-01-01", "there": 'territories = ["AT"]', "all": ""}
    for number, (name, term) in enumerate(said.items()):
        put_item(music, name, {f"{name}.flac": track(80 + number)}, f'licence = "CC-BY-4.0"\n{term}')
    with opened(make_archive(fast_path / "origin", settings), clock=clock) as archive:
        assert all(isinstance(each, Acquired) for each in own_take(archive, music))
        with serving(archive) as address:
            told = httpx.get(f"{address}/oai?verb=ListRecords&metadataPrefix=oai_dc").text
            assert told.count("info:eu-repo/date/embargoEnd/2026-03-02</dc:date>") == 1
            assert [told.count(f"semantics/{word}Access<") for word in ("embargoed", "restricted", "closed")] == [1, 2, 0]
            mods = httpx.get(f"{address}/oai?verb=ListRecords&metadataPrefix=mods").text
            assert mods.count(">Available in AT only<") == 1
            assert mods.count(">Available from 1 March 2026, 13:00:00 UTC<") == 1
            assert kinds_of(take("oai-pmh", f"{address}/oai")) == ["Acquired", "Failed", "Hold", "Hold"], (
                "its files are not given yet"
            )
            clock.at = starts
            assert kinds_of(take("oai-pmh", f"{address}/oai")) == ["Acquired", "Acquired", "Hold", "Hold"]


def kinds_of(outcomes: list[Outcome]) -> list[str]:
    return sorted(type(each).__name__ for each in outcomes)


def test_a_record_of_embargoed_access_is_held_until_its_day(
    host: SourceHost, take: Callable[..., list[Outcome]], fast_path: Path
) -> None:
    host.put("/1.flac", track(1))
    for number, (day, rule) in enumerate(DAYS.items()):
        words = f"<dc:date>{day}</dc:date>" if day else ""
        record = (
            f"<record><header><identifier>oai:l:{number}</identifier></header><metadata>"
            f'<d xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>T</dc:title><dc:creator>C</dc:creator>'
            f"<dc:identifier>{host.address}/1.flac</dc:identifier><dc:rights>{BY}</dc:rights>"
            f"<dc:rights>info:eu-repo/semantics/embargoedAccess</dc:rights>{words}</d></metadata></record>"
        )
        asked = f"/oai?verb=GetRecord&metadataPrefix=oai_dc&identifier=oai:l:{number}"
        root = '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        host.put(asked, f"{root}<GetRecord>{record}</GetRecord></OAI-PMH>", "text/xml")
        (outcome,) = take("oai-pmh", f"{host.address}/oai#oai:l:{number}")
        if rule:
            assert isinstance(outcome, Hold), outcome
            assert outcome.rule == rule
        else:
            assert isinstance(outcome, Acquired), outcome
            with opened(fast_path / "archive") as archive:
                assert archive.store.rights(outcome.object_id).term == Term(datetime(2027, 5, 1, tzinfo=UTC))


DAY = "info:eu-repo/date/embargoEnd/"
DAYS = {f"{DAY}2027-05-01": "", "": "licence-unknown", f"{DAY}soon": "licence-unknown"}


def first_album(address: str) -> str:
    found = httpx.get(f"{address}/rest/getAlbumList2?type=newest&v=1.16.1&c=t&f=json").json()
    return str(found["subsonic-response"]["albumList2"]["album"][0]["id"])


def test_what_is_fetched_ahead_is_bounded_by_bytes(host: SourceHost, fast_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        put_songs(host, f"album-{number}", BY, number)
    with opened(make_archive(fast_path / "archive")) as archive:
        archive.__dict__["web"] = web = open_web(fast_path / "sources.sqlite", MANNERS)
        rooms = in_turn(archive)
        refs = [f"{host.address}/details/album-{number}" for number in range(8)]
        offers = [next(iter(SOURCES["internet-archive"].candidates(ref, rooms.sources))) for ref in refs]
        weights = {each.item.rpartition(":")[2]: promised_bytes(each) for each in offers}
        assert min(weights.values()) > 1000, "the Internet Archive states lengths"
        limit = 2 * max(weights.values())
        monkeypatch.setattr(fetching, "AHEAD_BYTES_MAX", limit)
        admitted = [(each, decide(each, archive.settings.rights, NOW)) for each in offers]
        room = FetchRooms(web, rooms.sources.staging, archive.settings.rights, archive.clock)
        given: set[str] = set()
        with Fetching(room) as fetch:
            for found in fetch.fetched(admitted):  # type: ignore[arg-type]
                assert not isinstance(found, Spoilt)
                given.add(found[0].item.rpartition(":")[2])
                time.sleep(0.05)
                asked = {each.path.split("/")[2] for each in host.asked() if "/download/" in each.path}
                assert sum(weights[name] for name in asked - given) <= limit
        web.close()
        assert given == weights.keys()


def test_parts_of_a_failed_item_wait_for_a_month_and_those_of_a_refused_one_do_not(
    host: SourceHost, take: Callable[..., list[Outcome]], fast_path: Path
) -> None:
    staging = fast_path / "archive" / "staging"
    put_songs(host, "album-1")
    host.misdeeds["/download/album-1/2.flac"] = source_hosts.status(403)
    assert [type(each) for each in take("internet-archive", f"{host.address}/details/album-1")] == [Failed]
    assert not list(staging.glob("fetch-*"))
    host.misdeeds["/download/album-1/2.flac"] = source_hosts.page
    assert [type(each) for each in take("internet-archive", f"{host.address}/details/album-1")] == [Failed]
    (kept,) = staging.glob("fetch-*")
    month = 31 * 86_400
    for path in (kept, *kept.iterdir()):
        os.utime(path, (NOW.timestamp() - month, NOW.timestamp() - month))
    put_songs(host, "album-2", BY, 3)
    assert [type(each) for each in take("internet-archive", f"{host.address}/details/album-2")] == [Acquired]
    assert not list(staging.glob("fetch-*"))


def test_a_file_renamed_between_listing_and_download_is_named_and_held_once_it_is_listed_anew(
    host: SourceHost, take: Callable[..., list[Outcome]]
) -> None:
    put_songs(host, "album-1")
    host.given["/download/album-1/renamed.flac"] = host.given.pop("/download/album-1/2.flac")
    (failed,) = take("internet-archive", f"{host.address}/details/album-1")
    assert isinstance(failed, Failed)
    assert "2.flac" in str(failed.error)
    put_archive_item(host, "album-1", {"1.flac": track(1), "renamed.flac": track(2)}, BY)
    (held,) = take("internet-archive", f"{host.address}/details/album-1")
    assert isinstance(held, Acquired), held
    assert held.file_count == 2


@pytest.mark.parametrize(
    "lie",
    [
        {"size": "7"},
        {"size": "-1"},
        {"size": str(10**30)},
        {"size": "many"},
        {"md5": "0" * 32},
        {"md5": "nonsense"},
        {"name": "../../x.flac"},
    ],
)
def test_metadata_that_lies_of_a_file_brings_nothing_else_in(
    host: SourceHost, take: Callable[..., list[Outcome]], lie: dict[str, str], fast_path: Path
) -> None:
    put_songs(host, "album-1", BY, 1)
    said = json.loads(host.given["/metadata/album-1"].body)  # type: ignore[arg-type]
    said["files"] = [{**each, **lie} if each["name"] == "1.flac" else each for each in said["files"]]
    host.put("/metadata/album-1", json.dumps(said), "application/json")
    (outcome,) = take("internet-archive", f"{host.address}/details/album-1")
    if isinstance(outcome, Acquired):
        claims = [{"size": "7"}, {"md5": "0" * 32}, {"name": "../../x.flac"}]
        assert lie not in claims, "what is no length or digest that can be claims nothing"
    else:
        assert isinstance(outcome, Failed | Refusal), outcome
    assert not list(fast_path.rglob("x.flac"))
