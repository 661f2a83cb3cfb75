"""Signing in, over a socket: cookies, forms, keys, roles, and a site that is closed to strangers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote

import httpx
import pytest
from serve_site import ENDGAME, PIECE_BYTES, Site, serving
from starlette.routing import Mount, Route

from fonoteca.formats.hashing import hash_bytes
from fonoteca.formats.metainfo import hybrid_torrent
from fonoteca.formats.torrenturls import Announce
from fonoteca.model.corridor import MemberFile
from fonoteca.model.settings import ServerSettings
from fonoteca.people import Account, Role
from fonoteca.people.tries import PAIR_MOST
from fonoteca.serve import create_app
from fonoteca.serve.signing.entrance import safe_next
from fonoteca.serve.signing.gate import OPEN_PATHS, OPEN_PREFIXES

PASSWORD = "four words of mine"
Ask = Callable[..., httpx.Client]


@pytest.fixture(scope="module")
def anyone(site: Site) -> Iterator[str]:
    """Return the address of a site that is open to all."""
    with serving(site.rooms) as address:
        yield address


@pytest.fixture(scope="module")
def closed(site: Site) -> Iterator[str]:
    """Return the address of a site that is closed to strangers, and believes a proxy on this machine."""
    settings = replace(site.rooms.settings, server=ServerSettings(anonymous=False))
    with serving(replace(site.rooms, settings=settings)) as address:
        yield address


@pytest.fixture
def account(site: Site) -> Iterator[Account]:
    """Return an operator's account, gone after the test, with another operator beside it."""
    people = site.rooms.people
    if people.named("keeper") is None:
        people.add("keeper", PASSWORD, Role.OPERATOR)
    made = people.add("Ada", PASSWORD, Role.OPERATOR)
    yield made
    people.remove(made.number)


@contextmanager
def browser(address: str, **headers: str) -> Iterator[httpx.Client]:
    """Give a client that keeps cookies and says of its forms where they come from, as browsers do."""
    said = {"Accept": "text/html", "Origin": address, "Sec-Fetch-Site": "same-origin", **headers}
    with httpx.Client(base_url=address, timeout=30, headers=said) as client:
        yield client


def session_of(client: httpx.Client) -> str:
    """Return the token in the cookie that a browser sends to its site."""
    return str(client.cookies[f"fonoteca-{client.base_url.port}"])


def csrf(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
    assert found, page.text
    return found[1]


def sign_in(client: httpx.Client, name: str = "ada", password: str = PASSWORD, **more: str) -> httpx.Response:
    fields = {"csrf": csrf(client.get("/sign-in")), "name": name, "password": password, **more}
    return client.post("/sign-in", data=fields)


def test_a_session_is_new_at_each_sign_in_and_ends_with_sign_out(anyone: str, account: Account) -> None:
    with browser(anyone) as client:
        assert sign_in(client, next="/about?x=1").headers["location"] == "/about?x=1"
        first = session_of(client)
        assert client.get("/sign-in").headers["location"] == "/account"
        page = client.get("/account")
        assert page.headers["cache-control"] == "no-store"
        assert "Ada" in client.get("/about").text
        assert client.get("/about").headers["cache-control"] == "private, no-cache"
        with browser(anyone) as thief:
            thief.cookies.set(f"fonoteca-{thief.base_url.port}", first, "127.0.0.1")
            again = {"csrf": csrf(thief.get("/account")), "name": "ada", "password": PASSWORD}
            assert thief.post("/sign-in", data=again).status_code == 303
            assert session_of(thief) != first
            assert client.get("/account").headers["location"] == "/sign-in?next=/account", "the old token ended"
            out = thief.post("/sign-out", data={"csrf": csrf(thief.get("/account"))})
            assert out.status_code == 303
            assert '="";' in out.headers["set-cookie"]
            assert thief.get("/account").status_code == 303


def test_cookies_cannot_be_read_by_scripts_nor_sent_by_other_sites_and_by_https_only_by_https(site: Site, account: Account) -> None:
    with serving(site.rooms, proxy_headers=True, forwarded_allow_ips="127.0.0.1") as address:
        for scheme, named, secure in (("http", "fonoteca", ""), ("https", "__Host-fonoteca", "; Secure")):
            with httpx.Client(base_url=address, headers={"X-Forwarded-Proto": scheme, "Host": "archive.example"}) as client:
                page = client.get("/sign-in")
                form = page.headers["set-cookie"]
                sent = {"Cookie": form.split(";")[0], "Origin": f"{scheme}://archive.example"}
                done = client.post("/sign-in", data={"csrf": csrf(page), "name": "ada", "password": PASSWORD}, headers=sent)
                cookie = next(each for each in done.headers.get_list("set-cookie") if each.startswith(f"{named}="))
                value, *flags = cookie.split("; ")
                assert sorted(flags) == sorted(filter(None, ["HttpOnly", "Max-Age=2592000", "Path=/", "SameSite=lax", secure[2:]]))
                assert form.startswith(f"{named}-form=")
                assert len(value) > 40


def test_a_form_of_another_site_does_nothing(anyone: str, account: Account, site: Site) -> None:
    with browser(anyone) as client:
        sign_in(client)
        token = csrf(client.get("/account"))
        refused = [
            client.post("/account/keys", data={"name": "x", "csrf": token}, headers={"Sec-Fetch-Site": "cross-site"}),
            client.post("/account/keys", data={"name": "x", "csrf": token}, headers={"Sec-Fetch-Site": "same-site"}),
            client.post("/account/keys", data={"name": "x", "csrf": "0" * 64}),
            client.post("/account/keys", data={"name": "x"}),
            client.post("/account/keys", json={"name": "x", "csrf": token}),
            client.post("/api/search", json={}),
        ]
        assert [each.status_code for each in refused] == [403] * 6
        del client.headers["Sec-Fetch-Site"]
        for origin in ("http://evil.example", "null"):
            assert client.post("/account/keys", data={"name": "x", "csrf": token}, headers={"Origin": origin}).status_code == 403
        assert client.post("/sign-in", data={"name": "ada", "password": PASSWORD}, headers={"Origin": "null"}).status_code == 403
        assert site.rooms.people.keys(account.number) == []
        assert client.post("/account/keys", data={"name": "x", "csrf": token}).status_code == 200
        assert client.post("/account/keys", content=b"x" * 70_000, headers=FORM).status_code == 413
    with browser(anyone) as stranger:
        assert stranger.post("/sign-in", data={"name": "ada", "password": PASSWORD}).status_code == 403, "no page was asked for"


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_guessing_ends_for_one_place_and_not_for_others(site: Site, account: Account) -> None:
    with serving(site.rooms, proxy_headers=True, forwarded_allow_ips="127.0.0.1") as address:
        with browser(address, **{"X-Forwarded-For": "192.0.2.7"}) as client:
            said = [sign_in(client, password=f"guess {number}") for number in range(PAIR_MOST)]
            assert {each.status_code for each in said} == {401}
            assert {each.text for each in said} == {said[0].text}
            late = sign_in(client)
            assert late.status_code == 429
            assert 0 < int(late.headers["retry-after"]) <= 900
            assert "Too many tries" in late.text
            assert f"fonoteca-{client.base_url.port}" not in client.cookies
        with browser(address, **{"X-Forwarded-For": "192.0.2.8"}) as elsewhere:
            assert sign_in(elsewhere).status_code == 303
    with serving(site.rooms, proxy_headers=False) as address, browser(address, **{"X-Forwarded-For": "192.0.2.9"}) as client:
        for number in range(PAIR_MOST):
            sign_in(client, name="who", password="no", **{"X-Forwarded-For": f"192.0.2.{number}"})
        assert sign_in(client, name="who").status_code == 429, "only a proxy of the settings is believed"


def test_sign_ins_that_nobody_can_look_at_soon_are_told_so(anyone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fonoteca.serve.signing.entrance.HASHES_WAITING_MAX", 0)
    with browser(anyone) as client:
        late = sign_in(client)
        assert (late.status_code, late.headers["retry-after"]) == (503, "30")


def test_a_key_is_enough_for_programs_and_not_for_the_account_itself(closed: str, account: Account, site: Site) -> None:
    key = site.rooms.people.add_key(account.number, "script").text
    with httpx.Client(base_url=closed) as client:
        for headers in ({"Authorization": f"Bearer {key}"}, {"authorization": f"bearer  {key}"}, {"X-API-Key": key}):
            found = client.get("/api/search?q=endgame", headers=headers)
            assert found.status_code == 200
            assert found.headers["cache-control"].startswith("private")
        for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": f"Bearer {key}x"}, {"X-API-Key": "\u20ac".encode()}):
            refused = client.get("/api/search?q=endgame", headers=headers)  # type: ignore[arg-type]
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"].startswith("Bearer")
            assert refused.headers["content-type"] == "application/problem+json"
        assert client.get("/account", headers={"X-API-Key": key}).status_code == 403
        assert client.post("/account/keys", data={"name": "x"}, headers={"X-API-Key": key}).status_code == 403
        site.rooms.people.set_disabled(account.number, True)
        assert client.get("/api/search?q=endgame", headers={"X-API-Key": key}).status_code == 401


def test_a_closed_site_closes_every_route(closed: str, site: Site, account: Account) -> None:
    app = create_app(replace(site.rooms, settings=replace(site.rooms.settings, server=ServerSettings(anonymous=False))))
    walked = 0
    with httpx.Client(base_url=closed) as stranger:
        for route in routes_of(app.routes):
            if isinstance(route, Mount):
                assert route.path.rstrip("/") + "/" in OPEN_PREFIXES, f"{route.path} is open to all"
                continue
            path = re.sub(r"\{[a-z_]+(?::[a-z]+)?\}", "1", route.path)
            if path in OPEN_PATHS or path.startswith(OPEN_PREFIXES):
                continue
            for method in sorted(route.methods or {"GET"}):
                walked += 1
                answer = stranger.request(method, path)
                assert answer.status_code == 401, f"{method} {path} answers {answer.status_code}"
                if method == "GET":
                    turned = stranger.get(path, headers={"Accept": "text/html"})
                    assert turned.status_code in (303, 401), path
                    assert not turned.headers.get("location", "/sign-in").startswith("/sign-in?next=//")
        for path in ("/nowhere", "/files/x/y", "//about", "/editions", "/static", "/docs", "/webseed"):
            assert stranger.get(path).status_code == 401, path
        assert walked > 20
        for path, status in (
            ("/health", 200),
            ("/ready", 200),
            ("/sign-in", 200),
            ("/static/fonoteca.css", 200),
            ("/editions/x", 404),
        ):
            assert stranger.get(path).status_code == status, path
        assert stranger.get("/rest/ping?f=json&u=anonymous&p=x").json()["subsonic-response"]["error"]["code"] == 40
    with browser(closed) as client:
        assert client.get("/releases?page=2").headers["location"] == "/sign-in?next=/releases%3Fpage%3D2"
        sign_in(client)
        assert client.get("/releases").status_code == 200
        assert client.get(f"/objects/{ENDGAME}").headers["cache-control"] == "private, no-cache"


def test_a_closed_site_gives_mirrors_what_is_published_and_nothing_else(closed: str, site: Site, account: Account) -> None:
    register = site.rooms.register
    row = next(each for each in register.files(ENDGAME))
    key = site.rooms.people.add_key(account.number, "mirror").text
    with httpx.Client(base_url=closed) as client:
        address = f"/webseed/test-archive/{quote(row.path)}"
        assert client.get(address).status_code == 401
        assert client.get(address, headers={"X-API-Key": key}).status_code == 200
        catalogue = f"test-archive-catalogue-{site.rooms.catalogue.snapshot().name}"  # type: ignore[union-attr]
        address = f"/webseed/{catalogue}/snapshot.json"
        torrent, other = "drops/metadata-0123456789abcdef.torrent", "drops/metadata-fedcba9876543210.torrent"
        assert client.get(address).status_code == 401
        assert client.get(address, headers={"X-API-Key": key}).status_code == 200
        try:
            for place, name in ((other, "test-archive-catalogue-1999-01-01"), (torrent, catalogue)):
                assert client.get(address).status_code == 401
                file = MemberFile("snapshot.json", hash_bytes(b"{}", PIECE_BYTES))
                site.rooms.editions.write(place, hybrid_torrent(name, [file], PIECE_BYTES, Announce((), ())).content)
            assert client.get(address).status_code == 200
        finally:
            for place in (torrent, other):
                site.rooms.editions.delete(place)
        assert client.get(address).status_code == 401, "it is out no more"


def routes_of(routes: object) -> Iterator[Route | Mount]:
    """Return every route of an application, those of included routers too."""
    for route in routes:  # type: ignore[attr-defined]
        if isinstance(route, Route | Mount):
            yield route
        else:
            found = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
            assert found, f"{route!r}: what does it answer?"
            yield from routes_of(found)


def test_the_first_operator_is_made_once_by_who_started_the_site(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    from fonoteca.gatehouse import open_people

    folder = tmp_path_factory.mktemp("set-up")
    with open_people(folder, site.rooms.settings, site.rooms.clock) as people:
        rooms = replace(site.rooms, people=people)
        with serving(rooms) as one, serving(rooms) as two, browser(one) as client, browser(two) as late:
            token, other = people.new_setup(), people.new_setup()
            assert client.get("/setup?token=x").status_code == 404
            page, stale = client.get(f"/setup?token={token}"), late.get(f"/setup?token={other}")
            fields = {"csrf": csrf(page), "token": token, "name": "Ada", "password": PASSWORD, "again": PASSWORD}
            for wrong in ({"again": "another one of mine"}, {"password": "short", "again": "short"}, {"name": "\n"}):
                assert client.post("/setup", data={**fields, **wrong}).status_code == 422
            assert client.post("/setup", data={**fields, "csrf": ""}).status_code == 403
            assert client.post("/setup", data=fields).headers["location"] == "/account?said=made"
            assert people.all()[0].role is Role.OPERATOR
            assert client.get("/accounts").status_code == 200
            assert late.post("/setup", data={**fields, "csrf": csrf(stale), "token": other, "name": "Eve"}).status_code == 404
            assert people.new_setup() == ""
            late.cookies.set(f"fonoteca-{late.base_url.port}", session_of(client), "127.0.0.1")
            assert late.get("/account").status_code == 200, "another process knows the session"


def test_one_account_page_makes_and_revokes_what_signs_in(anyone: str, account: Account, site: Site) -> None:
    people = site.rooms.people
    with browser(anyone) as client:
        sign_in(client)
        token = csrf(client.get("/account"))
        key = client.post("/account/keys", data={"csrf": token, "name": "script"})
        text = re.search(r"fnt_[\w-]+", key.text)
        assert text
        assert people.by_key(text[0]) == account
        assert text[0] not in client.get("/account").text
        secret = client.post("/account/players", data={"csrf": token, "name": "phone"})
        made = re.search(r'class="secret">([a-z2-7-]{27})<', secret.text)
        assert made
        assert people.by_secret("ada", made[1]) == account
        answer = httpx.get(f"{anyone}/rest/getUser?f=json&u=ada&p={made[1]}&username=Ada").json()["subsonic-response"]
        assert answer["user"]["adminRole"] is True
        answer = httpx.get(f"{anyone}/rest/tokenInfo?f=json&apiKey={text[0]}").json()["subsonic-response"]
        assert answer["tokenInfo"]["username"] == "Ada"
        for what, number in (
            ("keys", people.keys(account.number)[0].number),
            ("players", people.secrets(account.number)[0].number),
        ):
            client.post(f"/account/{what}/{number}/revoke", data={"csrf": token})
        assert (people.keys(account.number), people.secrets(account.number)) == ([], [])
        for odd in ("x", "9" * 5000, "-1"):
            assert client.post(f"/account/keys/{odd}/revoke", data={"csrf": token}).status_code == 404
        new = {"csrf": token, "now": PASSWORD, "password": "another one of mine", "again": "another one of mine"}
        for wrong in ({"now": "not mine at all"}, {"again": "no"}, {"password": "x", "again": "x"}):
            assert client.post("/account/password", data={**new, **wrong}).status_code == 422
        with browser(anyone) as other:
            sign_in(other)
            assert client.post("/account/sessions", data={"csrf": token}).headers["location"] == "/account?said=sessions"
            assert other.get("/account").status_code == 303
            assert client.get("/account").status_code == 200
        assert client.post("/account/password", data=new).status_code == 303
        assert client.get("/account").status_code == 200
        assert people.sign_in("ada", "another one of mine", "").account == account


def test_operators_say_who_has_an_account_and_one_is_always_left(anyone: str, account: Account, site: Site) -> None:
    people = site.rooms.people
    with browser(anyone) as client:
        sign_in(client)
        token = csrf(client.get("/account"))
        page = client.post("/accounts", data={"csrf": token, "name": "Eve", "role": "listener"})
        handed = re.search(r'class="secret">([a-z2-7-]{27})<', page.text)
        assert handed
        assert client.post("/accounts", data={"csrf": token, "name": "eve", "role": "listener"}).status_code == 422
        assert client.post("/accounts", data={"csrf": token, "name": "Max", "role": "king"}).status_code == 422
        eve, keeper = people.named("eve"), people.named("keeper")
        assert eve
        assert keeper
        with browser(anyone) as listener:
            sign_in(listener, "eve", handed[1])
            assert listener.get("/accounts").status_code == 403
            own = csrf(listener.get("/account"))
            assert listener.post(f"/accounts/{eve.number}/role", data={"csrf": own, "role": "operator"}).status_code == 403
            client.post(f"/accounts/{eve.number}/role", data={"csrf": token, "role": "curator"})
            assert listener.get("/account").status_code == 303, "another role is a new session"
            sign_in(listener, "eve", handed[1])
            client.post(f"/accounts/{eve.number}/disable", data={"csrf": token})
            assert listener.get("/account").status_code == 303
            assert sign_in(listener, "eve", handed[1]).status_code == 401
        client.post(f"/accounts/{keeper.number}/role", data={"csrf": token, "role": "listener"})
        for path, more in (("role", {"role": "curator"}), ("disable", {})):
            refused = client.post(f"/accounts/{account.number}/{path}", data={"csrf": token, **more})
            assert refused.status_code == 422
            assert "last operator" in refused.text
        client.post(f"/accounts/{keeper.number}/role", data={"csrf": token, "role": "operator"})
        assert client.post("/accounts/99999/disable", data={"csrf": token}).status_code == 404
        people.remove(eve.number)


@pytest.mark.parametrize("host", ["[", "x:y", ":80", "a:99999999", "[::1", "x:80:80"])
def test_a_host_that_is_none_is_refused(anyone: str, host: str) -> None:
    for path in ("/", "/api/search?q=x", "/rest/ping", "/static/fonoteca.css", "/sign-in"):
        assert httpx.get(f"{anyone}{path}", headers={"Host": host}).status_code == 400


def test_the_api_says_how_a_closed_site_is_asked(closed: str, anyone: str, account: Account, site: Site) -> None:
    key = site.rooms.people.add_key(account.number, "script").text
    described = httpx.get(f"{closed}/api/openapi.json", headers={"X-API-Key": key}).json()
    assert {each["type"] for each in described["components"]["securitySchemes"].values()} == {"http", "apiKey"}
    assert "401" in described["paths"]["/api/search"]["get"]["responses"]
    assert "securitySchemes" not in httpx.get(f"{anyone}/api/openapi.json").json()["components"]


@pytest.mark.parametrize(
    "odd", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/a\nb", "/sign-in?x", "/" * 3000, ""]
)
def test_nobody_is_sent_to_another_site(odd: str) -> None:
    assert safe_next(odd) == ""


def test_one_goes_on_to_where_one_wanted() -> None:
    assert safe_next("/objects/audio:x?y=%2F#z") == "/objects/audio:x?y=%2F#z"
