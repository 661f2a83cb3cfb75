"""What a drop is made of, said in bytes that never change: its id is their digest, and the store keeps them.

A member list is stored as an OCFL object, `ObjectId.of("drop", drop_id)`, before an edition names the drop. From it and
the archive's settings the same torrent is cut again, byte for byte, when everything in `editions/` is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from fonoteca.formats.instants import instant, parse_instant
from fonoteca.formats.strictjson import json_bytes, parse_json
from fonoteca.model.corridor import Drop, DropKind, DropMember, MemberFile, RankRange, StoredVersion
from fonoteca.model.errors import FormatError, StoreError
from fonoteca.model.ids import DropId, InfohashV1, InfohashV2, ObjectId, Sha256

LIST_FORMAT = "fonoteca-drop/1"
SNAPSHOT_FORMAT = "fonoteca-snapshot/1"
RECORD_FORMATS = ("fonoteca-drop-record/1", "fonoteca-drop-record/2")
"""The first is still written of a drop of which nothing more is to be said, so that an old one is healed to the byte."""

FileFact = tuple[str, int, Sha256]
"""Path, length in bytes, digest."""


@dataclass(frozen=True, slots=True)
class ListedMember:
    """A version directory as a member list names it. sha256: of its files' facts, so that the list binds every byte."""

    object_id: ObjectId
    version: int
    file_count: int
    member_bytes: int
    sha256: Sha256

    @property
    def member(self) -> DropMember:
        """The version without its figures."""
        return DropMember(self.object_id, self.version)


@dataclass(frozen=True, slots=True)
class MemberList:
    """What a drop of the store carries. needs: ascending. members: ascending by object and version."""

    kind: DropKind
    needs: tuple[DropId, ...]
    members: tuple[ListedMember, ...]

    def to_bytes(self) -> bytes:
        """Return the canonical list: sorted JSON, the same bytes for the same members and needs."""
        return json_bytes(
            {
                "format": LIST_FORMAT,
                "kind": self.kind,
                "needs": list(self.needs),
                "members": [
                    {
                        "object": each.object_id,
                        "version": each.version,
                        "files": each.file_count,
                        "bytes": each.member_bytes,
                        "sha256": each.sha256,
                    }
                    for each in self.members
                ],
            },
            "member list",
        )

    @property
    def drop_id(self) -> DropId:
        """The id of the drop with these members."""
        return _drop_id(self.kind, self.to_bytes())


@dataclass(frozen=True, slots=True)
class DropRecord:
    """What the store keeps of a drop beside its members, so that `rebuild` makes the same drop of it."""

    id: DropId
    infohash_v1: InfohashV1
    infohash_v2: InfohashV2
    coverage_share: float
    created_at: datetime
    ranks: RankRange | None = None
    replaces: tuple[DropId, ...] = ()


def member_list_of(kind: DropKind, needs: Iterable[DropId], members: Iterable[ListedMember]) -> MemberList:
    """Return the list with everything in its canonical order."""
    ordered = sorted(members, key=lambda each: (each.object_id, each.version))
    return MemberList(kind, tuple(sorted(needs)), tuple(ordered))


def listed(version: StoredVersion) -> ListedMember:
    """Return a stored version as a member list names it."""
    return listed_member(version.object_id, version.version, facts_of(version.members))


def listed_member(object_id: ObjectId, version: int, facts: Sequence[FileFact]) -> ListedMember:
    """Return a version directory with these files as a member list names it, in any order of files."""
    lines = [f"{digest} {file_bytes} {path}\n" for path, file_bytes, digest in sorted(facts)]
    return ListedMember(
        object_id=object_id,
        version=version,
        file_count=len(facts),
        member_bytes=sum(file_bytes for _, file_bytes, _ in facts),
        sha256=Sha256(sha256("".join(lines).encode()).hexdigest()),
    )


def facts_of(files: Iterable[MemberFile]) -> list[FileFact]:
    """Return path, length and digest of each file."""
    return [(file.path, file.hashes.file_bytes, file.hashes.sha256) for file in files]


def parse_member_list(content: bytes) -> MemberList:
    """Return what a stored member list says. Raises: FormatError for anything but the canonical bytes."""
    found = _object(parse_json(content, "member list"), {"format", "kind", "needs", "members"}, LIST_FORMAT)
    try:
        members = [_parse_member(each) for each in found["members"]]
        read = member_list_of(DropKind(found["kind"]), [DropId(each) for each in found["needs"]], members)
    except (TypeError, ValueError, KeyError) as error:
        raise FormatError("member list", f"not as {LIST_FORMAT} has it: {error}") from None
    if read.to_bytes() != content:
        raise FormatError("member list", "not in canonical form, so its digest is not the drop's id")
    return read


def snapshot_id(kind: DropKind, name: str, facts: Iterable[FileFact]) -> DropId:
    """Return the id of the drop with this snapshot's files, in any order of files."""
    files = [{"path": path, "bytes": file_bytes, "sha256": digest} for path, file_bytes, digest in sorted(facts)]
    return _drop_id(kind, json_bytes({"format": SNAPSHOT_FORMAT, "name": name, "files": files}, "snapshot"))


def drop_record(drop: Drop) -> bytes:
    """Return the record that the store keeps beside a drop's member list."""
    more = {} if drop.ranks is None and not drop.replaces else more_json(drop.ranks, drop.replaces)
    return json_bytes(
        {
            "format": RECORD_FORMATS[1 if more else 0],
            "id": drop.id,
            "infohash_v1": drop.infohash_v1,
            "infohash_v2": drop.infohash_v2,
            "coverage_share": drop.coverage_share,
            "created_at": instant(drop.created_at),
            **more,
        },
        "drop record",
    )


def parse_drop_record(content: bytes) -> DropRecord:
    """Return what a stored record of a drop says. Raises: FormatError."""
    fields = {"format", "id", "infohash_v1", "infohash_v2", "coverage_share", "created_at"}
    parsed = parse_json(content, "drop record")
    newer = isinstance(parsed, dict) and parsed.get("format") == RECORD_FORMATS[1]
    found = _object(parsed, fields | set(MORE_FIELDS if newer else ()), RECORD_FORMATS[newer])
    try:
        return DropRecord(
            id=DropId(found["id"]),
            infohash_v1=InfohashV1(found["infohash_v1"]),
            infohash_v2=InfohashV2(found["infohash_v2"]),
            coverage_share=share(found["coverage_share"]),
            created_at=parse_instant(found["created_at"]),
            ranks=parse_ranks(found.get("ranks")),
            replaces=tuple(DropId(each) for each in found.get("replaces", ())),
        )
    except (TypeError, ValueError, KeyError) as error:
        raise FormatError("drop record", f"not as {found['format']} has it: {error}") from None


MORE_FIELDS = ("ranks", "replaces")
"""What the second formats of records and editions add."""


def more_json(ranks: RankRange | None, replaces: Sequence[DropId]) -> dict[str, Any]:
    """Return what the second formats of records and editions add, as they have it."""
    told = None if ranks is None else {"first": ranks.first, "last": ranks.last}
    return dict(zip(MORE_FIELDS, (told, list(replaces)), strict=True))


def parse_ranks(found: Any) -> RankRange | None:
    """Return the ranks that `more_json` wrote. Raises: ValueError, TypeError or KeyError for anything else."""
    if found is None:
        return None
    if not isinstance(found, dict) or found.keys() != {"first", "last"}:
        raise ValueError(f"expected the first and the last rank, found {found!r:.100}")
    first = count(found["first"], 1)
    return RankRange(first, count(found["last"], first))


def check_same(subject: str, expected: ListedMember, found: ListedMember) -> None:
    """Raise StoreError when the store no longer has what a drop's member list says."""
    if expected != found:
        raise StoreError(
            subject,
            f"{expected.object_id} v{expected.version} was listed as {expected.sha256}, found {found.sha256}",
            "Run `fonoteca audit`: files under vN/ never change.",
        )


def share(value: Any) -> float:
    """Return a share of listening. Raises: ValueError unless it is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"expected a share from 0 to 1, found {value!r}")
    return float(value)


def count(value: Any, least: int = 0) -> int:
    """Return a count or a number of bytes. Raises: ValueError unless it is an integer from `least` to 2**63 - 1."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
        raise ValueError(f"expected an integer from {least} up, found {value!r}")
    return value


def _parse_member(found: Mapping[str, Any]) -> ListedMember:
    return ListedMember(
        object_id=ObjectId(found["object"]),
        version=count(found["version"], 1),
        file_count=count(found["files"], 1),
        member_bytes=count(found["bytes"]),
        sha256=Sha256(found["sha256"]),
    )


def _object(found: Any, fields: set[str], expected_format: str) -> dict[str, Any]:
    """Return a JSON object that has these fields, no other, and this format."""
    if not isinstance(found, dict) or found.keys() != fields or found["format"] != expected_format:
        raise FormatError(expected_format, f"expected an object with exactly {', '.join(sorted(fields))}")
    return found


def _drop_id(kind: DropKind, content: bytes) -> DropId:
    """Return kind and the first 16 hexadecimal digits of the digest."""
    return DropId(f"{kind}-{sha256(content).hexdigest()[:16]}")
