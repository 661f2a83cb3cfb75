"""Documents whose commands are run: what they say to type, what they say comes out, and what really does.

In a block marked `console`, a line that begins with `$ ` is typed, and the lines after it are what comes out, stdout and
stderr as a terminal mixes them; `...` in a line stands for any text, alone on a line for any lines. No lines: anything may
come out. A command must end with status 0, unless the next one is `echo $?`. A block marked `toml`, `csv` or `python` after
a line that ends with a path as code and a colon is a file to write.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.main import get_command

import fonoteca.cli.commands  # noqa: F401  (importing it makes every command join)
from fonoteca.cli.app import app, run

REPOSITORY = Path(__file__).resolve().parents[2]
LASTING = ("serve", "seed")
"""Commands that go on until interrupted: they are parsed, not run."""
OWN_FOLDER = "make"
"""What is run in the checkout itself: the targets must be there."""
SHELL_TIMEOUT_S = 60

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE_NAME = re.compile(r"`([^`\s]+)`:\n+\Z")
_WILD = "..."


@dataclass(frozen=True, slots=True)
class Typed:
    """A command of a document. line: where it is. output: what the document says comes out, by lines."""

    line: int
    command: str
    output: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A file that a document says to write."""

    line: int
    path: str
    content: str


Step = Typed | Written


def steps(markdown: str) -> Iterator[Step]:
    """Yield what a document says to do, in order."""
    for block in _BLOCK.finditer(markdown):
        line = markdown.count("\n", 0, block.start()) + 2
        name = _FILE_NAME.search(markdown, 0, block.start())
        if block[1] == "console":
            yield from _typed(block[2].splitlines(), line)
        elif block[1] in ("toml", "csv", "python") and name:
            yield Written(line, name[1], block[2])


def _typed(lines: Sequence[str], first: int) -> Iterator[Typed]:
    """Yield the commands of one block."""
    starts = [i for i, text in enumerate(lines) if text.startswith("$ ")]
    assert starts[:1] == [0], f"line {first}: a console block begins with a command"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield Typed(first + start, lines[start].removeprefix("$ "), tuple(lines[start + 1 : end]))


def parses(command: str) -> None:
    """Parse a `fonoteca` command as the command line would. Raises: typer.TyperException when it could not be run."""
    words = shlex.split(command, comments=True)
    assert words.pop(0) == "fonoteca", command
    found: Any = get_command(app)
    path = ["fonoteca"]
    while nested := getattr(found, "commands", None):
        if found.invoke_without_command and (not words or words[0].startswith("-")):
            break
        assert words, f"{command}: no command"
        assert words[0] in nested, f"{command}: no such command as {words[0]}"
        path.append(words[0])
        found = nested[words.pop(0)]
    found.make_context(" ".join(path), words).close()


def agrees(said: Sequence[str], found: Sequence[str]) -> bool:
    """Return whether output is as a document says, where runs of spaces count as one: columns are as wide as what is in them."""
    pattern = ""
    for line in map(_narrow, said):
        pattern += r"(?:.*\n)*?" if line == _WILD else ".*".join(re.escape(part) for part in line.split(_WILD)) + r"\n"
    return re.fullmatch(pattern, "".join(f"{_narrow(line)}\n" for line in found)) is not None


def _narrow(line: str) -> str:
    """Return a line with its runs of spaces as one space, and none at its end."""
    return re.sub(" +", " ", line.rstrip())


@dataclass(slots=True)
class Terminal:
    """A shell in a folder of its own: its variables and folder last from one command to the next."""

    variables: dict[str, str]
    status: int = 0
    ran: list[str] = field(default_factory=list)

    def do(self, step: Step, following: Step | None) -> None:
        """Do a step and hold what comes out against what the document says. following: the step after it."""
        if isinstance(step, Written):
            Path(step.path).write_text(step.content, encoding="utf-8")
            return
        found = self._type(step.command)
        self.ran.append(step.command)
        told = isinstance(following, Typed) and following.command == "echo $?"
        assert self.status == 0 or told, f"line {step.line}: {step.command}: status {self.status}\n{found}"
        lines = found.splitlines()
        assert not step.output or agrees(step.output, lines), f"line {step.line}: {step.command}: found\n{found}"

    def _type(self, command: str) -> str:
        """Return what comes out of one command, and remember its status."""
        words = shlex.split(command, comments=True)
        if command == "echo $?":
            last, self.status = self.status, 0
            return f"{last}\n"
        if words[0] == OWN_FOLDER:
            assert has_target(words[1]), f"{command}: no such target"
            return ""
        if words[0] != "fonoteca" or {"|", ">", "<"} & set(words):
            return self._shell(command)
        if words[1] in LASTING:
            parses(command)
            return ""
        return self._fonoteca(self._expanded(command)[1:])

    def _fonoteca(self, words: Sequence[str]) -> str:
        """Return what comes out of Fonoteca. In this process, because loading it anew costs more than most commands."""
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(out):
            self.status = run(list(words))
        return out.getvalue()

    def _expanded(self, command: str) -> list[str]:
        """Return the words of a command as bash would pass them on."""
        told = subprocess.run(
            ["bash", "-c", f'set -- {command}\nprintf "%s\\0" "$@"'],
            env=self.variables,
            stdout=subprocess.PIPE,
            timeout=SHELL_TIMEOUT_S,
            check=True,
        )
        return told.stdout.decode().split("\0")[:-1]

    def _shell(self, command: str) -> str:
        """Return what comes out of bash, and take over the variables and the folder that it ends with."""
        script = f"{command}\nstatus=$?\npwd >&3\nenv -0 >&3\nexit $status"
        reading, writing = os.pipe()
        try:
            with os.fdopen(writing, "wb") as state:
                ended = subprocess.run(
                    ["bash", "-c", script.replace(">&3", f">&{state.fileno()}")],
                    pass_fds=(state.fileno(),),
                    env=self.variables,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=SHELL_TIMEOUT_S,
                    check=False,
                )
            with os.fdopen(reading, "rb", closefd=False) as told:
                folder, _, variables = told.read().decode().partition("\n")
        finally:
            os.close(reading)
        self.status = ended.returncode
        self.variables = _variables(variables)
        os.environ.update(self.variables)
        os.chdir(folder)
        return ended.stdout.decode()


def has_target(name: str) -> bool:
    """Return whether the Makefile has a target of this name."""
    return re.search(rf"^{re.escape(name)}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE) is not None


def _variables(text: str) -> dict[str, str]:
    """Return the variables that `env -0` tells of."""
    found: Mapping[str, str] = dict(pair.split("=", 1) for pair in text.split("\0") if pair)
    return dict(found)
