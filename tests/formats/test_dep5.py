from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats.dep5 import DEP5_BYTES_MAX, GLOBS_MAX, Dep5, glob_fits, names_of, parse_dep5
from fonoteca.model.errors import FormatError

FORMAT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"


def parsed(text: str) -> Dep5:
    found = parse_dep5((FORMAT + text).encode())
    assert found is not None
    return found


def licences(text: str, path: str) -> list[str]:
    return [s.licence for s in parsed(text).stanzas_for(path)]


def stanza(globs: str, licence: str, who: str = "2020 A. Name") -> str:
    return f"\nFiles: {globs}\nCopyright: {who}\nLicense: {licence}\n"


def test_free_text_is_not_dep5() -> None:
    assert parse_dep5(b"This package was debianized by a person.\n\nLicense: GPL\n") is None
    assert parse_dep5(b"") is None
    assert parse_dep5(b"\xff\xfe\x00binary") is None


@pytest.mark.parametrize(
    "content",
    [
        (FORMAT + "\nFiles: *\nCopyright: x\nCopyright: y\nLicense: GPL\nno colon here\n").encode(),
        FORMAT.encode() + b"\nFiles: *\nCopyright: \xff\xfe\nLicense: GPL-2\n",
        (FORMAT + "\nFiles: *\nLicense: GPL\n text\n" * 3).encode() + b"x" * DEP5_BYTES_MAX,
    ],
    ids=["not deb822", "not utf-8", "too long"],
)
def test_what_claims_to_be_dep5_but_is_not_is_an_error_not_free_text(content: bytes) -> None:
    with pytest.raises(FormatError):
        parse_dep5(content)


@given(st.binary(max_size=400))
def test_any_bytes_give_a_parse_none_or_a_format_error(noise: bytes) -> None:
    for content in (noise, FORMAT.encode() + b"\n" + noise):
        try:
            found = parse_dep5(content)
        except FormatError:
            continue
        if found is not None:
            found.notices_for(found.stanzas_for("usr/share/games/x/music/a.ogg"))


def test_a_file_is_matched_by_its_base_name() -> None:
    text = stanza("*", "GPL-2+") + stanza("music/a.ogg", "CC-BY-4.0")
    assert licences(text, "usr/share/games/x/music/a.ogg") == ["CC-BY-4.0"]
    assert licences(text, "usr/share/x/bgm/a.ogg") == ["CC-BY-4.0"]
    assert licences(text, "usr/share/games/x/music/b.ogg") == ["GPL-2+"]


def test_the_last_stanza_that_fits_wins() -> None:
    text = stanza("*", "GPL-2+") + stanza("music/*", "CC-BY-4.0") + stanza("music/b.ogg", "CC0-1.0")
    assert licences(text, "usr/share/x/music/b.ogg") == ["CC0-1.0"]
    assert licences(text, "usr/share/x/music/a.ogg") == ["CC-BY-4.0"]
    reverse = stanza("*", "GPL-2+") + stanza("music/b.ogg", "CC0-1.0") + stanza("music/*", "CC-BY-4.0")
    assert licences(reverse, "usr/share/x/music/b.ogg") == ["CC-BY-4.0"]


def test_one_base_name_in_two_folders_that_the_path_does_not_show_gives_both() -> None:
    text = stanza("*", "GPL-2+") + stanza("old/intro.ogg", "CC-BY-4.0") + stanza("new/intro.ogg", "CC-BY-NC-4.0")
    assert licences(text, "usr/share/x/intro.ogg") == ["CC-BY-4.0", "CC-BY-NC-4.0"]
    assert licences(text, "usr/share/x/new/intro.ogg") == ["CC-BY-NC-4.0"]


def test_a_later_stanza_that_names_the_base_name_elsewhere_is_not_ruled_out() -> None:
    text = stanza("*", "GPL-2+") + stanza("music/*", "GPL-3+") + stanza("extra/intro.ogg", "CC-BY-NC-4.0")
    assert licences(text, "usr/share/x/music/intro.ogg") == ["GPL-3+", "CC-BY-NC-4.0"]


def test_a_folder_of_media_that_the_path_does_not_show_leaves_a_doubt_but_one_of_code_does_not() -> None:
    text = stanza("*", "GPL-2+") + stanza("src/json/*", "Expat") + stanza("contrib/music/*", "CC-BY-NC-4.0")
    assert licences(text, "usr/share/x/a.ogg") == ["GPL-2+", "CC-BY-NC-4.0"]
    assert licences(stanza("*", "GPL-2+") + stanza("src/json/*", "Expat"), "usr/share/x/a.ogg") == ["GPL-2+"]


def test_packaging_never_speaks_for_music() -> None:
    text = stanza("*", "CC-BY-4.0") + stanza("debian/*", "GPL-2+") + stanza("debian/a.ogg", "GPL-3+")
    assert licences(text, "usr/share/x/a.ogg") == ["CC-BY-4.0"]


def test_without_a_stanza_that_fits_there_is_silence() -> None:
    assert licences(stanza("src/*", "GPL-2+"), "usr/share/x/a.ogg") == []


def test_notices_carry_copyright_and_the_licence_texts_that_are_named() -> None:
    found = parsed(
        "\nFiles: *\nCopyright: 2001 A. Name <a@example.org>\n           2002 B. Name\nLicense: GPL-2+ or CC-BY-4.0\n"
        "\nLicense: GPL-2+\n the GNU text\n .\n second part\n\nLicense: CC-BY-4.0\n the CC text\n\nLicense: Expat\n other\n"
    )
    (one,) = found.stanzas_for("usr/share/x/a.ogg")
    assert one.credit == "2001 A. Name; 2002 B. Name"
    notices = found.notices_for([one])
    assert notices[0].startswith("Copyright: 2001 A. Name <a@example.org>")
    assert [n.splitlines()[0] for n in notices[1:]] == ["the GNU text", "the CC text"]
    assert "second part" in notices[1]


def test_nobody_is_credited_where_the_stanza_names_nobody() -> None:
    (one,) = parsed(stanza("*", "CC0-1.0", "no-copyright")).stanzas_for("usr/share/x/a.ogg")
    assert one.credit == ""


def test_an_expression_is_split_into_its_names() -> None:
    assert names_of("GPL-2+ or Artistic, and CC-BY-4.0") == ("GPL-2+", "Artistic", "CC-BY-4.0")


@pytest.mark.parametrize(
    ("glob", "text", "fits"),
    [
        ("*", "a/b", True),
        ("music/*.ogg", "music/x/a.ogg", True),
        ("music/?.ogg", "music/a.ogg", True),
        ("music/?.ogg", "music/ab.ogg", False),
        (r"a\*.ogg", "a*.ogg", True),
        (r"a\*.ogg", "ab.ogg", False),
        ("[ab].ogg", "a.ogg", False),
        ("", "", True),
        ("", "a", False),
        ("**", "", True),
    ],
)
def test_globs_are_those_of_dep5(glob: str, text: str, fits: bool) -> None:
    assert glob_fits(glob, text) is fits


@given(st.text(max_size=60))
def test_an_escaped_text_is_a_glob_for_itself_alone(text: str) -> None:
    glob = text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")
    assert glob_fits(glob, text)
    assert not glob_fits(glob, text + "x")


@pytest.mark.timeout(5)
def test_a_hostile_glob_is_slow_for_nobody() -> None:
    assert not glob_fits("*a" * 200 + "b", "a" * 4000)


def test_more_globs_than_any_real_file_has_are_for_a_person() -> None:
    many = "\n ".join(f"music/{number}.ogg" for number in range(GLOBS_MAX + 1))
    content = f"{FORMAT}\nFiles: {many}\nCopyright: 2020 A\nLicense: GPL-2+\n"
    with pytest.raises(FormatError, match="10001 globs"):
        parse_dep5(content.encode())
