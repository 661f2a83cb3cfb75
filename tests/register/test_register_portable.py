"""A dump of the register fills another one of any engine, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest
from register_world import drop_of, keep, made, second

from fonoteca.model.corridor import DropMember
from fonoteca.model.errors import FormatError
from fonoteca.register import Register
from fonoteca.register.portable import FORMAT


def filled(register: Register) -> None:
    """Hold two versions of an object, published, and give the register something to go on counting from."""
    first = made("folder:songs")
    keep(register, first)
    keep(register, second(first))
    register.record_drop(drop_of((DropMember(first.object_id, 1),)))


def test_a_dump_fills_any_engine_to_the_row(register: Register, tmp_path: Path) -> None:
    filled(register)
    lines = list(register.dump())
    with Register.open(tmp_path / "other.sqlite") as other:
        other.load(lines)
        assert list(other.natural_rows()) == list(register.natural_rows())
        assert list(other.dump()) == lines
        back = list(other.dump())
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
