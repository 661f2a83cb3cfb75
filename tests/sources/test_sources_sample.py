"""The bundled sample is real input: it is offered whole, with licences that are known, and it is what its table says."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

import fonoteca
from fonoteca.audio import artwork_type
from fonoteca.model.corridor import Candidate
from fonoteca.model.rights import Kind, Policy, SharingAdmission
from fonoteca.rights import decide
from fonoteca.sources import SOURCES, SourceContext

SAMPLE = Path(fonoteca.__file__).parent / "sample"
TOOL = Path(__file__).resolve().parents[2] / "tools" / "make_sample.py"


@pytest.fixture
def candidates(context: SourceContext) -> list[Candidate]:
    return list(SOURCES["folder"].candidates(str(SAMPLE), context))


def test_it_is_small_and_varied(candidates: list[Candidate]) -> None:
    assert sum(p.stat().st_size for p in SAMPLE.rglob("*") if p.is_file()) <= 10_000_000
    audio = [c for c in candidates if c.kind is Kind.AUDIO]
    assert len(audio) >= 3
    assert sum(len(c.files) for c in audio) >= 8
    assert sum(c.kind is Kind.ARTWORK for c in candidates) >= 2
    assert {Path(f.logical_path).suffix for c in audio for f in c.files} == {".ogg", ".opus", ".mp3"}


def test_every_item_may_be_shared_and_has_its_notices(candidates: list[Candidate], context: SourceContext) -> None:
    decisions = [decide(c, Policy(), context.clock.now()) for c in candidates]
    assert all(isinstance(d, SharingAdmission) for d in decisions)
    assert len({d.licence.uri for d in decisions if isinstance(d, SharingAdmission)}) >= 2
    assert all(c.notices and c.attribution and c.source_uri and not c.left_out for c in candidates)


def test_its_table_names_every_file(candidates: list[Candidate]) -> None:
    table = set(re.findall(r"^\| (\S.*?) \| \d+ \|", (SAMPLE / "README.md").read_text(), re.MULTILINE))
    files = {str(p.relative_to(SAMPLE)) for p in SAMPLE.glob("*/*") if p.name not in ("rights.toml", "NOTICE.txt")}
    assert table == files
    assert len(files) == sum(len(c.files) for c in candidates)


def test_it_is_what_the_tool_that_makes_it_expects(candidates: list[Candidate]) -> None:
    expected = set(re.findall(r'"([0-9a-f]{64})"', TOOL.read_text()))
    found = set()
    for file in (f for c in candidates for f in c.files):
        with file.open() as stream:
            found.add(hashlib.sha256(stream.read()).hexdigest())
    assert found == expected


def test_its_pictures_are_pictures(candidates: list[Candidate]) -> None:
    for file in (f for c in candidates if c.kind is Kind.ARTWORK for f in c.files):
        with file.open() as stream:
            assert artwork_type(stream.read(64)) == "image/png"
