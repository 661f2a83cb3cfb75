"""What the documents say to type does what they say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest
from docs_console import REPOSITORY, Terminal, Typed, agrees, has_target, parses, steps
from rich.console import Console

from fonoteca.cli import output

RUN = ("README.md", "docs/walkthrough.md", "docs/mirror.md", "docs/withdrawal.md", "docs/formats.md")
"""Documents whose commands are run from top to bottom, each in a folder of its own."""
WIDTH = 80


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder that looks like a checkout with its `.venv`, where everything may be written; commands run there."""
    for name in ("src", ".venv", "Makefile"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(output, "_STDOUT", Console(highlight=False, width=WIDTH))
    monkeypatch.setattr(output, "_STDERR", Console(highlight=False, width=WIDTH, stderr=True))
    with patch.dict(os.environ):
        yield tmp_path


@pytest.mark.parametrize("name", RUN)
def test_what_a_document_says_to_type_does_what_it_says(name: str, checkout: Path) -> None:
    terminal = Terminal(dict(os.environ))
    plan = list(steps((REPOSITORY / name).read_text(encoding="utf-8")))
    for step, following in pairwise([*plan, None]):
        assert step is not None
        terminal.do(step, following)
    assert terminal.ran


def test_examples_of_every_command_can_be_typed() -> None:
    text = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    examples = re.findall(r"^    (fonoteca .*)$", text, re.MULTILINE)
    assert len(examples) > 30
    for example in examples:
        parses(example)


def test_make_targets_that_documents_name_are_there() -> None:
    for path in (REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *(REPOSITORY / "docs").rglob("*.md")):
        for target in re.findall(r"(?:`|^    )make(?: -s)? ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            assert has_target(target), f"{path.name}: make {target}"


def test_output_that_differs_is_seen() -> None:
    assert agrees(["held ... files", "...", "done"], ["held 3 files  ", "one", "two", "done"])
    assert agrees(["a", "..."], ["a"])
    assert not agrees(["held 3 files"], ["held 4 files"])
    assert not agrees(["a"], ["a", "b"])


def test_a_block_is_commands_with_what_comes_out() -> None:
    found = list(steps("Say\n\n```console\n$ one\nout\n$ two\n```\n"))
    assert found == [Typed(4, "one", ("out",)), Typed(6, "two", ())]
