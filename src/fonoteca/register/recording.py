"""Writing drops, checks and events into the register, on a connection that `fonoteca.sql.engine` began."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from fonoteca.formats.checklists import CHECKED, LOG_ONLY
from fonoteca.model.corridor import Drop, Event
from fonoteca.model.errors import StoreError
from fonoteca.register.bulk import batched, insert_missing
from fonoteca.register.queries import MemberPlace, dropped_in, drops_that_replace, members_at, members_of_drop
from fonoteca.register.rows import SOUND, Check, facts_json, numbers_json, plain, storable
from fonoteca.register.schema import drop, drop_member, event, fixity_check, member_file, object_, version
from fonoteca.sql.engine import insert_or

_MEMBER_PATH = re.compile(r"(?P<object>.+?)/v(?P<version>[1-9][0-9]{0,8})/(?P<tail>.+)", re.DOTALL)

_CHECK = ("member_key", "at", "result", "expected", "found", "pieces")

ROWS_AT_ONCE = 1000
"""Checks and events of one round of statements."""


def split_path(path: str) -> MemberPlace | None:
    """Return a path below the storage root as object path, version and path below `vN/`; None for any other path.

    No segment of an object path looks like `vN` (OCFL extension 0003: three digits, or an encoded id): the first is the version's.
    """
    match = _MEMBER_PATH.fullmatch(path)
    return (match["object"], int(match["version"]), match["tail"]) if match else None


def record_drop(connection: Connection, published: Drop) -> None:
    """Write a drop, or what is new about it, and mark its recorded members as dropped, unless another drop replaces it.

    What of the drops that it replaces is in no other one is free to go into a drop again.
    """
    row = {
        "id": published.id,
        "kind": published.kind,
        "infohash_v1": published.infohash_v1,
        "infohash_v2": published.infohash_v2,
        "drop_bytes": published.drop_bytes,
        "file_count": published.file_count,
        "coverage_share": published.coverage_share,
        "created_at": published.created_at,
        "needs": " ".join(published.needs),
        "supersedes": published.supersedes,
        "rank_first": published.ranks and published.ranks.first,
        "rank_last": published.ranks and published.ranks.last,
        "replaces": " ".join(published.replaces),
    }
    statement = insert_or(connection, drop).values(**row)
    rest = {name: statement.excluded[name] for name in row if name != "id"}
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=rest))
    connection.execute(delete(drop_member).where(drop_member.c.drop_id == published.id))
    if not published.members:
        return
    replaced = {old for row in connection.execute(drops_that_replace()) for old in row.replaces.split()}
    rows = [{"object_id": each.object_id, "version": each.version, "drop_id": published.id} for each in published.members]
    connection.execute(insert(drop_member), rows)
    if published.id not in replaced:
        _mark_dropped(connection, ((each.object_id, each.version) for each in published.members), dropped=True)
    for old in published.replaces:
        left = ((row.object_id, row.version) for row in connection.execute(members_of_drop(old)).all())
        free = [each for each in left if replaced.issuperset(row.drop_id for row in connection.execute(dropped_in(*each)))]
        _mark_dropped(connection, free, dropped=False)


def _mark_dropped(connection: Connection, members: Iterable[tuple[str, int]], *, dropped: bool) -> None:
    """Say of versions whether a drop carries them."""
    of_object = select(object_.c.id).where(object_.c.object_id == bindparam("member_object")).scalar_subquery()
    this = (version.c.object_key == of_object, version.c.version == bindparam("member_version"))
    marks = [{"member_object": object_id, "member_version": number} for object_id, number in members]
    if marks:
        connection.execute(update(version).where(*this).values(dropped=dropped), marks)


def forget_drop(connection: Connection, drop_id: str) -> None:
    """Remove a drop and its members; a version that no other drop carries is marked as undropped."""
    members = connection.execute(members_of_drop(drop_id)).all()
    connection.execute(delete(drop_member).where(drop_member.c.drop_id == drop_id))
    connection.execute(delete(drop).where(drop.c.id == drop_id))
    for member in members:
        if connection.execute(dropped_in(member.object_id, member.version)).first() is None:
            of_object = select(object_.c.id).where(object_.c.object_id == member.object_id).scalar_subquery()
            free = (version.c.object_key == of_object, version.c.version == member.version)
            connection.execute(update(version).where(*free).values(dropped=False))


def record_checks(connection: Connection, checks: Sequence[Check]) -> None:
    """Write dated checks; a file's own row shows its latest one. Raises: StoreError for an unknown file."""
    for batch in batched(checks, ROWS_AT_ONCE):
        members = _members_of(connection, batch)
        rows = sorted((members[check.path].id, check.at, *_result(check)) for check in batch)
        insert_missing(connection, fixity_check, _CHECK, rows)
        latest: dict[int, Check] = {}
        for check in sorted(batch, key=lambda check: check.at):
            shown = members[check.path].checked_at
            if shown is None or check.at >= shown:
                latest[members[check.path].id] = check
        now = [{"key": key, "at": check.at, "found": check.damage and check.damage.kind} for key, check in sorted(latest.items())]
        if now:
            statement = update(member_file).where(member_file.c.id == bindparam("key"))
            connection.execute(statement.values(checked_at=bindparam("at"), damage=bindparam("found")), now)


def _members_of(connection: Connection, checks: Sequence[Check]) -> Mapping[str, Row[Any]]:
    """Return by path the rows of the files that were checked. Raises: StoreError when one is not there."""
    places = {check.path: split_path(check.path) for check in checks}
    found = connection.execute(members_at({place for place in places.values() if place})) if any(places.values()) else ()
    rows = {f"{row.object_path}/v{row.version}/{row.tail}": row for row in found}
    for check in checks:
        if check.path not in rows or rows[check.path].object_id != check.object_id:
            raise StoreError(
                f"{check.object_id}: {check.path}",
                "checked, but not in the register",
                "Run `fonoteca rebuild`, then the audit again.",
            )
    return rows


def _result(check: Check) -> tuple[str, str, str, str]:
    """Return what a check found, in order of `_CHECK`."""
    damage = check.damage
    if damage is None:
        return SOUND, "", "", numbers_json(())
    return damage.kind, plain(damage.expected), plain(damage.found), numbers_json(damage.pieces)


def record_events(connection: Connection, events: Sequence[Event]) -> None:
    """Write those events that are not known yet, in the order given."""
    for batch in batched(events, ROWS_AT_ONCE):
        rows = [_event_row(each) for each in batch]
        insert_missing(connection, event, ("digest", "at", "what", "subject", "facts"), rows)


def _event_row(each: Event) -> tuple[object, ...]:
    """Return an event's row."""
    # The files that a check names have their dates in rows of their own.
    facts = [fact for fact in each.facts if each.what != CHECKED or fact[0] not in LOG_ONLY]
    return event_digest(each), each.at, each.what, storable(each.subject), facts_json(facts)


def event_digest(each: Event) -> bytes:
    """Return the key of an event: a digest of all that it says."""
    told = "\n".join((each.at.isoformat(), each.what, each.subject, facts_json(each.facts)))
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()
