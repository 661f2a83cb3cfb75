"""`fonoteca correct`: what an item and its files are called, put right in a new version."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.desk import entry_json
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.cli.rights import parse_object_id
from fonoteca.deskroom import desk_rooms
from fonoteca.flows.correct import changes_to
from fonoteca.flows.docket import check_order, put_and_do
from fonoteca.flows.suggesting import suggested
from fonoteca.formats.corrections import FILE_FIELDS, ITEM_FIELDS, correcting_order
from fonoteca.model.catalogue import Suggested, Suggestion
from fonoteca.model.corridor import Correction
from fonoteca.model.errors import UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.wiring import Archive, open_archive

TABLE_BYTES_MAX = 64 << 20
_COLUMNS = ("id", "file", "field", "value")


@app.command("correct")
def correct_command(
    object_id: Annotated[str, typer.Argument(help="An object's id, as `fonoteca search` shows it.", metavar="[ID]")] = "",
    changes: Annotated[
        list[str] | None,
        typer.Argument(
            help="What is right: `title=...` of the item, `FILE:title=...` of one of its files.", metavar="[FIELD=VALUE]..."
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="WHY", help="How you know: kept for ever.")] = "",
    table: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A CSV of many, with the columns id, file, field and value.")
    ] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Show which recordings of the catalogue its files may be, and change nothing.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Put right what an item and its files are called, in a new version; the old one and the music stay.

    `fonoteca desk undo` takes it back. What a file says of its licence is evidence, and cannot be put right.
    """
    if suggest:
        if table is not None or changes:
            raise UsageError("--suggest", "expected an id alone, found something to put right, too", "Leave one of them out.")
        with open_archive(archive) as opened:
            _show_suggested(opened, parse_object_id(object_id), as_json)
        return
    asked = _of_table(table) if table is not None else {parse_object_id(object_id): _of_words(changes or [])}
    if table is not None and (object_id or changes):
        raise UsageError(object_id, "expected --from FILE alone, found an id too", "Put it into the file.")
    with open_archive(archive, writing=not dry_run) as opened:
        found = {each: changes_to(opened.store, each, right) for each, right in asked.items()}
        if dry_run:
            _show(found, as_json)
            return
        orders = [correcting_order(each, made, reason) for each, made in found.items()]
        for order in orders:
            check_order(order)  # all of a table, before any of it is done
        rooms = desk_rooms(opened, TerminalProgress(quiet=as_json))
        entries = [put_and_do(rooms, order) for order in orders]
    if as_json:
        print_json({"entries": [entry_json(each) for each in entries]})
        return
    for each in entries:
        say(f"{each.order.subject}: {each.outcome}", "green")
        say(f"take it back with: fonoteca desk undo {each.number} --reason TEXT")


def _show(found: Mapping[ObjectId, tuple[Correction, ...]], as_json: bool) -> None:
    """Print what would change."""
    rows = [(str(object_id), each.of, each.field, each.was, each.says) for object_id, made in found.items() for each in made]
    if as_json:
        print_json({"changes": [dict(zip(("id", "file", "field", "was", "value"), row, strict=True)) for row in rows]})
    else:
        print_table("would be corrected", ("id", "file", "field", "is", "becomes"), rows)


def _show_suggested(opened: Archive, object_id: ObjectId, as_json: bool) -> None:
    """Print which recordings the files of an object may be. Raises: UsageError for one that is not held."""
    opened.store.metadata(object_id)
    files = [each for each in opened.register.files(object_id) if each.stored.tags]
    found = [(each, suggested(opened.catalogue, opened.search, each)) for each in files]
    if as_json:
        print_json({"files": [{"file": each.logical_path, **_suggested_json(said)} for each, said in found]})
        return
    rows = [
        (each.logical_path, f"{one.score:.2f}", one.recording.title, one.recording.artist, one.recording.id, _reasons(one))
        for each, said in found
        for one in said.others
    ]
    print_table("may be", ("file", "score", "title", "artist", "recording", "because"), rows, numeric=(1,))
    say(f"accept one with: fonoteca correct {object_id} 'FILE:recording_mbid=RECORDING' --reason WHY")


def _suggested_json(said: Suggested) -> dict[str, Any]:
    likely = [{"recording": each.recording.id, "score": each.score, "reasons": dict(each.reasons)} for each in said.others]
    return {"taken_for": said.taken_for.id if said.taken_for else None, "may_be": likely}


def _reasons(one: Suggestion) -> str:
    return "; ".join(f"{what} {how}" for what, how in one.reasons)


def _of_words(words: list[str]) -> dict[tuple[str, str], str]:
    """Return the values that words such as `01.ogg:title=Rain` give. Raises: UsageError."""
    found = {}
    for word in words:
        place, sign, value = word.partition("=")
        of, _, name = place.rpartition(":")
        if not sign or not name:
            remedy = f"Fields are {', '.join(ITEM_FIELDS)}; of a file {', '.join(FILE_FIELDS)}."
            raise UsageError(repr(word), "expected FIELD=VALUE or FILE:FIELD=VALUE", remedy)
        found[of, name] = value.strip()
    if not found:
        raise UsageError("correct", "nothing is said to be put right", "Say FIELD=VALUE, such as title='The right one'.")
    return found


def _of_table(path: Path) -> dict[ObjectId, dict[tuple[str, str], str]]:
    """Return the values that a CSV gives, by object. Raises: UsageError naming the line."""
    if not path.is_file() or path.stat().st_size > TABLE_BYTES_MAX:
        raise UsageError(
            str(path), f"expected a CSV file of at most {TABLE_BYTES_MAX >> 20} MiB", "Name another file, or split it."
        )
    found: dict[ObjectId, dict[tuple[str, str], str]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines, strict=True)
            if set(rows.fieldnames or ()) != set(_COLUMNS):
                problem = f"expected the columns {', '.join(_COLUMNS)}, found {', '.join(rows.fieldnames or ['none'])}"
                raise UsageError(str(path), problem, "Write them in the first line.")
            for row in rows:
                if None in row or None in row.values():
                    raise UsageError(
                        f"{path}, line {rows.line_num}", f"expected {len(_COLUMNS)} values", "Quote values with commas."
                    )
                found.setdefault(parse_object_id(row["id"]), {})[row["file"], row["field"]] = row["value"].strip()
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(str(path), f"no CSV in UTF-8: {error}", "Save it as that.") from error
    if not found:
        raise UsageError(str(path), "it has no lines but the first", "Write one for each value that is to be put right.")
    return found
