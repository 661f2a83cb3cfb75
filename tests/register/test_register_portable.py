"""A dump of the register fills another one of any engine, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from register_world import drop_of, keep, made, second

from fonoteca.model.corridor import DropMember, RankRange
from fonoteca.model.errors import FormatError
from fonoteca.register import Register
from fonoteca.register.portable import FORMAT


def filled(register: Register) -> None:
    """Hold two versions of an object, published, and give the register something to go on counting from."""
    first = made("folder:songs")
    keep(register, first)
    keep(register, second(first))
    published = drop_of((DropMember(first.object_id, 1),))
    register.record_drop(published)
    later = drop_of((DropMember(first.object_id, 2),), "audio-1111111111111111")
    register.record_drop(replace(later, needs=(published.id,), ranks=RankRange(2, 7_000_000_000), replaces=(published.id,)))


def test_a_dump_fills_any_engine_to_the_row(register: Register, tmp_path: Path) -> None:
    filled(register)
    lines = list(register.dump())
    with Register.open(tmp_path / "other.sqlite") as other:
        other.load(lines)
        assert list(other.natural_rows()) == list(register.natural_rows())
        assert list(other.dump()) == lines
        back = list(other.dump())
        found = {row.id: (row.ranks, row.replaces) for row in other.drops()}
    first, later = "audio-0123456789abcdef", "audio-1111111111111111"
    assert found == {first: (None, ()), later: (RankRange(2, 7_000_000_000), (first,))}
    register.load(back)
    assert list(register.dump()) == lines
    keep(register, made("folder:one-more"))  # keys go on where they were


def test_loading_is_all_or_nothing(register: Register) -> None:
    filled(register)
    lines = list(register.dump())
    for bad in ([*lines[:3], b"[1]\n"], [b'{"format":"other"}\n'], [], [*lines[:1], b'{"table":"secrets","columns":["a"]}\n']):
        with pytest.raises(FormatError):
            register.load(bad)
        assert list(register.dump()) == lines


def test_a_newer_registers_dump_is_refused(register: Register) -> None:
    with pytest.raises(FormatError, match="newest Fonoteca"):
        register.load([f'{{"format":"{FORMAT}","tables":"9999"}}\n'.encode()])
