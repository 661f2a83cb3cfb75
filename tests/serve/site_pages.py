"""Every page of the site, by its route, with addresses that show it. A route that is read and in neither list fails a test.

Add a page here with the page: it is then looked at in light and dark, on a phone and a desktop, without scripts and by keyboard.
`{object}`, `{track}`, `{artist}`, `{recording}`, `{release}` and `{words}` stand for what the demo's archive has. `{other}` is the
address of another site: nobody has set it up, its store is lost, and it has a release of hostile names and one that is only kept.
"""

from __future__ import annotations

from collections.abc import Mapping

PAGES: Mapping[str, tuple[str, ...]] = {
    "/": ("/",),
    "/search": ("/search?q={words}", "/search?q=love&decade=1990&kind=track", "/search?q=zzqxzzqx"),
    "/objects/{rest:rest}": ("/objects/{object}", "{other}/objects/{odd}"),
    "/artists/{rest:rest}": ("/artists/{artist}",),
    "/releases": ("/releases",),
    "/releases/{rest:rest}": ("/releases/{release}",),
    "/tracks/{rest:rest}": ("/tracks/{track}", "/tracks/{recording}"),
    "/trace/{rest:rest}": ("/trace/{object}", "{other}/trace/{odd}"),
    "/coverage": ("/coverage",),
    "/drops": ("/drops",),
    "/archive": ("/archive",),
    "/corrections": ("/corrections?about={object}",),
    "/notice": ("/notice?place={object}",),
    "/notice/receipt": ("/notice/receipt?link={receipt}",),
    "/withdrawals": ("/withdrawals",),
    "/notices": ("/notices",),
    "/about": ("/about",),
    "/sign-in": ("{other}/sign-in",),
    "/setup": ("{other}/setup?token={token}",),
}

SIGNED_IN: Mapping[str, tuple[str, ...]] = {
    "/account": ("/account",),
    "/accounts": ("/accounts",),
    "/desk": ("/desk",),
    "/desk/notices": ("/desk/notices",),
    "/desk/notices/{number}": ("/desk/notices/1", "/desk/notices/1?item={object}"),
    "/desk/entries": ("/desk/entries",),
    "/desk/upload": ("/desk/upload",),
    "/desk/upload/{token}": ("/desk/upload/{upload}",),
    "/desk/review": ("/desk/review", "/desk/review?rule=none"),
    "/desk/review/alike": ("/desk/review/alike?rule=licence-unknown",),
    "/desk/review/{rest:rest}": ("/desk/review/{held}?licence=https://creativecommons.org/licenses/by/4.0/",),
    "/desk/objects/{rest:rest}": ("/desk/objects/{object}", "/desk/objects/{object}?file={file}"),
    "/desk/entries/{number}": ("/desk/entries/{entry}",),
    "/desk/matches": ("/desk/matches",),
    "/desk/recordings": ("/desk/recordings", "/desk/recordings?q={words}"),
    "/desk/recordings/{id}": ("/desk/recordings/{recording}",),
    "/desk/terms/{rest:rest}": ("/desk/terms/{object}",),
}
"""Pages for those who are signed in, as an operator."""

PROBLEMS = ("/nothing", "/coverage?budget=much", "{other}/files/{kept}/song.wav", "{other}/files/{lost}")
"""Addresses that are answered by a page with a status of 400 or more."""

NOT_PAGES = (
    "/api/",
    "/covers/",
    "/coverage.png",
    "/editions/",
    "/files/",
    "/health",
    "/listen/",
    "/metrics",
    "/oai",
    "/ready",
    "/rest/",
    "/waveforms/",
    "/webseed/",
)
"""How routes begin that programs read, or that are no page: files, pictures, answers in JSON and XML."""
