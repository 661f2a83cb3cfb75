"""`fonoteca withdraw`: an item that is given out no more, for a while or for good, and what a mirror makes of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from fonoteca.cli.app import ArchiveOption, JsonOption, app
from fonoteca.cli.output import print_json, print_table, say
from fonoteca.flows.heeding import acknowledge_again, staleness
from fonoteca.flows.withdraw import NOTICE_BYTES_MAX, Order, Stated, counts, decide, purge, reinstate, withdraw
from fonoteca.formats.acknowledgement import Acknowledgement
from fonoteca.formats.instants import instant
from fonoteca.formats.tombstones import tombstone_json
from fonoteca.model.errors import FormatError, UsageError
from fonoteca.model.ids import LogicalPath
from fonoteca.model.withdrawal import Answer, Authority, Decider, Purpose, Reason, Scope, Withdrawal, WithdrawalState
from fonoteca.stewardship import read_acknowledgement, withdraw_rooms
from fonoteca.wiring import Archive, open_archive

_STATES = [state.value for state in WithdrawalState if state is not WithdrawalState.REINSTATED]
_ANSWERS = [answer.value for answer in Answer if answer is not Answer.PENDING]


@app.command("withdraw")
def withdraw_command(
    subject: Annotated[
        str, typer.Argument(help="An object's id, or the key of an item, all of whose objects are meant.", metavar="[ID]")
    ] = "",
    state: Annotated[str, typer.Option(help=f"What becomes of it: {', '.join(_STATES)}.")] = "dark",
    reason: Annotated[str, typer.Option(help=f"Why, for the public: {', '.join(Reason)}.", metavar="CODE")] = "",
    ground: Annotated[str, typer.Option(help="On what ground: a line that everybody may read, and that names no claimant.")] = "",
    notice: Annotated[Path | None, typer.Option(help="The notice as it came: kept in private/, never published.")] = None,
    noticed: Annotated[str, typer.Option(help="The day on which it came, such as 2026-05-03.", metavar="DATE")] = "",
    review: Annotated[str, typer.Option(help="The day on which it is looked at again.", metavar="DATE")] = "",
    decider: Annotated[str, typer.Option(help=f"Who decided, by role: {', '.join(Decider)}.")] = "operator",
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"What `restricted` is limited to: a territory such as DE, or a purpose: {', '.join(Purpose)}."),
    ] = None,
    files: Annotated[
        list[str] | None, typer.Option("--file", help="A file that is meant, as `show` names it; without any, the whole object.")
    ] = None,
    reinstated: Annotated[bool, typer.Option("--reinstate", help="Give it out again.")] = False,
    purged: Annotated[bool, typer.Option("--purge", help="Let go of its bytes for good; its tombstone stays.")] = False,
    decision: Annotated[
        str,
        typer.Option("--decide", help=f"At a mirror, what becomes of what its archive withdrew: {', '.join(_ANSWERS)}."),
    ] = "",
    listed: Annotated[bool, typer.Option("--list", help="List what is withdrawn, with counts.")] = False,
    mirror: Annotated[
        str, typer.Option(help="Say what a mirror acknowledges, read from its folder or the URL of its edition.", metavar="PLACE")
    ] = "",
    archive: ArchiveOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Withdraw an item: it is served, found, exported and seeded no more, here at once, and at mirrors when they look next.

    Its bytes are kept, masked, unless they are purged (`--purge`, or `--state removed`). The tombstone is public and holds no
    claimant's personal data. Mirrors hear of it with the next `fonoteca publish`. Copies that others have taken cannot be recalled.
    """
    _check_one_thing({"--reinstate": reinstated, "--purge": purged, "--decide": bool(decision)})
    if mirror:
        _show_mirror(mirror, as_json)
    elif listed:
        with open_archive(archive) as opened:
            _show_list(opened, as_json)
    elif not subject:
        raise UsageError("withdraw", "nothing is named", "Name an object or an item, or ask for --list.")
    elif decision:
        with open_archive(archive, writing=True) as opened:
            answered = decide(withdraw_rooms(opened), subject, _one_of(Answer, decision, "--decide", _ANSWERS), ground)
            acknowledge_again(opened.register, opened.editions)
        _show_answers(answered, as_json)
    else:
        with open_archive(archive, writing=True) as opened:
            rooms = withdraw_rooms(opened)
            if reinstated:
                stated = reinstate(rooms, subject, ground)
            elif purged and not reason:
                stated = purge(rooms, subject)
            else:
                order = Order(
                    state=WithdrawalState.REMOVED if purged else _one_of(WithdrawalState, state, "--state", _STATES),
                    reason=_one_of(Reason, reason, "--reason", list(Reason)),
                    ground=ground,
                    notice=_notice(notice),
                    noticed_at=_day("--noticed", noticed),
                    scope=_scope(scope or []),
                    review_at=_day("--review", review),
                    decider=_one_of(Decider, decider, "--decider", list(Decider)),
                    files=tuple(LogicalPath(path) for path in files or []),
                )
                stated = withdraw(rooms, subject, order)
        _show_stated(stated, as_json)


def _check_one_thing(chosen: Mapping[str, bool]) -> None:
    """Raise UsageError when more than one of these options is given."""
    given = [name for name, on in chosen.items() if on]
    if len(given) > 1:
        raise UsageError(" ".join(given), "one thing at a time", "Give one of them.")


def _show_stated(stated: Sequence[Stated], as_json: bool) -> None:
    if as_json:
        said = [{**withdrawal_json(s.withdrawal), "new": s.made, "kept": s.kept, "elsewhere": list(s.elsewhere)} for s in stated]
        print_json({"withdrawals": said})
        return
    for each in stated:
        tombstone = each.withdrawal.tombstone
        words = f"{tombstone.object_id} is {tombstone.state}: {tombstone.reason.words}"
        say(words if each.made else f"{words} (as was said before)", "green")
        if each.kept:
            say(f"  the rest of it is {each.kept}")
        if each.elsewhere:
            say(f"  the same bytes are also in {', '.join(each.elsewhere)}, which is not meant", "yellow")
        if tombstone.state is WithdrawalState.REINSTATED and each.withdrawal.purged_at:
            say("  its bytes were purged, so there is nothing to give: acquire it under another id", "yellow")
    say("mirrors hear of it with the next: fonoteca publish")
    say("copies that others have taken already cannot be recalled", "yellow")


def _show_answers(answered: Sequence[Withdrawal], as_json: bool) -> None:
    if as_json:
        print_json({"withdrawals": [withdrawal_json(each) for each in answered]})
        return
    done = {
        Answer.KEEP: "is kept, masked",
        Answer.PURGE: "was purged",
        Answer.DISMISS: "is given out again, on this mirror's account",
    }
    for each in answered:
        say(f"{each.tombstone.object_id} {done[each.answer]}", "green")


def _show_list(archive: Archive, as_json: bool) -> None:
    said = archive.register.withdrawals.all()
    totals = counts(said)
    stale = staleness(archive.editions, archive.clock.now())
    if as_json:
        print_json({"counts": totals, "stale": stale, "withdrawals": [withdrawal_json(each) for each in said]})
        return
    rows = [
        (
            each.tombstone.object_id,
            each.tombstone.state,
            each.tombstone.reason,
            f"{each.tombstone.dates.effective_at:%Y-%m-%d}",
            f"{each.tombstone.dates.review_at:%Y-%m-%d}" if each.tombstone.dates.review_at else "",
            "" if each.authority is Authority.OWN else str(each.answer),
            f"{each.purged_at:%Y-%m-%d}" if each.purged_at else "",
        )
        for each in said
    ]
    print_table("withdrawn", ("object", "state", "reason", "since", "review", "decided here", "purged"), rows)
    for field, found in totals.items():
        say(f"by {field}: {', '.join(f'{name} {count}' for name, count in found.items()) or 'none'}")
    if stale:
        say(f"{stale}: nothing is exported until `fonoteca follow` has heard anew", "red")


def _show_mirror(place: str, as_json: bool) -> None:
    told = read_acknowledgement(place)
    if as_json:
        print_json(acknowledgement_shown(place, told))
        return
    say(f"{place}: edition {told.edition}, refreshed {told.refreshed_at:%Y-%m-%d %H:%M}, good until {told.good_until:%Y-%m-%d}")
    say(f"withdrawals in force there: sha256 {told.withdrawals_sha256}")
    say(f"{told.masked} objects masked, {told.pending} of them not decided yet")
    rows = [(a.object_id, str(a.number), a.answer, f"{a.at:%Y-%m-%d}", a.ground) for a in told.answers]
    print_table("decided there", ("object", "statement", "", "on", "ground"), rows, numeric=(1,))


def withdrawal_json(each: Withdrawal) -> dict[str, Any]:
    """Return a withdrawal as `--json` shows it: the tombstone, and what became of it here."""
    return {
        **tombstone_json(each.tombstone),
        "authority": each.authority,
        "masked": each.masks(),
        "answer": each.answer,
        "answer_ground": each.answer_ground,
        "answered_at": _shown(each.answered_at),
        "purge_at": _shown(each.purge_at),
        "purged_at": _shown(each.purged_at),
    }


def acknowledgement_shown(place: str, told: Acknowledgement) -> dict[str, Any]:
    """Return what a mirror acknowledges as `--json` shows it."""
    return {
        "mirror": place,
        "edition": told.edition,
        "refreshed_at": instant(told.refreshed_at),
        "good_until": instant(told.good_until),
        "withdrawals_sha256": told.withdrawals_sha256,
        "masked": told.masked,
        "pending": told.pending,
        "answers": [
            {"object": a.object_id, "number": a.number, "answer": a.answer, "at": instant(a.at), "ground": a.ground}
            for a in told.answers
        ],
    }


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else instant(moment)


def _one_of(kind: Any, value: str, option: str, values: Sequence[str]) -> Any:
    """Return a member of an enumeration by its name. Raises: UsageError naming the option and what it takes."""
    if value not in values:
        raise UsageError(f"{option} {value}".strip(), f"expected one of {', '.join(values)}", "Give one of them.")
    return kind(value)


def _scope(words: Sequence[str]) -> Scope:
    """Return the scope that a person typed."""
    try:
        territories = sorted({word for word in words if word.isupper()})
        purposes = sorted({Purpose(word) for word in words if not word.isupper()})
        return Scope(tuple(territories), tuple(purposes))
    except (ValueError, FormatError) as error:
        remedy = f"Give territories such as DE, and purposes among {', '.join(Purpose)}."
        raise UsageError(f"--scope {' '.join(words)}", str(error), remedy) from error


def _day(option: str, text: str) -> datetime | None:
    """Return the beginning of a day, in UTC, None for "". Raises: UsageError."""
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise UsageError(f"{option} {text}", "not a day", "Write it as 2026-05-03.") from error


def _notice(path: Path | None) -> bytes:
    """Return the bytes of a notice. Raises: UsageError when it cannot be read or is too long."""
    if path is None:
        return b""
    try:
        with path.open("rb") as stream:
            content = stream.read(NOTICE_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(str(path), f"cannot be read: {error.strerror}", "Name the file of the notice.") from error
    if len(content) > NOTICE_BYTES_MAX:
        raise UsageError(str(path), f"longer than {NOTICE_BYTES_MAX} bytes", "Keep it elsewhere, and give a shorter one.")
    return content
