from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.model.rights import Scheme
from fonoteca.rights import find_licence, licences
from fonoteca.rights.statements import read_options

CC = "https://creativecommons.org/licenses/"
CC_ROWS = sorted(uri for uri in licences() if uri.startswith(CC))


def name_of(statement: str, scheme: Scheme) -> str | None:
    found = find_licence(statement, scheme)
    return found and found.name


@given(
    st.sampled_from(CC_ROWS),
    st.sampled_from(["http://", "https://", "HTTP://", "//", ""]),
    st.sampled_from(["", "www."]),
    st.sampled_from(
        ["", "legalcode", "legalcode.de", "deed", "deed.pt_BR", "deed.zh-hant", "legalcode.txt", "rdf", "?lang=fr", "#x"]
    ),
    st.booleans(),
)
def test_every_spelling_of_an_address_is_one_licence(uri: str, protocol: str, www: str, tail: str, upper: bool) -> None:
    path = uri.removeprefix("https://creativecommons.org/")
    spelling = f"{protocol}{www}creativecommons.org/{path.upper() if upper else path}{tail}"
    assert find_licence(spelling, Scheme.LICENCE_URI) == licences()[uri]
    assert find_licence(spelling.rstrip("/"), Scheme.LICENCE_URI) == licences()[uri]


@pytest.mark.parametrize("scheme", list(Scheme))
@given(statement=st.text(max_size=80))
def test_no_text_breaks_the_reader(scheme: Scheme, statement: str) -> None:
    read_options(statement, scheme)


@pytest.mark.parametrize(
    "statement", ["(" * 1900, "(" * 900 + "MIT" + ")" * 900, "MIT or " * 280 + "MIT", "(MIT or ISC) and " * 100 + "X11"]
)
def test_hostile_expressions_end_soon(statement: str) -> None:
    read_options(statement, Scheme.SPDX)


def test_statement_longer_than_any_licence_name_is_for_a_person() -> None:
    assert name_of("http://creativecommons.org/licenses/by/3.0/ " + "x" * 2000, Scheme.TAG) is None


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("CC-BY-SA-3.0", "CC BY-SA 3.0"),
        ("CC-BY-SA-3.0-DE", "CC BY-SA 3.0 DE"),
        ("cc-by-nc-nd-1.0", "CC BY-ND-NC 1.0"),
        ("CC-BY-3.0-IGO", "CC BY 3.0 IGO"),
        ("CC0-1.0", "CC0 1.0"),
        ("GPL-2.0-or-later", "GPL 2 or later"),
        ("GPL-2+", "GPL 2 or later"),
        ("GPL-3.0-only", "GPL 3"),
        ("MIT", "MIT (Expat)"),
        ("LAL-1.3", "Free Art License 1.3"),
        ("(GPL-2.0-only OR MIT) AND CC-BY-4.0", "CC BY 4.0 and MIT (Expat)"),
        ("CC-BY-4.0 OR CC-BY-NC-4.0", "CC BY 4.0"),
        ("GPL-2.0-only WITH Font-exception-2.0", None),
        ("LicenseRef-mine", None),
        ("CC-BY", None),
        ("CC-BY-9.0", None),
        ("CC-BY-4.0-DE", None),
        ("BSD", None),
        ("", None),
    ],
)
def test_spdx_names(statement: str, expected: str | None) -> None:
    assert name_of(statement, Scheme.SPDX) == expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("GPL-2+", "GPL 2 or later"),  # asc-music
        ("GPL-3+", "GPL 3 or later"),  # planetblupi-music-ogg
        ("GPL-2", "GPL 2"),
        ("LGPL-2.1+", "LGPL 2.1 or later"),
        ("GFDL-NIV-1.3+", "GFDL 1.3 or later"),
        ("Expat", "MIT (Expat)"),
        ("public-domain", "Public Domain Mark 1.0"),
        ("Artistic", "Artistic 1.0"),
        ("CC-BY-SA-3.0+", "CC BY-SA 3.0"),  # the licensee may choose the version named
        ("GPL-2+ or CC-BY-SA-3.0", "GPL 2 or later"),
        ("CC-BY-NC-SA-3.0 or CC-BY-SA-3.0", "CC BY-SA 3.0"),
        ("GPL-2+ or Nonesuch", "GPL 2 or later"),
        ("GPL-2+ and CC-BY-NC-3.0", "CC BY-NC 3.0 and GPL 2 or later"),
        ("GPL-2+ and Nonesuch", None),
        ("MIT and CC-BY-NC-3.0 or GPL-1+", "GPL, any version"),
        ("GPL-1+ or MIT and ISC", "ISC and MIT (Expat)"),
        ("MIT and (ISC or Nonesuch)", "ISC and MIT (Expat)"),
        ("Nonesuch or MIT, and ISC", "ISC and MIT (Expat)"),
        ("GPL-2 or later", "GPL 2 or later"),
        ("GPL-2+ with OpenSSL exception", None),
        ("GPL-9+", None),
    ],
)
def test_dep5_names(statement: str, expected: str | None) -> None:
    assert name_of(statement, Scheme.DEP5) == expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("GPL", "GPL, any version"),  # wesnoth: GPL-2 section 9 lets the recipient choose
        ("http://creativecommons.org/licenses/by-sa/3.0/", "CC BY-SA 3.0"),  # singularity
        ("GPLv2+", "GPL 2 or later"),
        ("GNU General Public License v2.0 or later", "GPL 2 or later"),
        ("CC BY-SA 3.0", "CC BY-SA 3.0"),
        ("CC-BY-SA 4.0 International", "CC BY-SA 4.0"),
        ("Creative Commons Attribution-Noncommercial-No Derivative Works 3.0 Unported", "CC BY-NC-ND 3.0"),
        ("Attribution-ShareAlike 3.0 International", None),  # no such licence
        (
            "2005 A. Name. Licensed to the public under http://creativecommons.org/licenses/by/2.0/ verify at http://a.example/b",
            "CC BY 2.0",
        ),
        ("Some rights reserved: <http://creativecommons.org/licenses/by-nc/2.5/>.", "CC BY-NC 2.5"),
        ("http://creativecommons.org/licenses/by/3.0/ http://www.creativecommons.org/licenses/by/3.0", "CC BY 3.0"),
        ("http://creativecommons.org/licenses/by/3.0/ http://creativecommons.org/licenses/by-nc/3.0/", None),
        ("http://creativecommons.org/licenses/by/3.0/ and http://a.example/terms", None),
        ("All rights reserved. http://creativecommons.org/licenses/by/3.0/", None),
        ("Not under http://creativecommons.org/licenses/by/3.0/", None),
        ("CC BY-NC 3.0 http://creativecommons.org/licenses/by/3.0/", None),
        ("for non-commercial use, http://creativecommons.org/licenses/by/3.0/", None),
        ("CC BY-NC 3.0: http://creativecommons.org/licenses/by-nc/3.0/", "CC BY-NC 3.0"),
        ("For personal use only: http://creativecommons.org/licenses/by/3.0/", None),
        ("Commercial use prohibited. http://creativecommons.org/licenses/by/3.0/", None),
        ("Creative Commons", None),
        ("free to share", None),
        ("http://artist.example/", None),
        ("2007 Doug Kaufman", None),
    ],
)
def test_tags(statement: str, expected: str | None) -> None:
    assert name_of(statement, Scheme.TAG) == expected


@pytest.mark.parametrize(
    "statement",
    [
        "http://freemusicarchive.org/FMA_License",
        "http://creativecommons.org/licenses/by-nc-sa/",
        "http://creativecommons.org/licenses/by/4.0/de/",
        "http://creativecommons.org/licenses/by/2.1/",
        "http://creativecommons.org.evil.example/licenses/by/3.0/",
        "http://evil.example/creativecommons.org/licenses/by/3.0/",
        "http://creativecommons.org/licenses/by/3.0/us/extra/",
        "http://www.gnu.org/licenses/gpl.html",
        "urn:fonoteca:licence:own-work",
        "http://creativecommons.org/licenses/by/3.0/ or so",
    ],
)
def test_address_that_is_not_in_the_table_is_not_guessed(statement: str) -> None:
    assert name_of(statement, Scheme.LICENCE_URI) is None


@pytest.mark.parametrize("statement", [*CC_ROWS[:5], "MIT", "GPL-2+", "own: hold share"])
def test_free_text_is_never_read_as_a_licence(statement: str) -> None:
    assert name_of(statement, Scheme.FREE_TEXT) is None


def test_own_work_is_never_named_by_a_statement() -> None:
    for scheme in Scheme:
        assert name_of("urn:fonoteca:licence:own-work", scheme) is None
        assert name_of("Own work", scheme) is None
