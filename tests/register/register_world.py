"""Versions, rights and drops to record."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fonoteca.model.audio import AudioProbe, Loudness, Tags
from fonoteca.model.corridor import Drop, DropKind, DropMember, MemberFile, StoredFile, StoredVersion
from fonoteca.model.hashes import FileHashes
from fonoteca.model.ids import ContentPath, DropId, InfohashV1, InfohashV2, ItemKey, LogicalPath, ObjectId, Sha256
from fonoteca.model.rights import Act, Kind, RightsRecord
from fonoteca.register import Description, Register

NOON = datetime(2026, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
DESCRIPTION = Description("The Planets", "Gustav Holst", "https://example.org/planets")
PROBE = AudioProbe("ogg", "vorbis", 61_000, 44_100, 2, 128_000, Loudness(-14.2, 5.5, None), False)
ODD_TAGS = Tags(
    title="Mars\x00, \ud800 the bringer",
    artist="Gustav Holst",
    date="c. 1916-09-29",
    isrcs=("GBAYE0000001",),
    other={"comment": ("a", "b\n")},
)


def hashes(content: bytes, piece_bytes: int = 16384) -> FileHashes:
    """Return hashes of the right shape; only the sha256 is true."""
    count = -(-len(content) // piece_bytes)
    return FileHashes(
        file_bytes=len(content),
        piece_bytes=piece_bytes,
        sha256=Sha256(hashlib.sha256(content).hexdigest()),
        pieces_root=b"r" * 32 if count else b"",
        piece_layer=b"l" * 32 * count if count > 1 else b"",
        v1_pieces=b"p" * 20 * count,
        v1_last_padded=b"q" * 20 if count else b"",
    )


def made(key: str, kind: Kind = Kind.AUDIO, names: tuple[str, ...] = ("01.ogg",), tags: Tags | None = None) -> StoredVersion:
    """Return a first version of an object with files of these names."""
    object_id = ObjectId.of(kind, key)
    object_path = "abc/def/012/" + hashlib.sha256(object_id.encode()).hexdigest()
    media_type = "audio/ogg" if kind == Kind.AUDIO else "image/png"
    files = tuple(
        StoredFile(
            LogicalPath(f"music/{name}"),
            ContentPath(f"v1/content/{name.replace(chr(32), chr(95))}"),
            hashes(f"{key}/{name}".encode() * 2000),
            media_type,
            PROBE if kind == Kind.AUDIO else None,
            tags or Tags() if kind == Kind.AUDIO else None,
        )
        for name in names
    )
    members = [MemberFile(f"{object_path}/{each.content_path}", each.hashes) for each in files]
    members.append(MemberFile(f"{object_path}/v1/inventory.json", hashes(key.encode())))
    return StoredVersion(object_id, 1, NOON, object_path, tuple(sorted(members, key=lambda each: each.path)), files)


def second(first: StoredVersion) -> StoredVersion:
    """Return a second version that keeps the first one's first file and adds one of its own."""
    own = StoredFile(LogicalPath("music/new.ogg"), ContentPath("v2/content/new.ogg"), hashes(b"new"), "audio/ogg", PROBE, Tags())
    member = MemberFile(f"{first.object_path}/v2/content/new.ogg", own.hashes)
    return replace(first, version=2, created_at=NOON + timedelta(days=1), members=(member,), files=(own, first.files[0]))


def rights(key: str, kind: Kind = Kind.AUDIO) -> RightsRecord:
    """Return rights under CC BY-SA 4.0."""
    return RightsRecord(
        item=ItemKey(key),
        kind=kind,
        licence_uri="https://creativecommons.org/licenses/by-sa/4.0/",
        acts=frozenset({Act.HOLD, Act.SHARE}),
        transcode="",
        attribution="Gustav Holst (CC BY-SA 4.0)",
        notices="",
        evidence=(),
        rule="licence",
        decided_at=NOON,
        policy_digest="0" * 64,
        ai={},
    )


def drop_of(members: tuple[DropMember, ...], name: str = "audio-0123456789abcdef", kind: DropKind = DropKind.AUDIO) -> Drop:
    """Return a drop of these members."""
    one = hashlib.sha256(name.encode()).hexdigest()
    return Drop(DropId(name), kind, members, InfohashV1(one[:40]), InfohashV2(one), 100, 3, 0.25, NOON)


def keep(register: Register, stored: StoredVersion) -> None:
    """Record a version under ordinary rights."""
    register.record(stored, rights(stored.object_id.key, Kind(stored.object_id.kind)), DESCRIPTION)
