"""`fonoteca rights show|review|set`: why something may be held, what waits for a person, and a person's word on it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.deciding import (
    alike,
    alike_json,
    check_shown,
    dossier_json,
    dossier_of,
    print_alike,
    print_dossier,
    sift_of,
)
from fonoteca.cli.output import TerminalProgress, print_json, print_table, say
from fonoteca.deskroom import desk_rooms
from fonoteca.flows.docket import put_and_do
from fonoteca.flows.rechecking import Became, Question, Rechecked, Round, questions, recheck, restating_kinds
from fonoteca.flows.rulings import ruling_order
from fonoteca.flows.terming import objects_meant
from fonoteca.formats.terms import order_of_form, parse_term_text, term_json
from fonoteca.intake import recheck_rooms
from fonoteca.model.errors import FormatError, UsageError
from fonoteca.model.ids import ObjectId
from fonoteca.model.rights import RightsRecord
from fonoteca.register import DecisionRow
from fonoteca.rights import describe, describe_term, licence_named
from fonoteca.wiring import open_archive

DECISIONS_MAX = 10_000
"""As many as a person may want to scroll through; more are told of."""

_STYLES = {Became.DOUBTED: "red", Became.SILENT: "yellow"}

rights_app = typer.Typer(no_args_is_help=True, help="Why something may be held, what waits for a person, and their word on it.")
app.add_typer(rights_app, name="rights")

IdArgument = Annotated[str, typer.Argument(help="An object's id, as `fonoteca search` and the site show it.", metavar="ID")]


@rights_app.command("show")
def show_command(object_id: IdArgument, archive: ArchiveOption = Path(), as_json: JsonOption = False) -> None:
    """Show the licence, the terms and the evidence of what is held."""
    with open_archive(archive) as opened:
        record = opened.store.rights(parse_object_id(object_id))
    if as_json:
        print_json(rights_json(record))
    else:
        print_rights(record)


@rights_app.command("review")
def review_command(
    object_id: Annotated[str, typer.Argument(help="An object: with all that it is held or refused by.", metavar="[ID]")] = "",
    refused: Annotated[bool, typer.Option(help="Show refusals too.")] = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """List what waits for a person to decide, or show what one decides by."""
    if object_id:
        with open_archive(archive) as opened:
            row, dossier = dossier_of(opened.register, parse_object_id(object_id))
            if as_json:
                print_json(dossier_json(row, dossier))
            else:
                print_dossier(row, dossier, opened.evidence)
        return
    with open_archive(archive) as opened:
        rows = opened.register.decisions("open", DECISIONS_MAX, None if refused else "hold")
    if as_json:
        print_json({"decisions": [decision_json(row) for row in rows]})
        return
    table = [(row.subject, row.outcome, row.rule, row.reason, row.remedy) for row in rows]
    print_table("for a person to decide", ("id", "", "rule", "reason", "question"), table)
    if len(rows) == DECISIONS_MAX:
        say(f"these are the newest {DECISIONS_MAX}; there may be more", "yellow")
    if rows:
        say("decide with: fonoteca rights set ID --licence URI --reason TEXT, then acquire it again")


@rights_app.command("set")
def set_command(
    object_id: Annotated[str, typer.Argument(help="An object's id; none with --where.", metavar="[ID]")] = "",
    reason: Annotated[str, typer.Option(help="Why you are sure: kept with the ruling for ever.")] = "",
    licence: Annotated[str, typer.Option(help="The address of the licence that it comes under.")] = "",
    stays_out: Annotated[bool, typer.Option("--stays-out", help="It comes under none, and is not taken in.")] = False,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="All that waits of this rule, source or text, decided alike."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what `--where` means, and decide nothing.")] = False,
    as_shown: Annotated[str, typer.Option(metavar="DIGEST", help="Decide only if it is what `--dry-run` showed.")] = "",
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Rule on what was held for review; acquiring it again takes the ruling as evidence. `fonoteca desk undo` takes it back."""
    if bool(object_id) == bool(where) or (dry_run and not where):
        raise UsageError("rights set", "expected an ID, or --where with or without --dry-run", "Say what is decided about.")
    if dry_run:
        sift = sift_of(where or [])
        with open_archive(archive) as opened:
            found = alike(opened.register, sift)
            if as_json:
                print_json(alike_json(found, sift))
            else:
                print_alike(found, opened.register, sift)
        return
    if bool(licence) == stays_out:
        raise UsageError(object_id or "--where", "expected --licence URI or --stays-out, and not both", "Say what is decided.")
    subjects: list[str] = [parse_object_id(object_id)] if object_id else []
    with open_archive(archive, writing=True) as opened:
        shown: dict[str, str] = {}
        if where:
            found = alike(opened.register, sift_of(where))
            check_shown(found, as_shown)
            shown = dict(found.shown)
        order = ruling_order(subjects or list(shown), licence, reason, shown)
        entry = put_and_do(desk_rooms(opened, TerminalProgress(quiet=as_json)), order)
    if as_json:
        named = {"object": subjects[0]} if subjects else {"objects": list(shown)}
        print_json({**named, "licence": licence, "entry": entry.number})
        return
    if shown:
        say(entry.outcome, "green")
    elif stays_out:
        say(f"ruled: {subjects[0]} stays out", "green")
    else:
        say(f"ruled: {subjects[0]} comes under {licence}; acquire it again to take it in", "green")
    say(f"take it back with: fonoteca desk undo {entry.number} --reason TEXT")


@rights_app.command("term")
def term_command(
    subject: Annotated[str, typer.Argument(help="An object's id, or the key of an item for all that is held of it.", metavar="ID")],
    reason: Annotated[str, typer.Option(help="Why: kept for ever.")],
    starts: Annotated[str, typer.Option("--from", metavar="DATE", help="Shared from this day (of UTC) or moment on.")] = "",
    ends: Annotated[str, typer.Option("--until", metavar="DATE", help="And through this day, or until this moment.")] = "",
    territories: Annotated[
        list[str] | None, typer.Option("--territory", metavar="CODE", help="Only there, such as DE (ISO 3166-1). Once for each.")
    ] = None,
    always: Annotated[bool, typer.Option("--always", help="Always and everywhere: takes away the term that it has.")] = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Say when and where something may be shared; before, after and elsewhere it is held, and given to nobody."""
    if always == bool(starts or ends or territories):
        raise UsageError(subject, "expected --from, --until or --territory; or --always, and none of them", "Say what is decided.")
    with open_archive(archive, writing=True) as opened:
        meant = objects_meant(opened.register, subject)
        order = order_of_form(meant, starts, ends, " ".join(territories or ()), reason)
        entry = put_and_do(desk_rooms(opened, TerminalProgress(quiet=as_json)), order)
    if as_json:
        print_json({"objects": meant, "term": term_json(parse_term_text(text, subject)) if (text := order.facts["term"]) else None})
        return
    for object_id in meant:
        say(object_id)
    say(entry.outcome, "green")


@rights_app.command("recheck")
def recheck_command(
    due: Annotated[bool, typer.Option("--due", help="Only what `recheck.cycle_days` has come to.")] = False,
    source: Annotated[list[str] | None, typer.Option("--source", metavar="KIND", help="Only items of this kind of source.")] = None,
    items: Annotated[int, typer.Option(help="Ask about so many at most. Default: as the settings say.", min=0)] = 0,
    requests: Annotated[int, typer.Option(help="Send so many requests at most. Default: no limit of its own.", min=0)] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be asked of whom, and ask nobody.")] = False,
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Ask the sources of what is held what they say of the rights now, those first that were asked the longest ago.

    The same is marked as confirmed; less, or nothing, is a question for a person. Run it again to go on.
    """
    kinds = restating_kinds()
    for each in source or []:
        if each not in kinds:
            raise UsageError(each, "no kind of source that can be asked again", f"Those are {', '.join(kinds)}.")
    with open_archive(archive, writing=not dry_run) as opened:
        asked = Round(tuple(source or ()), due, items or opened.settings.recheck.items_max, requests or None)
        rooms = recheck_rooms(opened, TerminalProgress(quiet=as_json))
        if dry_run:
            _show_questions(list(questions(rooms, asked)), as_json)
            return
        found: list[Rechecked] = []
        for one in recheck(rooms, asked):
            found.append(one)
            if not as_json and one.became is not Became.CONFIRMED:
                say(f"{one.question.object_id}: {one.words}", _STYLES.get(one.became, ""))
    counts = {str(became): sum(one.became is became for one in found) for became in Became}
    if as_json:
        rows = [{"object": one.question.object_id, "became": one.became, "words": one.words} for one in found]
        print_json({"counts": counts, "asked": rows})
        return
    say(f"asked about {len(found)}: {', '.join(f'{name} {count}' for name, count in counts.items())}", "green")
    if counts[Became.DOUBTED]:
        say("see what waits for a person: fonoteca rights review")


def _show_questions(found: list[Question], as_json: bool) -> None:
    """Show what would be asked of whom."""
    if as_json:
        print_json({"asked": [{"object": each.object_id, "source": each.source, "address": each.address} for each in found]})
        return
    print_table("would be asked", ("object", "source", "address"), [(e.object_id, e.source, e.address) for e in found])
    hosts = Counter(urlsplit(each.address).netloc for each in found)
    say(f"nobody was asked: {', '.join(f'{host} {count}' for host, count in hosts.most_common(20)) or 'nothing is due'}")


def parse_object_id(text: str) -> ObjectId:
    """Return the id that a person typed. Raises: UsageError when it is none."""
    try:
        return ObjectId(text)
    except FormatError as error:
        remedy = "Ids look like urn:fonoteca:audio:folder:name; `fonoteca search WORDS` shows them."
        raise UsageError(repr(text), "not the id of an object", remedy) from error


def print_rights(record: RightsRecord) -> None:
    """Print what rights.json says, for people."""
    licence = licence_named(record.licence_uri)
    say(f"{record.item} ({record.kind})", "bold")
    say(f"licence      {record.licence_uri}")
    say(f"in words     {describe(licence) if licence else 'not in the table of licences any more'}")
    say(f"granted      {', '.join(sorted(record.acts))}")
    say(f"formats      {record.transcode or 'no other format may be made'}")
    say(f"credit       {record.attribution}")
    say(f"shared       {describe_term(record.term) or 'always, everywhere'}" if "share" in record.acts else "shared       never")
    say(f"decided      {record.decided_at.isoformat()} by the rule {record.rule}")
    rows = [(e.scheme, e.statement, e.declarer, e.source_uri, e.salted_sha256[:16]) for e in record.evidence]
    print_table("evidence", ("scheme", "statement", "said by", "read at", "kept as"), rows)


def rights_json(record: RightsRecord) -> dict[str, Any]:
    """Return what rights.json says as `--json` shows it."""
    return {
        "item": record.item,
        "kind": record.kind,
        "licence": record.licence_uri,
        "acts": sorted(record.acts),
        "transcode": record.transcode,
        "attribution": record.attribution,
        "notices": record.notices,
        "term": term_json(record.term) if record.term else None,
        "rule": record.rule,
        "decided_at": record.decided_at.isoformat(),
        "evidence": [
            {
                "scheme": e.scheme,
                "statement": e.statement,
                "declarer": e.declarer,
                "source": e.source_uri,
                "observed_at": e.observed_at.isoformat(),
                "salted_sha256": e.salted_sha256,
            }
            for e in record.evidence
        ],
    }


def decision_json(row: DecisionRow) -> dict[str, Any]:
    """Return a refusal or hold as `--json` shows it."""
    return {
        "id": row.subject,
        "item": row.item,
        "outcome": row.outcome,
        "rule": row.rule,
        "reason": row.reason,
        "next": row.remedy,
        "at": row.at.isoformat(),
    }
