"""What an archive tells of itself: health, how to object, what it is, and why something is not here."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from serve_site import ENDGAME, ODD, ODD_NAME, Site

from fonoteca.formats.checklists import Checklist, checked_event
from fonoteca.formats.swarmfile import UNREADABLE, DropSeen, SwarmSeen, parse_swarm, swarm_json
from fonoteca.model.corridor import Drop, DropKind
from fonoteca.model.errors import StoreError
from fonoteca.model.fixity import CALENDAR_DAYS, DayOfChecks
from fonoteca.model.ids import DropId, InfohashV1, InfohashV2
from fonoteca.model.settings import EditionSettings
from fonoteca.serve.lasting import Lasting
from fonoteca.serve.standing import EditionSeen, Space
from fonoteca.serve.telling import routes
from fonoteca.serve.telling.health import LEVELS, calendar_of

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Clock:
    """A clock that shows what it was last told."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time


def words(text: str) -> str:
    """Return a page's text as one line."""
    main = re.search(r"<main.*?</main>", text, re.DOTALL)
    assert main
    return unescape(" ".join(re.sub(r"<(title|desc).*?</\1>|<[^>]+>", " ", main[0], flags=re.DOTALL).split()))


# Health


def test_calendar_has_every_day_of_a_year_in_weeks_from_monday() -> None:
    today = date(2026, 3, 4)
    days = [DayOfChecks(today - timedelta(days=n), 10**n, 10 * 10**n, n == 2) for n in range(5)]
    made = calendar_of(sorted(days, key=lambda each: each.day), today)
    assert len(made.cells) == CALENDAR_DAYS
    assert made.cells[-1].day == today
    assert len({(cell.x, cell.y) for cell in made.cells}) == CALENDAR_DAYS
    assert {cell.y for cell in made.cells if cell.day.weekday() == 0} == {0}
    assert max(cell.x for cell in made.cells) + 13 == made.width
    levels = [cell.level for cell in made.cells[-5:]]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == LEVELS
    assert levels[-1] >= 1
    assert {cell.level for cell in made.cells[:-5]} == {0}
    assert (made.file_count, made.checked_bytes, made.day_count) == (11_111, 111_110, 5)
    assert sum(month.damaged_count for month in made.months) == 1
    assert [month.name for month in made.months[:2]] == ["2026-03", "2026-02"]
    assert calendar_of([], today).file_count == 0


def test_health_says_what_the_register_knows_and_no_more(site: Site) -> None:
    clock = Clock()
    site.rooms.register.record_events([checked_event(Checklist(NOW - timedelta(days=3), (), (), 7, 7_000_000, 1))])
    seen = EditionSeen(12, NOW - timedelta(days=9), NOW + timedelta(days=5), 3, 2, "ab" * 32)
    known = {"space": lambda: Space(25 * 10**9, 10**11), "edition": lambda: seen, "last_backup": lambda: NOW - timedelta(days=40)}
    with site.client(clock=clock, **known) as client:
        page = client.get("/archive")
        said = words(page.text)
        assert "7 files, 7 MB, metadata and inventories among them, read on 1 day of the year to 2026-03-04" in said
        assert "2026-03-01: 7 files, 7 MB, 1 damaged file</title>" in page.text
        assert "25 GB free of 100 GB" in said
        assert 'class="used" width="750.0"' in page.text
        assert "number 12 of 2026-02-23, 3 drops; signed, good until 2026-03-09" in said
        assert "2026-01-23, 40 days ago" in said
        assert "not known: nobody has told how many have its drops" in said
        totals = site.rooms.register.totals()
        assert f"{totals.objects} objects, {totals.files} files" in said
        root = words(client.get("/about").text)
        assert "ab" * 32 in root
        assert "signed by keys that root 2 names" in root
        assert "--root-sha256" in client.get("/drops").text
    with site.client(clock=clock) as client:
        said = words(client.get("/archive").text)
        assert "the store is on S3, which keeps its own count" in said
        assert "nothing is published yet" in said
        assert "Last backup none is on record" in said


def test_a_disk_that_cannot_be_asked_leaves_the_rest_of_the_page(site: Site) -> None:
    def broken() -> Space | None:
        raise StoreError("/secret/place", "cannot be asked", "")

    with site.client(space=broken) as client:
        answer = client.get("/archive")
    assert answer.status_code == 200
    assert "/secret/place" not in answer.text


def test_what_fewest_have_is_told(site: Site) -> None:
    one, two = (DropSeen(DropId(f"audio-00000000000000a{n}"), n + 2, 0, 0) for n in range(2))
    with site.client(swarm_seen=lambda: SwarmSeen(NOW, (two, one))) as client:
        assert "had whole by 2; seen 2026-03-04" in words(client.get("/archive").text)


def test_what_lasts_is_made_once_in_its_time_and_again_after_a_failure() -> None:
    clock, made = Clock(), []

    def make() -> int:
        made.append(clock.time)
        if len(made) == 2:
            raise StoreError("it", "fails", "")
        return len(made)

    lasting = Lasting(clock, timedelta(minutes=1), make)
    assert (lasting(), lasting()) == (1, 1)
    clock.time += timedelta(seconds=61)
    with pytest.raises(StoreError):
        lasting()
    assert (lasting(), lasting()) == (3, 3)
    clock.time -= timedelta(days=1)  # set back: what was made in the future is not kept for a day
    assert lasting() == 4


# Corrections


def letters(text: str) -> list[str]:
    return [unescape(each) for each in re.findall(r"<textarea[^>]*>(.*?)</textarea>", text, re.DOTALL)]


def test_a_release_leads_to_letters_that_name_it(client: httpx.Client) -> None:
    page = client.get(f"/objects/{ENDGAME}").text
    link = re.search(r'href="(/corrections\?about=[^"]+)"', page)
    assert link
    asked = client.get(unescape(link[1]))
    assert asked.status_code == 200
    for letter in letters(asked.text):
        assert f"Where exactly: {str(client.base_url).rstrip('/')}/objects/{ENDGAME}\n" in letter
        assert f"Object: {ENDGAME}\n" in letter
        assert "Shown as: Endgame" in letter
    said = words(asked.text)
    for needed in ("exact place", "reasons", "name and an address", "in good faith", "cannot be recalled", "No contact is named"):
        assert needed in said


def test_a_file_with_an_odd_name_is_named_and_found(site: Site, client: httpx.Client) -> None:
    asked = client.get("/corrections", params={"about": ODD, "file": ODD_NAME})
    assert asked.status_code == 200
    assert "<script>alert" not in asked.text
    letter = letters(asked.text)[0]
    assert f"File: {ODD_NAME}" in letter.replace("\r\n", "\n")
    place = re.search(r"Where exactly: (\S+)", letter)
    assert place
    page = client.get(place[1])
    assert page.status_code == 200
    assert re.search(r'href="(/corrections\?about=[^"]+&amp;file=[^"]+)"', page.text)


@pytest.mark.parametrize(
    "query", ["about=x", "about=urn:fonoteca:audio:none", f"about={ENDGAME}&file=none", f"about={ENDGAME}&file=.."]
)
def test_what_is_not_here_cannot_be_asked_about(client: httpx.Client, query: str) -> None:
    assert client.get(f"/corrections?{query}").status_code == 404


@pytest.mark.parametrize(
    ("contact", "link"),
    [
        ("rights@archive.example", "mailto:rights@archive.example"),
        ("https://archive.example/contact", "https://archive.example/contact"),
        ("The Archive, 1 Street, Town", ""),
        ('x"><script>@y', ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_letters_go_where_the_settings_say(site: Site, contact: str, link: str) -> None:
    settings = replace(site.rooms.settings, editions=EditionSettings(contact=contact))
    with site.client(settings=settings) as client:
        text = client.get("/corrections", params={"about": ENDGAME}).text
    assert contact in unescape(text)
    assert "No contact is named" not in text
    assert "<script>@" not in text
    assert (f'<a href="{link}"' in text) == bool(link)
    mails = re.findall(r'href="(mailto:[^"]+\?[^"]+)"', text)
    assert bool(mails) == link.startswith("mailto:")
    for mail, letter in zip(mails, letters(text), strict=False):
        asked = parse_qs(urlsplit(unescape(mail)).query)
        assert asked["body"][0].replace("\r\n", "\n") == letter
        assert ENDGAME in asked["subject"][0]


# Drops


def test_drops_come_a_page_at_a_time(site: Site, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [DropId(f"artwork-00000000000000b{n}") for n in range(3)]
    for number, drop_id in enumerate(ids):
        digests = InfohashV1(f"b{number}" * 20), InfohashV2(f"b{number}" * 32)
        made = Drop(drop_id, DropKind.ARTWORK, (), *digests, 1, 1, 0.0, NOW + timedelta(days=number))
        site.rooms.register.record_drop(made)
        site.rooms.editions.write(f"drops/{drop_id}.torrent", b"d4:infode")
    monkeypatch.setattr(routes, "DROPS_MAX", 2)
    try:
        seen: list[str] = []
        address: str | None = "/drops"
        while address:
            page = client.get(address).text
            seen += re.findall(r'aria-label="Torrent file of ([^"]+)"', page)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            address = following[1] if following else None
        assert set(ids) <= set(seen)
        assert len(seen) == len(set(seen))
        for wrong in ("0", "99", "x", "-1", "", "²", "9" * 50):
            assert client.get("/drops", params={"page": wrong}).status_code == 404
    finally:
        for drop_id in ids:
            site.rooms.editions.delete(f"drops/{drop_id}.torrent")


def test_why_a_drop_is_withheld_names_no_place_on_this_machine() -> None:
    reason = f"{UNREADABLE}: store: /srv/music/secret is no folder"
    seen = SwarmSeen(NOW, (DropSeen(DropId("audio-00000000000000c1"), None, 0, 0, reason),))
    content = swarm_json(seen)
    assert b"/srv" not in content
    assert parse_swarm(content).drops[0].withheld == UNREADABLE


# Problems


@pytest.mark.parametrize(
    ("path", "status", "leads"),
    [
        ("/nothing", 404, "/releases"),
        ("/files/urn:fonoteca:audio:folder:kept/song.wav", 403, "/about"),
        ("/coverage?budget=x", 400, "/coverage.png"),
    ],
)
def test_a_problem_leads_on(client: httpx.Client, path: str, status: int, leads: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert f'href="{leads}"' in answer.text


def test_an_archive_that_cannot_answer_says_where_its_health_is_told(site: Site) -> None:
    def broken() -> SwarmSeen | None:
        raise ValueError("a bug")

    with site.client(swarm_seen=broken) as client:
        answer = client.get("/drops")
        assert answer.status_code == 500
        assert "It is our fault" in answer.text
        assert 'href="/archive"' in answer.text
        assert "a bug" not in answer.text


def test_addresses_in_letters_are_escaped_once(client: httpx.Client) -> None:
    answer = client.get("/corrections", params={"about": f"{ENDGAME}"}, headers={"Host": 'evil"><b>'})
    assert '"><b>' not in answer.text
    assert quote(ENDGAME, safe=":") in answer.text or answer.status_code >= 400
