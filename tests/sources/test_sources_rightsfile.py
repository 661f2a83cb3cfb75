from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.model.errors import SourceError
from fonoteca.model.rights import Act
from fonoteca.sources.rightsfile import RIGHTS_BYTES_MAX, RightsFile, parse_rights

WHOLE = """
id = "kitchen-songs"
title = "Kitchen Songs"
artist = "A. Nightingale"
licence = "CC-BY-4.0"
attribution = "A. Nightingale, Kitchen Songs"
notices = "NOTICE.txt"
source = "https://example.org/"
[[files]]
glob = "live/*"
licence = "CC-BY-NC-4.0"
[[files]]
glob = "live/encore.ogg"
own = true
acts = ["share", "hold"]
[artwork]
licence = "CC0-1.0"
"""


def read(text: str) -> RightsFile:
    return parse_rights(text.encode(), "x/rights.toml")


def test_all_that_it_states_is_read() -> None:
    found = read(WHOLE)
    assert (found.id, found.title, found.artist, found.notices) == (
        "kitchen-songs",
        "Kitchen Songs",
        "A. Nightingale",
        "NOTICE.txt",
    )
    assert found.terms.statement == "CC-BY-4.0"
    assert found.artwork is not None
    assert found.artwork.statement == "CC0-1.0"


def test_the_last_override_that_fits_wins() -> None:
    found = read(WHOLE)
    encore = found.override_for("live/encore.ogg")
    assert encore is not None
    assert encore.terms.statement == "own: hold share"
    assert encore.terms.own_acts == {Act.HOLD, Act.SHARE}
    other = found.override_for("live/cd2/a.ogg")
    assert other is not None
    assert other.terms.licence == "CC-BY-NC-4.0"
    assert found.override_for("a.ogg") is None


def test_an_empty_one_states_nothing() -> None:
    assert read("").terms.statement == ""


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('license = "CC-BY-4.0"', "unknown key 'license'; did you mean 'licence'?"),
        ('colour = "red"', "unknown key 'colour'"),
        ('[artwork]\nlicens = "x"', "[artwork]: unknown key 'licens'"),
        ('[[files]]\nglob = "a"\ntitle = "x"', "[[files]] number 1: unknown key 'title'"),
        ('[[files]]\nlicence = "x"', "[[files]] number 1: expected a glob"),
        ('files = "a"', "expected [[files]] tables"),
        ('files = ["a"]', "[[files]] number 1: expected a table"),
        ('artwork = "a"', "[artwork]: expected a table"),
        ("licence = 4", "licence: expected text in quotes, found int"),
        ('licence = "x"\nown = true\nacts = ["hold"]', "both licence and own"),
        ("own = true", "expected a list of what you grant"),
        ('own = true\nacts = ["sell"]', "out of hold, share, derive, commercial"),
        ('own = "yes"', "own: expected true or false"),
        ('acts = ["hold"]', "acts without own = true"),
        ('id = "Not This"', "id 'Not This'"),
        ('id = "../up"', "id '../up'"),
        ('notices = "../secret"', "notices '../secret'"),
        (r'notices = "a\u0000b"', "notices 'a"),
        ("licence = ", "is not TOML"),
        ('title = "\ud800"', "is not UTF-8"),
    ],
    ids=lambda v: repr(v)[:40],
)
def test_what_is_not_understood_is_an_error_that_names_it(text: str, named: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_rights(text.encode("utf-8", "surrogatepass"), "x/rights.toml")
    assert named in caught.value.problem
    assert caught.value.subject == "x/rights.toml"


def test_a_long_one_is_refused_unread() -> None:
    with pytest.raises(SourceError, match="at most"):
        parse_rights(b"#" * (RIGHTS_BYTES_MAX + 1), "x")


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: f"licence = {t}".encode("utf-8", "surrogatepass"))))
def test_any_bytes_give_terms_or_a_source_error(content: bytes) -> None:
    try:
        parse_rights(content, "x")
    except SourceError:
        return
