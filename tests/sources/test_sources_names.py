from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.model.ids import ItemKey
from fonoteca.model.rights import Scheme
from fonoteca.sources.paths import PATH_BYTES_MAX, logical_path, received_text, slug
from fonoteca.sources.roles import Role, role_of, starts_like_audio, unsupported_reason
from fonoteca.sources.statements import plain_name, scheme_of, suffix_of


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("a.ogg", Role.AUDIO),
        ("A.FLAC", Role.AUDIO),
        ("locked.aax", Role.AUDIO),
        ("cover.JPG", Role.ARTWORK),
        ("tune.xm", Role.UNSUPPORTED_MUSIC),
        ("tune.mid", Role.UNSUPPORTED_MUSIC),
        ("booklet.pdf", Role.UNSUPPORTED_ARTWORK),
        ("COPYING", Role.LEGAL),
        ("licence.txt", Role.LEGAL),
        ("COPYING.LGPL", Role.LEGAL),
        ("rights.toml", Role.LEGAL),
        ("license.ogg", Role.AUDIO),
        ("notes.txt", Role.UNKNOWN),
        ("ogg", Role.UNKNOWN),
        (".ogg", Role.UNKNOWN),
        ("licensed-song.wav", Role.AUDIO),
        ("x.", Role.UNKNOWN),
    ],
)
def test_a_name_gives_a_role(name: str, role: Role) -> None:
    assert role_of(name) is role


def test_only_unmistakable_beginnings_make_audio_of_a_nameless_file() -> None:
    assert starts_like_audio(b"OggS\0\2")
    assert starts_like_audio(b"RIFF\x10\n\0\0WAVEfmt ")
    assert not starts_like_audio(b"RIFF\x10\0\0\0AVI LIST")
    assert not starts_like_audio(b"\0\0\0\x18ftypmp42")
    assert not starts_like_audio(b"\xff\xfb\x90")
    assert not starts_like_audio(b"")


def test_what_is_not_supported_is_explained() -> None:
    assert "tracker module (.xm)" in unsupported_reason("Tune.XM")
    assert "expected PNG" in unsupported_reason("scan.tif")


@given(st.text(st.characters(blacklist_categories=("Cs",))))
def test_a_name_that_is_utf8_is_never_changed(name: str) -> None:
    assert received_text(name.encode()) == name


@given(st.binary())
def test_the_bytes_of_a_name_that_is_no_text_can_be_had_back(name: bytes) -> None:
    shown = received_text(name)
    shown.encode()  # no surrogates are left
    try:
        name.decode()
    except UnicodeDecodeError:
        assert unquote_to_bytes(shown) == name


@pytest.mark.parametrize(
    "name",
    [
        b"../a.ogg",
        b"a/../../b.ogg",
        b"/etc/a.ogg",
        b"a//b.ogg",
        b"",
        b"./",
        b"a\0.ogg",
        b"..",
        b"x" * (PATH_BYTES_MAX + 1),
        b"\xff" * 1000,
    ],
    ids=repr,
)
def test_a_path_that_leads_out_is_no_logical_path(name: bytes) -> None:
    assert logical_path(name) is None


@pytest.mark.parametrize("name", ["line\nbreak.ogg", "\u202egnp.ogg", "🎵.ogg", "Ä" * 127 + "a", "back\\slash.ogg", "a b/c.ogg"])
def test_strange_names_are_kept(name: str) -> None:
    assert logical_path(b"./" + name.encode()) == name


def test_a_slug_is_ascii() -> None:
    assert slug("Čajkovskij: Op. 20 / №1") == "cajkovskij-op-20-no1"
    assert slug("東京") == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://creativecommons.org/licenses/by-sa/3.0/", "CC-BY-SA-3.0"),
        ("https://creativecommons.org/licenses/by/4.0/legalcode", "cc-by-4.0"),
        ("http://creativecommons.org/licenses/by-nc/2.0/de/deed.de", "CC-BY-NC-2.0-DE"),
        ("CC BY-SA 3.0\nhttp://creativecommons.org/licenses/by-sa/3.0/", "CC-BY-SA-3.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-3", "GPL-3.0-only"),
        ("gpl v2 or later", "GPL-2.0+"),
        ("  Some   Words ", "some words"),
    ],
)
def test_two_spellings_of_one_licence_are_one(one: str, other: str) -> None:
    assert plain_name(one) == plain_name(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GPL-2", "GPL-2+"),
        ("GPL", "GPL-2+"),
        ("CC-BY-4.0", "CC-BY-SA-4.0"),
        ("LGPL-2.1", "GPL-2"),
        ("http://creativecommons.org/licenses/by/4.0/", "http://creativecommons.org/licenses/by/4.0/ for personal use"),
        ("CC-BY-4.0", "not http://creativecommons.org/licenses/by/4.0/"),
        ("CC-BY-4.0", "http://creativecommons.org/licenses/by/4.0/\nhttp://creativecommons.org/licenses/by-nc/4.0/"),
    ],
)
def test_two_licences_are_two(one: str, other: str) -> None:
    assert plain_name(one) != plain_name(other)


@given(st.lists(st.text(max_size=300), max_size=5))
def test_a_suffix_fits_a_key_and_depends_on_the_statements_alone(statements: list[str]) -> None:
    suffix = suffix_of(statements)
    ItemKey(f"folder:{'x' * 100}#{suffix}")
    assert len(suffix) <= 48
    assert suffix == suffix_of(reversed(statements)) == suffix_of([*statements, *statements])


def test_suffixes_are_readable_and_differ() -> None:
    assert suffix_of([]) == suffix_of([" "]) == "unlicensed"
    assert suffix_of(["CC-BY-4.0", "GPL-2+"]) == "cc-by-4.0_gpl-2+"
    assert re.fullmatch(r"free-for-all-[0-9a-f]{8}", suffix_of(["free for all!"]))
    assert suffix_of(["free for all!"]) != suffix_of(["free for all?"])


def test_an_address_an_spdx_name_and_a_status_are_different_schemes() -> None:
    assert scheme_of("https://creativecommons.org/licenses/by/4.0/") is Scheme.LICENCE_URI
    assert scheme_of("CC-BY-4.0") is Scheme.SPDX
    assert scheme_of("http://rightsstatements.org/vocab/InC/1.0/") is Scheme.RIGHTS_STATEMENT
