"""Pages for people and answers for programs: they say what is so, escape what strangers wrote, and need no script."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from serve_site import ENDGAME, HOSTILE, KEPT, ODD, ODD_NAME, Site

from fonoteca.edges.disk import DiskBlobs, DiskStaging
from fonoteca.model.catalogue import Coverage, KeptWithin, Snapshot
from fonoteca.model.corridor import Drop, DropKind, Event
from fonoteca.model.ids import DropId, InfohashV1, InfohashV2
from fonoteca.search import SearchIndex

PAGES = (
    "/",
    "/releases",
    "/coverage",
    "/drops",
    "/about",
    "/search?q=maxstack",
    f"/objects/{ENDGAME}",
    f"/objects/{ODD}",
    f"/objects/{KEPT}",
    "/objects/urn:fonoteca:artwork:folder:endgame-singularity",
    "/artists/Maxstack",
    "/artists/AC%2FDC%20%25%20%3F",
    f"/tracks/{ENDGAME}/Apex%20Aleph.ogg",
    f"/tracks/{ODD}/{quote(ODD_NAME)}",
    f"/tracks/{KEPT}/song.wav",
)
SCRIPT_BYTES_MAX = 100_000
VOID = {"meta", "link", "input", "img", "br", "hr", "rect", "circle", "path"}


class Outline(HTMLParser):
    """Checks that elements nest, and collects what a reader's tools go by."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.problems: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.ids += [named["id"] or ""] if "id" in named else []
        self.links += [value or "" for name, value in attributes if name in ("href", "src", "action")]
        self.problems += [f"{tag} {name}" for name in named if name == "style" or name.startswith("on")]
        if tag == "img" and "alt" not in named:
            self.problems.append("img without alt")
        if tag in ("script", "style") and "src" not in named:
            self.problems.append(f"inline {tag}")

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")


@pytest.fixture(params=PAGES)
def page(client: httpx.Client, request: pytest.FixtureRequest) -> httpx.Response:
    """Return each page of the site."""
    return client.get(request.param)


def test_page_is_sound_html_with_headings_in_order(page: httpx.Response) -> None:
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    outline = Outline(page.text)
    assert (outline.problems, outline.open) == ([], [])
    assert outline.headings[:1] == [1]
    assert outline.headings.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in zip(outline.headings, outline.headings[1:], strict=False))
    assert len(outline.ids) == len(set(outline.ids))


def test_page_runs_and_loads_only_what_is_ours(page: httpx.Response) -> None:
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "same-origin"
    assert HOSTILE not in page.text
    assert "<script>alert" not in page.text
    assert not [link for link in Outline(page.text).links if link.lower().startswith(("javascript:", "data:"))]


def test_links_of_a_page_lead_somewhere(page: httpx.Response, client: httpx.Client) -> None:
    for link in Outline(page.text).links:
        if link.startswith("/") and not link.startswith("/editions/"):
            answer = client.head(link) if not link.startswith("/api/") else client.get(link)
            assert answer.status_code in (200, 302, 303), link


def test_release_shows_player_licence_evidence_provenance_and_digests(site: Site, client: httpx.Client) -> None:
    text = client.get(f"/objects/{ENDGAME}").text
    assert text.count("<audio controls") == 3
    assert 'rel="license noreferrer external" href="https://creativecommons.org/licenses/by-sa/3.0/"' in text
    assert "May be shared, sold, changed; credit the author, share changes alike." in text
    assert "Max McCracken (Maxstack)" in text
    assert "folder&#39;s rights.toml" in text
    assert all(row.stored.hashes.sha256 in text for row in site.rooms.register.files(ENDGAME))
    assert '<img src="/files/urn:fonoteca:artwork:folder:endgame-singularity' in text


def test_address_that_is_no_web_address_is_shown_and_not_linked(client: httpx.Client) -> None:
    text = client.get(f"/objects/{ODD}").text
    assert "javascript:alert(1)" in text
    assert 'href="javascript' not in text


def test_release_that_is_only_kept_has_no_player_and_says_why(client: httpx.Client) -> None:
    text = client.get(f"/objects/{KEPT}").text
    assert "<audio controls" not in text
    assert "data-track" not in text
    assert "Not shared." in text


def test_what_a_person_wrote_for_this_archive_stays_inside(site: Site, client: httpx.Client) -> None:
    facts = (("licence", "https://creativecommons.org/licenses/by/4.0/"), ("reason", "Ms Lark told me on the telephone"))
    site.rooms.register.record_events([Event(datetime(2026, 3, 1, tzinfo=UTC), "ruled", ENDGAME, facts)])
    page = client.get(f"/objects/{ENDGAME}").text
    assert "ruled" in page
    assert "Lark" not in page


def test_synthetic_listening_is_labelled_wherever_it_is_shown(site: Site, client: httpx.Client) -> None:
    digests = InfohashV1("ef" * 20), InfohashV2("01" * 32)
    drop = Drop(DropId("audio-00000000000000ff"), DropKind.AUDIO, (), *digests, 1, 1, 0.25, datetime(2026, 2, 1, tzinfo=UTC))
    site.rooms.register.record_drop(drop)
    site.rooms.editions.write(f"drops/{drop.id}.torrent", b"d4:infode")
    for path in ("/", "/coverage", "/drops"):
        assert "synthetic" in client.get(path).text.lower(), path
    assert client.get("/api/coverage").json()["synthetic"] is True
    assert {each["synthetic"] for each in client.get("/api/drops").json()["drops"]} == {True}
    assert client.get("/coverage.png").content.startswith(b"\x89PNG")


def test_where_no_listening_is_known_no_share_of_it_is_claimed(site: Site) -> None:
    class Unheard:
        def snapshot(self) -> Snapshot | None:
            return site.rooms.catalogue.snapshot()

        def coverage(self) -> Coverage:
            return replace(site.rooms.catalogue.coverage(), heard=False, synthetic=False)

        def kept_within(self, budget_bytes: int) -> KeptWithin:
            return replace(site.rooms.catalogue.kept_within(budget_bytes), heard=False, synthetic=False)

    with site.client(catalogue=Unheard()) as client:
        for path in ("/", "/drops"):
            assert "of all listening" not in client.get(path).text, path
        assert "No listening is known." in client.get("/coverage").text
        assert client.get("/api/coverage").json()["heard"] is False


def test_curve_is_drawn_once_however_many_ask(site: Site) -> None:
    drawn: list[Coverage] = []

    def draw(coverage: Coverage) -> bytes:
        drawn.append(coverage)
        time.sleep(0.1)
        return b"\x89PNG"

    with site.client(coverage_png=draw) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(client.get, ["/coverage.png"] * 8))
    assert {answer.status_code for answer in answers} == {200}
    assert len(drawn) == 1


def test_releases_are_paged_to_the_end(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fonoteca.serve.pages.CARDS_MAX", 1)
    address, titles = "/releases", []
    for _ in range(3):
        text = client.get(address).text
        titles += re.findall(r'class="name">(.*?)<', text)
        following = re.search(r'href="(/releases\?after=[^"]+)"', text)
        address = following[1] if following else ""
    assert len(titles) == 3
    assert address == ""


@pytest.mark.parametrize(
    "path", ["/nothing", "/objects/x", "/objects/urn:fonoteca:audio:folder:none", "/artists/Nobody", "/artists/"]
)
def test_unknown_page_is_a_page_for_people(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "To the front page" in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/nothing", 404),
        ("/api/search", 422),
        ("/api/search?q=", 422),
        ("/api/search?q=a&limit=0", 422),
        ("/api/search?q=a&limit=x", 422),
    ],
)
def test_error_of_the_api_is_a_problem_document(client: httpx.Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]


@pytest.mark.parametrize("words", ["apex", "Apex Aleph", "maxstack aleph", "apxe aleph"])
def test_search_leads_to_the_track(client: httpx.Client, words: str) -> None:
    found = client.get("/api/search", params={"q": words}).json()
    track = next(hit for hit in found["hits"] if hit["kind"] == "track")
    assert (track["title"], track["artist"], track["held"], track["playable"]) == ("Apex Aleph", "Maxstack", True, True)
    assert track["licence"].startswith("CC BY-SA")
    assert client.get(track["cover"], follow_redirects=True).headers["content-type"].startswith("image/")
    assert "Apex Aleph" in client.get(track["page"]).text
    assert track["page"] in client.get("/search", params={"q": words}).text


def test_search_leads_to_artists_and_releases(client: httpx.Client) -> None:
    found = client.get("/api/search", params={"q": "maxstack", "facets": "yes"}).json()
    artist, release = (next(hit for hit in found["hits"] if hit["kind"] == kind) for kind in ("artist", "release"))
    assert (artist["title"], artist["held"], artist["page"]) == ("Maxstack", True, "/artists/Maxstack")
    assert release["page"] == f"/objects/{ENDGAME}"
    for hit in found["hits"]:
        assert client.get(hit["page"]).status_code == 200
    counts = found["facets"]
    assert counts["whole"]
    assert sum(counts["kinds"].values()) == sum(counts["held"].values()) == len(found["hits"])


def test_search_goes_on_where_it_stopped_and_is_narrowed_by_its_form(client: httpx.Client) -> None:
    whole = [hit["id"] for hit in client.get("/api/search", params={"q": "maxstack"}).json()["hits"]]
    pieces, after = [], ""
    while after is not None:
        answer = client.get("/api/search", params={"q": "maxstack", "limit": 2, "after": after}).json()
        pieces += [hit["id"] for hit in answer["hits"]]
        after = answer["next"]
    assert pieces == whole
    refused = client.get("/api/search", params={"q": "maxstack", "after": "nonsense"})
    assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json")
    form = {"q": "maxstack", "kind": "artist", "held": "yes", "decade": "what", "artist": '"Maxstack'}
    page = client.get("/search", params=form).text
    assert 'class="track hit of-artist' in page
    assert 'class="track hit of-track' not in page
    assert page.count("take this filter away") == 3
    assert '<option value="artist" selected>' in page


def test_search_says_what_it_took_for_a_word_that_nothing_has(client: httpx.Client) -> None:
    page = client.get("/search", params={"q": "maxstock aleph"}).text
    assert re.search(r"Nothing was spelled “<bdi>maxstock</bdi>”. Near to it: <a href=\"/search\?q=maxstack\+aleph\">", page)
    assert client.get("/api/search", params={"q": "maxstock aleph"}).json()["near"] == {"maxstock": ["maxstack"]}
    assert "Nothing was spelled" not in client.get("/search", params={"q": "maxst"}).text


def test_search_for_nothing_known_says_so(client: httpx.Client) -> None:
    assert "Nothing is known under" in client.get("/search", params={"q": "qqqqqqqq"}).text


def test_search_before_the_first_index_says_how_to_make_one(site: Site) -> None:
    empty = SearchIndex(DiskBlobs(site.folder / "none"), DiskStaging(site.folder / "staging"))
    with site.client(finder=empty) as client:
        assert "fonoteca catalogue build" in client.get("/search", params={"q": "a"}).text
        assert client.get("/api/search", params={"q": "a"}).json()["hits"] == []


def test_search_for_a_book_is_declined_in_words(client: httpx.Client) -> None:
    answer = client.get("/search", params={"q": "a" * 50_000})
    assert answer.status_code == 400
    assert "at most 200 characters" in answer.text


def test_empty_search_leads_to_the_front_page(client: httpx.Client) -> None:
    answer = client.get("/search", params={"q": "  "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_health_answers_get_and_head(client: httpx.Client) -> None:
    assert client.get("/health").json()["status"] == "ok"
    assert client.head("/health").status_code == 200


def test_ready_says_whether_the_store_is_there(site: Site, client: httpx.Client, tmp_path: Path) -> None:
    assert client.get("/ready").json() == {"status": "ready"}
    assert client.head("/ready").status_code == 200
    with site.client(blobs=DiskBlobs(tmp_path / "elsewhere")) as without:
        answer = without.get("/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "store")


def test_api_describes_itself(client: httpx.Client) -> None:
    described = client.get("/api/openapi.json").json()
    paths = {"/api/search", "/api/coverage", "/api/coverage/kept", "/api/drops", "/api/notices", "/api/withdrawals"}
    assert set(described["paths"]) == {*paths, "/health", "/ready"}


@pytest.mark.parametrize("path", ["/withdrawals", "/notices"])
def test_what_is_a_page_or_json_says_so_to_caches(client: httpx.Client, path: str) -> None:
    answers = [client.get(path, headers={"Accept": wanted}) for wanted in ("text/html", "application/json")]
    assert [each.headers["content-type"].partition(";")[0] for each in answers] == ["text/html", "application/json"]
    assert ["Accept" in each.headers["vary"] for each in answers] == [True, True]


def test_style_and_script_may_be_kept_for_their_address_changes_with_them(client: httpx.Client) -> None:
    text = client.get("/").text
    assert re.search(r"/static/fonoteca\.css\?v=[0-9a-f]{12}", text)
    scripts = re.findall(r'<script src="([^"]+)"', text)
    assert sum(len(client.get(script).content) for script in scripts) <= SCRIPT_BYTES_MAX
