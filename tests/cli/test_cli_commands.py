"""Every command of the built set is there and no other; each explains itself and answers in one JSON object."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_world import Fonoteca
from typer.main import get_command

from fonoteca import __version__
from fonoteca.cli import menu
from fonoteca.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
KEYS = {f"keys {each}" for each in ("show", "make", "add", "rotate", "revoke", "threshold", "offline", "sign")}
ACCOUNT = {
    f"account {each}" for each in ("list", "add", "role", "password", "disable", "enable", "remove", "key", "player", "carry")
}
NOTICE = {f"notice {each}" for each in ("list", "show", "accept", "reject", "answer")}
DESK = {f"desk {each}" for each in ("work", "list", "show", "undo", "retry", "drop")}
WORDS = {f"catalogue {each}" for each in ("merge", "split", "words")}
BUILT = {
    *WORDS,
    *KEYS,
    *DESK,
    *NOTICE,
    *ACCOUNT,
    *("demo", "init", "catalogue import", "catalogue kinds", "catalogue build", "catalogue stats", "catalogue match"),
    *(
        "catalogue export",
        "catalogue diff",
        "catalogue apply",
        "catalogue synth",
        "coverage",
        "correct",
        "upload",
        "plan",
        "acquire",
        "audit",
        "repair",
        "analyse",
        "doctor",
        "backup",
        "restore",
        "claim",
        "export bagit",
        "export files",
        "export ro-crate",
        "torrents check",
        "withdraw",
    ),
    "promote",
    *(
        "rebuild",
        "publish",
        "torrents",
        "follow",
        "seed",
        "search",
        "show",
        "serve",
        "rights show",
        "rights review",
        "rights set",
        "rights recheck",
        "rights term",
    ),
}
"""The commands of the design whose rooms are built."""

BEYOND_THE_DESIGN = {
    "correct",
    "upload",
    "rights recheck",
    "rights term",
    "torrents check",
    *WORDS,
    "catalogue kinds",
    "catalogue apply",
    "analyse",
    "claim",
    "promote",
    *KEYS,
    *ACCOUNT,
}
BEYOND_THE_DESIGN |= NOTICE | DESK
"""What people need beside it: a list of what can be imported, the other halves of `diff` and of `acquire --later`, a store that
outlived its archive, a mirror that outlived its origin, and what one does with keys, accounts, notices and decisions."""


def _commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if getattr(command, "invoke_without_command", False):
            yield f"{prefix}{name}", command
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = dict(_commands(get_command(app)))


def test_every_command_of_the_built_set_is_there_and_no_other() -> None:
    assert set(COMMANDS) == BUILT


def test_the_list_of_commands_says_of_each_what_it_says_itself() -> None:
    top: Any = get_command(app)
    lines = {name: inspect.cleandoc(command.help).splitlines()[0] for name, command in top.commands.items()}
    assert {name: line for name, (_, line) in menu.COMMANDS.items()} == lines
    for name, (module, _) in menu.COMMANDS.items():
        callback = top.commands[name].callback
        assert module == "commands" or callback is None or callback.__module__ == f"fonoteca.cli.{module}", name


@pytest.mark.parametrize(
    ("line", "loaded"), [("--help", ""), ("doctor --help", "fonoteca.rescue"), ("export --help", "fonoteca.intake")]
)
def test_a_command_line_imports_the_command_that_it_asks_for_alone(line: str, loaded: str) -> None:
    program = "import sys; from fonoteca.cli import menu; menu.join_commands(sys.argv[1:]); print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program, *line.split()], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"fonoteca.rescue", "fonoteca.intake"} & {*modules} == ({loaded} if loaded else set())
    assert ("sqlalchemy" in modules) == bool(loaded)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_does_something(name: str) -> None:
    function = inspect.unwrap(COMMANDS[name].callback)
    tree = ast.parse(inspect.getsource(function).lstrip())
    body = [node for node in tree.body[0].body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]  # type: ignore[attr-defined]
    assert any(isinstance(node, ast.Call) for statement in body for node in ast.walk(statement))
    assert not any(isinstance(node, ast.Pass) for node in body)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_explains_itself_and_every_option(name: str, fonoteca: Fonoteca) -> None:
    said = fonoteca(*name.split(), "--help")
    assert (said.status, said.err) == (0, "")
    assert f"fonoteca {name}" in said.out
    assert COMMANDS[name].help
    assert [p.name for p in COMMANDS[name].params if p.name != "help" and not getattr(p, "help", "")] == []


def test_the_design_names_no_other_command() -> None:
    design = ROOT.parent / "shared" / "DESIGN.md"
    if not design.is_file():
        pytest.skip("the design is not beside this checkout")
    block = re.search(r"## Commands.*?\nExit status", design.read_text(), re.DOTALL)
    assert block is not None
    words = set(re.findall(r"[a-z-]+", block[0]))
    assert {part for name in BUILT - BEYOND_THE_DESIGN for part in name.split()} <= words


READING = {
    "torrents": ["torrents"],
    "search": ["search", "one"],
    "show": ["show", "urn:fonoteca:audio:folder:good"],
    "coverage": ["coverage"],
    "catalogue stats": ["catalogue", "stats"],
    "rights show": ["rights", "show", "urn:fonoteca:audio:folder:good"],
    "rights review": ["rights", "review"],
}
WRITING = {
    "publish": ["publish"],
    "plan": ["plan", "--budget", "1GB"],
    "catalogue build": ["catalogue", "build"],
    "catalogue import": ["catalogue", "import", "store"],
    "rebuild": ["rebuild"],
    "audit": ["audit"],
    "repair": ["repair"],
}
ELSEWHERE = {"demo", "init", "acquire", "follow", "promote", "seed", "serve", "rights set", "rights term"}
ELSEWHERE |= ACCOUNT | NOTICE | DESK | WORDS | {"rights recheck", "correct", "upload"}
ELSEWHERE |= {
    *KEYS,
    "withdraw",
    "doctor",
    "backup",
    "restore",
    "claim",
    "analyse",
    "export bagit",
    "export ro-crate",
    "export files",
    "torrents check",
}
ELSEWHERE |= {f"catalogue {name}" for name in ("kinds", "match", "export", "diff", "apply", "synth")}
"""Whose JSON other tests look at."""


def test_every_answer_in_json_is_looked_at() -> None:
    assert READING.keys() | WRITING.keys() | ELSEWHERE == BUILT
    assert [name for name, command in COMMANDS.items() if not any(p.name == "as_json" for p in command.params)] == []


@pytest.mark.parametrize("name", READING)
def test_an_answer_in_json_is_one_object_on_stdout_and_nothing_else(name: str, prepared: Path, fonoteca: Fonoteca) -> None:
    said = fonoteca(*READING[name], "--json", "--archive", prepared)
    assert (said.status, said.err) == (0, "")
    assert said.answer
    in_words = fonoteca(*READING[name], "--archive", prepared)
    assert in_words.status == 0
    assert in_words.out


@pytest.mark.parametrize("name", WRITING)
def test_what_changes_an_archive_answers_in_one_object_too(name: str, archive: Path, fonoteca: Fonoteca) -> None:
    said = fonoteca(*WRITING[name], "--json", "--archive", archive)
    assert (said.status, said.err) == (0, "")
    assert said.answer
    assert fonoteca(*WRITING[name], "--archive", archive).status == 0


def test_figures_in_json_are_of_this_archive(prepared: Path, fonoteca: Fonoteca) -> None:
    shown = fonoteca("show", "urn:fonoteca:audio:folder:good", "--json", "-A", prepared).answer
    assert [file["path"] for file in shown["files"]] == ["01 one.wav", "02 two.wav"]
    assert shown["licence"] == "https://creativecommons.org/licenses/by/4.0/"
    drops = fonoteca("torrents", "--json", "-A", prepared).answer["drops"]
    assert [drop["kind"] for drop in drops] == ["metadata", "search", "audio"]
    assert all((prepared / "editions" / drop["torrent"]).is_file() for drop in drops)
    assert fonoteca("search", "tones", "--json", "-A", prepared).answer["hits"]
    assert fonoteca("coverage", "--json", "-A", prepared).answer["held"] == 2


def test_the_archive_is_this_folder_unless_it_is_named(
    prepared: Path, fonoteca: Fonoteca, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(prepared)
    assert fonoteca("torrents", "--json").answer["edition"] == 1
    monkeypatch.chdir(tmp_path)
    assert fonoteca("torrents", "--json").status == 2
    monkeypatch.setenv("FONOTECA_ARCHIVE", str(prepared))
    assert fonoteca("torrents", "--json").answer["edition"] == 1


def test_a_picture_of_the_curve_is_written_where_it_is_asked_for(prepared: Path, fonoteca: Fonoteca, tmp_path: Path) -> None:
    assert fonoteca("coverage", "--png", tmp_path / "curve.png", "-A", prepared).status == 0
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_module_says_its_version() -> None:
    done = subprocess.run([sys.executable, "-m", "fonoteca", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"fonoteca {__version__}\n", "")


def test_help_comes_soon() -> None:
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "fonoteca", "--help"], capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    assert done.returncode == 0
    assert "Commands" in done.stdout
    print(f"\n`fonoteca --help` took {seconds:.2f} s")  # noqa: T201
    if seconds > 5:
        warnings.warn(f"`fonoteca --help` took {seconds:.2f} s", stacklevel=1)


def test_a_reader_that_goes_away_is_no_failure(prepared: Path) -> None:
    line = f"{sys.executable} -m fonoteca show urn:fonoteca:audio:folder:good --archive '{prepared}' | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
