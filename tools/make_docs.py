"""Write docs/commands.md, docs/errors.md and docs/openapi.json: from the command line, the tree of errors, and the site itself.

    .venv/bin/python tools/make_docs.py

tests/docs holds all of them to it.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from typer.main import get_command

import fonoteca.cli.commands  # noqa: F401  (importing it makes every command join)
from fonoteca.cli.app import app
from fonoteca.frontage import serve_rooms
from fonoteca.model import errors
from fonoteca.model.errors import FonotecaError
from fonoteca.model.settings import Settings
from fonoteca.serve import create_app
from fonoteca.wiring import create_archive, open_archive

DOCS = Path(__file__).resolve().parents[1] / "docs"

_ONE, _OTHER = "3f9b61de-74a0-4a7e-b7f1-5e0e2b1a4c10", "77aa02c4-1d0b-5d3e-9a55-0c6b8f1e2d33"
GROUPS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "Begin": {
        "demo": ("fonoteca demo", "fonoteca demo /tmp/corridor --no-serve --json", "fonoteca demo --debian wesnoth-1.16-music"),
        "init": ('fonoteca init jukebox --title "The village jukebox"',),
    },
    "What exists": {
        "catalogue import": (
            "fonoteca catalogue import starter",
            "fonoteca catalogue import musicbrainz mbdump.tar.bz2 mbdump-derived.tar.bz2",
            "fonoteca catalogue import listenbrainz listenbrainz-listens-dump.tar.zst",
            "fonoteca catalogue import table plays.csv --mapping plays.toml",
            "fonoteca catalogue import store",
        ),
        "catalogue kinds": ("fonoteca catalogue kinds",),
        "catalogue build": ("fonoteca catalogue build --archive jukebox",),
        "catalogue stats": ("fonoteca catalogue stats --json", "fonoteca catalogue stats --html pictures"),
        "catalogue match": ("fonoteca catalogue match my-records.csv --out found.csv",),
        "catalogue export": (
            "fonoteca catalogue export catalogue-for-all --format sqlite",
            "fonoteca catalogue export https://archive.example/catalogue-lines --row 1 --rows 100",
        ),
        "catalogue diff": (
            "fonoteca catalogue diff 2026-01-31 2026-02-28",
            "fonoteca catalogue diff 2026-01-31 2026-02-28 --into february",
        ),
        "catalogue apply": ("fonoteca catalogue apply february",),
        "catalogue merge": (f'fonoteca catalogue merge {_ONE} {_OTHER} --reason "the same matrix number"',),
        "catalogue split": (f'fonoteca catalogue split {_ONE} {_OTHER} --reason "another take"',),
        "catalogue words": ("fonoteca catalogue words",),
        "catalogue synth": ("fonoteca catalogue synth made-up --tracks 1000000 --questions 50000",),
        "coverage": (
            "fonoteca coverage",
            "fonoteca coverage --png coverage.png",
            "fonoteca coverage --evaluate before.csv after.csv",
        ),
        "plan": (
            "fonoteca plan --budget 20GB",
            "fonoteca plan --budget '4 TiB' --json",
            "fonoteca plan --budget 300TB --out wants.parquet",
        ),
    },
    "Take in": {
        "acquire": (
            "fonoteca acquire folder ~/music/kitchen-songs",
            "fonoteca acquire internet-archive gd77-05-08.sbd.hicks.4982",
            "fonoteca acquire http https://music.example/songs.tsv",
            "fonoteca acquire debian asc-music wesnoth-1.16-music",
            "fonoteca acquire debian ./asc-music_1.3-6_all.deb",
            "fonoteca acquire bagit /mnt/deposit/kitchen-songs",
            "fonoteca acquire folder /mnt/attic --later",
            "fonoteca acquire plan --dry-run",
            "fonoteca acquire plan --bytes 100GB --for 8h",
            "fonoteca acquire plan --status --json",
        ),
        "analyse": ("fonoteca analyse", "fonoteca analyse --for 2h --json"),
        "rights review": (
            "fonoteca rights review",
            "fonoteca rights review --refused",
            "fonoteca rights review urn:fonoteca:audio:folder:kitchen-songs",
        ),
        "rights show": ("fonoteca rights show urn:fonoteca:audio:folder:kitchen-songs",),
        "rights term": (
            "fonoteca rights term folder:kitchen-songs --from 2027-05-01 --reason 'her letter of 3 May'",
            "fonoteca rights term urn:fonoteca:audio:folder:kitchen-songs --territory AT --territory DE --until 2031-12-31"
            " --reason 'the contract'",
        ),
        "rights recheck": ("fonoteca rights recheck --due --requests 2000",),
        "rights set": (
            "fonoteca rights set urn:fonoteca:audio:folder:kitchen-songs --reason 'her letter of 3 May'"
            " --licence https://creativecommons.org/licenses/by/4.0/",
            "fonoteca rights set urn:fonoteca:audio:folder:kitchen-songs --reason 'his heirs object' --stays-out",
            "fonoteca rights set --where rule=licence-unknown --where source=folder --dry-run",
        ),
        "upload": (
            "fonoteca upload one.flac two.flac cover.jpg --title Regen --artist Max --licence CC-BY-4.0 --why 'their letter'",
            "fonoteca upload front.jpg --cover-of urn:fonoteca:audio:folder:night --licence CC0-1.0 --why 'I took the photograph'",
            "fonoteca upload song.flac --title Regen --own hold --own share --why 'I wrote and played it'",
        ),
        "correct": (
            "fonoteca correct urn:fonoteca:audio:folder:night title='Nachtmusik' --reason 'the sleeve says so'",
            "fonoteca correct urn:fonoteca:audio:folder:night '01 a.flac:track_number=7' --reason 'the label says so' --dry-run",
            "fonoteca correct --from corrections.csv --reason 'the label sent a list'",
        ),
        "desk work": ("fonoteca desk work",),
        "desk list": ("fonoteca desk list", "fonoteca desk list --state failed --json"),
        "desk show": ("fonoteca desk show 7",),
        "desk undo": ("fonoteca desk undo 7 --reason 'her letter was about another record'",),
        "desk retry": ("fonoteca desk retry 7",),
        "desk drop": ("fonoteca desk drop 7 --reason 'decided anew in entry 9'",),
    },
    "Give out": {
        "publish": ("fonoteca publish", "fonoteca publish --stage to-sign", "fonoteca publish --finish to-sign"),
        "keys show": ("fonoteca keys show",),
        "keys make": ("fonoteca keys make timestamp", "fonoteca keys make targets --out /media/stick/ana.pem --encrypt"),
        "keys add": ("fonoteca keys add targets ana.pem.pub",),
        "keys rotate": ("fonoteca keys rotate timestamp", "fonoteca keys rotate root --with new.pem.pub --stage to-sign"),
        "keys revoke": ("fonoteca keys revoke 3f1c29a0b7de",),
        "keys threshold": ("fonoteca keys threshold targets 2",),
        "keys offline": ("fonoteca keys offline root /media/stick --encrypt",),
        "keys sign": ("fonoteca keys sign to-sign/targets.json --key /media/stick/ana.pem",),
        "torrents": ("fonoteca torrents", "fonoteca torrents --json"),
        "torrents check": (
            "fonoteca torrents check drop.torrent",
            "fonoteca torrents check ~/Downloads/*.torrent --json",
        ),
        "seed": ("fonoteca seed", "fonoteca seed --host 192.0.2.7 --port 6881 --private", "fonoteca seed --health 8421 --json"),
        "withdraw": (
            "fonoteca withdraw urn:fonoteca:audio:folder:kitchen-songs --reason rights-holder"
            " --ground 'notice under article 16' --notice letter.pdf --review 2027-05-03",
            "fonoteca withdraw folder:kitchen-songs --state restricted --scope DE --scope sharing --reason court-order"
            " --ground 'interim order of 3 May'",
            "fonoteca withdraw urn:fonoteca:audio:folder:kitchen-songs --purge",
            "fonoteca withdraw urn:fonoteca:audio:folder:kitchen-songs --reinstate --ground 'the claim was withdrawn'",
            "fonoteca withdraw --list",
            "fonoteca withdraw urn:fonoteca:audio:folder:kitchen-songs --decide keep --archive mirror",
            "fonoteca withdraw --mirror https://mirror.example/editions/",
        ),
        "export bagit": (
            "fonoteca export bagit urn:fonoteca:audio:folder:kitchen-songs --into kitchen-songs-bags",
            "fonoteca export bagit urn:fonoteca:audio:folder:a urn:fonoteca:artwork:folder:a --into /mnt/deposit/a --json",
        ),
        "export files": (
            "fonoteca export files --into ~/Music/jukebox",
            "fonoteca export files --into /mnt/player --by artist --copy --prune",
        ),
        "export ro-crate": ("fonoteca export ro-crate urn:fonoteca:audio:folder:kitchen-songs --into kitchen-songs-crates",),
        "serve": ("fonoteca serve", "fonoteca serve --host 0.0.0.0 --port 80"),
    },
    "Who may sign in": {
        "notice list": ("fonoteca notice list --overdue",),
        "notice show": ("fonoteca notice show 7",),
        "notice accept": ('fonoteca notice accept 7 folder:good --ground "the notice was found right"',),
        "notice reject": ('fonoteca notice reject 7 --ground "the licence permits it: see the record of rights"',),
        "notice answer": ('fonoteca notice answer 7 --deny --ground "as before: the licence cannot be taken back"',),
        "account list": ("fonoteca account list",),
        "account add": (
            "fonoteca account add ada --role operator",
            "fonoteca account add max --generate",
            "fonoteca account add eve --password-file -",
        ),
        "account role": ("fonoteca account role max curator",),
        "account password": ("fonoteca account password max --generate",),
        "account disable": ("fonoteca account disable max",),
        "account enable": ("fonoteca account enable max",),
        "account remove": ("fonoteca account remove max",),
        "account key": (
            'fonoteca account key ada "backup script"',
            "fonoteca account key ada",
            "fonoteca account key ada --revoke 1",
        ),
        "account player": ("fonoteca account player ada phone", "fonoteca account player ada --revoke 2"),
        "account carry": ("fonoteca account carry --archive jukebox",),
    },
    "Mirror and heal": {
        "follow": (
            "fonoteca follow https://archive.example/editions/ --archive mirror",
            "fonoteca follow /mnt/archive --archive mirror",
            "fonoteca follow https://archive.example/editions/ --peer 192.0.2.7:6881 --archive mirror",
            "fonoteca follow https://archive.example/editions/ --keep --health 8421 --archive mirror",
        ),
        "promote": ("fonoteca promote --archive mirror", "fonoteca promote --fork --archive mirror"),
        "audit": (
            "fonoteca audit",
            "fonoteca audit --for 2h --calendar year.png",
            "fonoteca audit --budget 50GB --older-than 30d",
            "fonoteca audit --sample 1000",
            "fonoteca audit --ocfl /mnt/another/archive/store",
        ),
        "repair": (
            "fonoteca repair --from /mnt/mirror",
            "fonoteca repair --from https://mirror.example/editions/ --from 192.0.2.7:6881",
        ),
        "rebuild": ("fonoteca rebuild",),
        "doctor": ("fonoteca doctor",),
        "claim": ("fonoteca claim",),
        "backup": ("fonoteca backup /mnt/elsewhere/jukebox.tar",),
        "restore": ("fonoteca restore /mnt/elsewhere/jukebox.tar jukebox",),
    },
    "Find": {
        "search": ("fonoteca search elf land", "fonoteca search '\"elf land\"' --limit 5 --json"),
        "show": (
            "fonoteca show urn:fonoteca:audio:folder:kitchen-songs",
            "fonoteca show urn:fonoteca:audio:folder:kitchen-songs --versions",
        ),
    },
}
"""Every command with examples, in the order of the page. A command that is missing here is an error."""

COMMANDS_HEAD = """\
# Commands

Written by `tools/make_docs.py` from the command line itself; a test holds it to that. `fonoteca COMMAND --help` says the same.

Results go to stdout; progress and errors to stderr. `--json` prints one JSON object on stdout, an error too:
`{"error": {"code", "subject", "problem", "remedy"}}` ([what the codes mean](errors.md)). A command works in this folder, in
the one that `--archive` names, or in the one in the environment variable `FONOTECA_ARCHIVE`. One process writes in an archive
at a time; reading and serving go on meanwhile. Any command may be interrupted and run again.

| exit status | meaning |
|---|---|
"""

EXIT_STATUSES: Mapping[int, str] = {
    0: "done",
    1: "failed",
    2: "wrong use",
    3: "refused by rights, or held for a person to decide",
    4: "damage found",
    5: "a peer or host cannot be trusted",
    130: "interrupted; safe to run again",
}

ERRORS_HEAD = """\
# Errors

Written by `tools/make_docs.py` from the tree of errors in `src/fonoteca/model/errors.py`; a test holds it to that.

An error says what happened to which id, what was expected and what was found, and what to do next. With `--json` it is
`{"error": {"code", "subject", "problem", "remedy"}}` on stdout. Codes are stable, and a code with dots is a kind of the code
before its last dot: `source.audio.damaged` is a `source.audio`, which is a `source`.

| code | exit status | whose fault | what it means |
|---|---|---|---|
"""

FAULTS: Mapping[type[FonotecaError], str] = {
    errors.UsageError: "the call's",
    errors.RightsError: "nobody's: the rights do not give it",
    errors.SourceError: "the source's",
    errors.FixityError: "the disk's, or whoever changed the bytes",
    errors.StoreError: "the machine's: store, register or disk",
    errors.FormatError: "whoever wrote the bytes",
    errors.TrustError: "the peer's, host's or archive's at the other end",
}
"""Of each branch of the tree. A branch that is missing here is an error."""

ERRORS_TAIL = """
## What is not an error

- **A refusal** or **a hold** by the rights gate is an answer: `acquire` prints it, records it, and ends with exit status 3.
  The rules that refuse and hold are in [rights.md](rights.md).
- **A file that is left out** of an item is named with its rule (`link`, `damaged`, `unsupported`, ...):
  see [sources.md](sources.md).
- **Damage** that `audit` finds is its result: exit status 4, and `repair` heals it.
- **An interruption** (Ctrl-C) ends with exit status 130. Nothing acknowledged is lost; run the same command again.
- **A traceback** is a mistake of ours. Please report it with the command that led to it.
"""


def commands_page() -> str:
    """Return docs/commands.md. Raises: AssertionError when a command has no place in GROUPS, or one there is gone."""
    found = dict(_commands(get_command(app), ()))
    placed = [name for group in GROUPS.values() for name in group]
    assert sorted(found) == sorted(placed), f"give each command its place in GROUPS: {sorted(set(found) ^ set(placed))}"
    parts = [COMMANDS_HEAD, *(f"| {status} | {meaning} |\n" for status, meaning in EXIT_STATUSES.items())]
    for title, group in GROUPS.items():
        parts.append(f"\n## {title}\n")
        for name, examples in group.items():
            parts += _command(name, found[name], examples)
    return "".join(parts)


def errors_page() -> str:
    """Return docs/errors.md. Raises: AssertionError when a branch of the tree has no entry in FAULTS."""
    rows = (f"| `{e.code}` | {e.exit_status} | {_fault(e)} | {_meaning(e)} |\n" for e in _tree(FonotecaError))
    return "".join([ERRORS_HEAD, *rows, ERRORS_TAIL])


def api_document() -> str:
    """Return docs/openapi.json: what a new archive's site says of its API."""
    with TemporaryDirectory() as place:
        create_archive(Path(place), Settings("archive", "Fonoteca"))
        with open_archive(Path(place)) as archive:
            document = create_app(serve_rooms(archive)).openapi()
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield each command that does something, with its name as it is typed."""
    nested: Mapping[str, Any] = getattr(command, "commands", {})
    if not nested or command.invoke_without_command:
        yield " ".join(path), command
    for name, each in nested.items():
        yield from _commands(each, (*path, name))


def _command(name: str, command: Any, examples: Sequence[str]) -> Iterator[str]:
    """Yield one command's part of the page."""
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    words = [*(_place(argument) for argument in arguments), *(_typed(o, 0) for o in options if o.required), "[OPTIONS]"]
    yield f"\n### fonoteca {name}\n\n```\nfonoteca {' '.join([name, *words])}\n```\n\n{_prose(command.help)}\n\n"
    yield "| | |\n|---|---|\n"
    for argument in arguments:
        yield f"| `{_place(argument)}` | {_cell(argument.help)}{_default(argument)} |\n"
    for option in options:
        yield f"| {_spelling(option)} | {_cell(option.help)}{_default(option)} |\n"
    yield "\nFor example:\n\n" + "".join(f"    {example}\n" for example in examples)


def _place(argument: Any) -> str:
    """Return an argument as the usage line shows it."""
    return str(argument.metavar or argument.name.upper())


def _typed(option: Any, which: int) -> str:
    """Return an option as it is typed, with a word for its value."""
    kind = option.type_descriptor.annotation
    if option.is_flag:
        return str(option.opts[which])
    value = option.metavar or {int: "N", Path: "PATH"}.get(kind, "TEXT")
    return f"{option.opts[which]} {value}"


def _spelling(option: Any) -> str:
    """Return all ways to type an option, as code."""
    ways = [_typed(option, which) for which in range(len(option.opts))]
    if option.default is True:
        ways += option.secondary_opts
    return ", ".join(f"`{way}`" for way in ways)


def _default(param: Any) -> str:
    """Return what is taken when the parameter is not given, where that is worth a word."""
    if param.required and param.param_type_name == "option":
        return " Required."
    if isinstance(param.show_default, str):
        return f" Default: {param.show_default}" + (f"; `{param.envvar}` names another." if param.envvar else ".")
    if param.default in (None, False, "", -1) or param.required or "Default:" in param.help:
        return ""
    if param.default is True:
        return f" Default: `{param.opts[0]}`."
    return f" Default: {param.default}."


def _prose(text: str) -> str:
    """Return help text as Markdown: lines of one paragraph joined, exit statuses in a paragraph of their own."""
    joined = re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(text))
    return re.sub(r" ?(?<!\n)Exit status:", "\n\nExit status:", joined)


def _cell(text: str) -> str:
    """Return text that cannot break a row of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _tree(error: type[FonotecaError]) -> Iterator[type[FonotecaError]]:
    """Yield an error and all below it, in the order in which they are defined."""
    yield error
    for below in error.__subclasses__():
        if below.__module__.startswith("fonoteca."):
            yield from _tree(below)


def _fault(error: type[FonotecaError]) -> str:
    """Return whose fault an error is."""
    if error is FonotecaError:
        return "-"
    fault = next((text for branch, text in FAULTS.items() if issubclass(error, branch)), None)
    assert fault is not None, f"say in FAULTS whose fault a {error.__name__} is"
    return fault


def _meaning(error: type[FonotecaError]) -> str:
    """Return what an error means: the first paragraph of its docstring."""
    assert error.__doc__, error.__name__
    return _cell(inspect.cleandoc(error.__doc__).split("\n\n")[0])


if __name__ == "__main__":
    (DOCS / "commands.md").write_text(commands_page(), encoding="utf-8")
    (DOCS / "errors.md").write_text(errors_page(), encoding="utf-8")
    (DOCS / "openapi.json").write_text(api_document(), encoding="utf-8")
