"""The starter catalogue: real tracks, mended exactly, the same each time it is made."""

from __future__ import annotations

import csv
import importlib.util
import sys
import unicodedata
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fonoteca.catalogue import Catalogue

ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "src" / "fonoteca" / "starter"


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_starter", ROOT / "tools" / "make_starter.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_starter"] = module
    spec.loader.exec_module(module)
    return module


make_starter = _tool()


def _starter_rows() -> list[dict[str, str]]:
    with (STARTER / "tracks.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _misread(text: str) -> str:
    return "".join(make_starter._as_misread(byte) for byte in text.encode())


@given(st.text(st.characters(categories=["Lu", "Ll", "Lo", "Mn", "Nd", "Po", "Pd", "Zs", "So"]), max_size=40))
def test_text_that_was_misread_once_is_mended_exactly(text: str) -> None:
    assume(make_starter._reread(text) is None)
    assert make_starter.mend(_misread(text)) == text


@given(st.text())
def test_mending_is_done_once_and_for_all(text: str) -> None:
    mended = make_starter.mend(text)
    assert make_starter.mend(mended) == mended


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_never_mended(text: str) -> None:
    assert make_starter.mend(text) == text


@pytest.mark.parametrize(
    "text", ["Motörhead", "Recórcholis", "Sigur Rós", "naïve café", "Молот", "東京", "Ã", "à la carte", "¿Qué?"]
)
def test_names_that_are_well_are_left_alone(text: str) -> None:
    assert make_starter.mend(text) == text


@pytest.mark.parametrize(
    ("misread", "meant"),
    [
        ("RecÃ³rcholis", "Recórcholis"),
        ("TÐ°Ñ€ÐµÐ»ÐºÐ°", "Tарелка"),
        ("SÃƒÂ\xaddhe", "Sídhe"),
        ("CRÃ“!", "CRÓ!"),
        ("Ãvila", "Ávila"),
    ],
)
def test_misread_names_of_the_source_are_mended(misread: str, meant: str) -> None:
    # "Ávila" begins with bytes C3 81, the second of which Windows-1252 does not have.
    text = misread if misread != "Ãvila" else "Ã\x81vila"
    assert make_starter.mend(text) == meant


def test_the_starter_holds_no_misread_text() -> None:
    rows = _starter_rows()
    assert len(rows) == 10_939
    for row in rows:
        for column in ("title", "artist", "release"):
            assert make_starter._reread(row[column]) is None, row
            assert all(unicodedata.category(c) not in ("Cc", "Co", "Cn") for c in row[column]), row


def test_mended_words_agree_with_names_that_the_source_has_well(fixtures: Path) -> None:
    with (fixtures / "ccmusic" / "releases.csv").open(encoding="utf-8", newline="") as stream:
        well = {word for r in csv.DictReader(stream) for word in f"{r['album']} {r['artist']}".split()}
    well = {word for word in well if not word.isascii() and make_starter._reread(word) is None}
    assert "Recórcholis" in well
    mended = {word for row in _starter_rows() for word in f"{row['title']} {row['artist']}".split() if not word.isascii()}
    assert {"Recórcholis", "Müller", "Grünfeld"} <= mended & well


def test_the_same_source_gives_the_same_starter_to_the_byte(fixtures: Path, tmp_path: Path) -> None:
    assert make_starter.main([str(fixtures / "ccmusic"), str(tmp_path)]) == 0
    for name in ("tracks.csv", "README.md", "LICENSE", "mapping.toml"):
        assert (tmp_path / name).read_bytes() == (STARTER / name).read_bytes(), name


def test_every_row_of_the_source_is_kept_or_accounted_for(fixtures: Path) -> None:
    starter = make_starter.make_starter(fixtures / "ccmusic")
    assert len(starter.rows) + sum(starter.left_out.values()) == starter.source_count == 10_966
    assert len({row.recording for row in starter.rows}) == len(starter.rows)
    assert [row.recording for row in starter.rows] == sorted(row.recording for row in starter.rows)


def test_the_starter_is_imported_whole(catalogue: Catalogue) -> None:
    source = catalogue.import_starter()
    assert (source.row_count, source.quarantined_count, source.synthetic) == (10_939, 0, False)
    assert "by-sa/4.0" in source.licence
    assert "ojdo" in source.attribution
