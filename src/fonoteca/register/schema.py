"""The register's tables. Every row is found by a natural key; surrogate ids never leave this room.

Grain and keys:
    item          one row an item at a source            key (`ItemKey`)
    object        one row an OCFL object                 object_id
    version       one row an object version              object_id, version
    member_file   one row a file under `vN/`             object_id, version, tail (its path below `vN/`)
    piece_hashes  what cutting and healing need, apart from member_file so that look-ups read short rows
    file          one row a logical path of a version    object_id, version, logical_path
    holding       one row an audio file of a head        recording_id, object_id, logical_path
    decision      one row a refusal or a hold            subject, outcome, rule
    decision_text one row a text that evidence of one has   text_key, decision
    drop          one row a torrent                      id
    drop_member   one row a version in a drop            drop, object_id, version
    withdrawal    one row an archive's word on an object object_id, authority
    fixity_check  one row a dated check                  object_id, version, tail, at
    event         one row an event                       digest of all its columns
    owner         one row at most: whose the register is
    album         one row an audio object whose head may be shared and was decoded: what players browse. Follows from the others.
    album_credit  one row an artist of an album's files  artist_key, object_id
    album_genre   one row a genre of an album's files    genre, object_id
    change        one row an object that could ever be shared: when it last changed, for harvesters. Follows from the others.
    want          one row a want of a plan that was looked for   recording
    tally         sums over heads, kept as rows change, so that totals need no scan. 16 rows a kind: fewer writers wait.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    false,
    literal_column,
    true,
)

from fonoteca.model.ids import Sha256

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """A time in UTC as microseconds since 1970: 8 bytes, ordered, the same on every engine."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return the microseconds; a time without a timezone is our own mistake."""
        if value is None:
            return None
        assert value.tzinfo is not None, "a time without a timezone"
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the time in UTC."""
        return None if value is None else _EPOCH + value * _MICROSECOND


class Digest(TypeDecorator[Sha256]):
    """A SHA-256 as 32 bytes instead of 64 digits."""

    impl = LargeBinary(32)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Return the 32 bytes."""
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Sha256 | None:
        """Return the digest as text."""
        return None if value is None else Sha256.of_bytes(bytes(value))


def digest_key(sha256: str) -> int:
    """Return the first 8 bytes of a digest as a signed integer, -2**63 to 2**63 - 1.

    Look-ups by digest go through an index on this key: 9 bytes a row where the whole digest would cost 34, and among
    10**8 files two share a key with probability 3e-4.
    """
    return int.from_bytes(bytes.fromhex(sha256[:16]), "big", signed=True)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives a key of its own only to a column of type INTEGER exactly.
_Key = BigInteger().with_variant(Integer(), "sqlite")
# Text in keys is ordered by code point everywhere, as Python does; other orders would break paging by key.
_Name = String().with_variant(String(collation="C"), "postgresql")

item = Table(
    "item",
    metadata,
    Column("key", _Name, primary_key=True),
    Column("source", String, nullable=False),
)

object_ = Table(
    "object",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("object_id", _Name, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("item_key", _Name, ForeignKey("item.key"), index=True),
    Column("title", Text, nullable=False),
    Column("artist", Text, nullable=False, index=True),
    Column("source_uri", Text, nullable=False),
    Column("object_path", _Name, nullable=False, unique=True),
    Column("head_version", Integer, nullable=False),
    Column("head_at", Instant, nullable=False),
    Column("licence_uri", Text, nullable=False),
    Column("attribution", Text, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("file_bytes", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("damage", String),
    Column("quarantined_at", Instant),
    Column("quarantine", Text),
    Index("ix_object_kind_object_id", "kind", "object_id"),
    Index("ix_object_kind_head_at", "kind", "head_at", "id"),
)
Index(
    "ix_object_damaged",
    object_.c.object_id,
    object_.c.damage,
    sqlite_where=object_.c.damage.is_not(None),
    postgresql_where=object_.c.damage.is_not(None),
)

Index(
    "ix_object_quarantined",
    object_.c.object_id,
    sqlite_where=object_.c.quarantined_at.is_not(None),
    postgresql_where=object_.c.quarantined_at.is_not(None),
)

version = Table(
    "version",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("object_key", _Key, ForeignKey("object.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("version_bytes", BigInteger, nullable=False),
    Column("licence_uri", Text, nullable=False),
    Column("acts", String, nullable=False),
    Column("transcode", Text, nullable=False),
    Column("attribution", Text, nullable=False),
    Column("rule", String, nullable=False),
    Column("policy_digest", String, nullable=False),
    Column("decided_at", Instant),
    Column("dropped", Boolean, nullable=False, server_default=false()),
    Column("term", Text),
    UniqueConstraint("object_key", "version"),
)
Index(
    "ix_version_term", version.c.object_key, sqlite_where=version.c.term.is_not(None), postgresql_where=version.c.term.is_not(None)
)
Index(
    "ix_version_undropped",
    version.c.kind,
    version.c.id,
    sqlite_where=~version.c.dropped,
    postgresql_where=~version.c.dropped,
)

member_file = Table(
    "member_file",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("version_key", _Key, ForeignKey("version.id"), nullable=False),
    Column("tail", _Name, nullable=False),
    Column("file_bytes", BigInteger, nullable=False),
    Column("sha256", Digest, nullable=False),
    Column("digest_key", BigInteger, nullable=False, index=True),
    Column("checked_at", Instant),
    Column("seen_bytes", BigInteger),
    Column("seen_mtime_ns", BigInteger),
    Column("damage", String),
    UniqueConstraint("version_key", "tail"),
    Index("ix_member_file_next_to_audit", "checked_at", "id"),
)
Index(
    "ix_member_file_damaged",
    member_file.c.version_key,
    member_file.c.damage,
    sqlite_where=member_file.c.damage.is_not(None),
    postgresql_where=member_file.c.damage.is_not(None),
)

piece_hashes = Table(
    "piece_hashes",
    metadata,
    Column("member_key", _Key, ForeignKey("member_file.id"), primary_key=True, autoincrement=False),
    Column("piece_bytes", Integer, nullable=False),
    Column("pieces_root", LargeBinary, nullable=False),
    Column("piece_layer", LargeBinary, nullable=False),
    Column("v1_pieces", LargeBinary, nullable=False),
    Column("v1_last_padded", LargeBinary, nullable=False),
)

file = Table(
    "file",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("version_key", _Key, ForeignKey("version.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("logical_path", _Name, nullable=False),
    Column("member_key", _Key, ForeignKey("member_file.id"), nullable=False, index=True),
    Column("media_type", String, nullable=False),
    Column("codec", String, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("artist", Text, nullable=False, index=True),
    Column("release", Text, nullable=False),
    Column("year", Integer),
    Column("probe", Text),
    Column("tags", Text),
    Column("analysed", Boolean, nullable=False, server_default=true()),
    UniqueConstraint("version_key", "logical_path"),
)

Index("ix_file_unanalysed", file.c.id, sqlite_where=~file.c.analysed, postgresql_where=~file.c.analysed)

holding = Table(
    "holding",
    metadata,
    Column("file_key", _Key, ForeignKey("file.id"), primary_key=True, autoincrement=False),
    Column("recording_id", _Name, nullable=False, index=True),
)

decision = Table(
    "decision",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("outcome", String, nullable=False),
    Column("rule", String, nullable=False),
    Column("item_key", _Name, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state", String, nullable=False),
    Column("settlement", Text, nullable=False),
    Column("settled_at", Instant),
    Column("title", Text, nullable=False, server_default=""),
    Column("artist", Text, nullable=False, server_default=""),
    Column("source", String, nullable=False, server_default=""),
    Column("said", String, nullable=False, server_default=""),
    Column("dossier", Text, nullable=False, server_default=""),
    UniqueConstraint("subject", "outcome", "rule"),
    Index("ix_decision_state_at", "state", "at", "id"),
)

WAITS = and_(decision.c.state == literal_column("'open'"), decision.c.outcome == literal_column("'hold'"))
"""What waits for a person. In words that an index of part of a table is found by."""

Index("ix_decision_waits", decision.c.subject, sqlite_where=WAITS, postgresql_where=WAITS)

decision_text = Table(
    "decision_text",
    metadata,
    Column("text_key", String, primary_key=True),
    Column("decision_key", _Key, ForeignKey("decision.id"), primary_key=True, autoincrement=False, index=True),
)

drop = Table(
    "drop",
    metadata,
    Column("id", _Name, primary_key=True),
    Column("kind", String, nullable=False),
    Column("infohash_v1", String, nullable=False, unique=True),
    Column("infohash_v2", String, nullable=False, unique=True),
    Column("drop_bytes", BigInteger, nullable=False),
    Column("file_count", Integer, nullable=False),
    Column("coverage_share", Float, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("needs", Text, nullable=False),
    Column("supersedes", _Name),
    Column("rank_first", BigInteger),
    Column("rank_last", BigInteger),
    Column("replaces", Text, nullable=False, server_default=""),
)

drop_member = Table(
    "drop_member",
    metadata,
    Column("object_id", _Name, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("drop_id", _Name, ForeignKey("drop.id"), primary_key=True, index=True),
)

withdrawal = Table(
    "withdrawal",
    metadata,
    Column("object_id", _Name, primary_key=True),
    Column("authority", String, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("tombstone", Text, nullable=False),
    Column("answer", String, nullable=False),
    Column("answered_at", Instant),
    Column("answer_ground", Text, nullable=False),
    Column("purge_at", Instant),
    Column("purged_at", Instant),
)

fixity_check = Table(
    "fixity_check",
    metadata,
    Column("member_key", _Key, ForeignKey("member_file.id"), primary_key=True, autoincrement=False),
    Column("at", Instant, primary_key=True, autoincrement=False),
    Column("result", String, nullable=False),
    Column("expected", String, nullable=False),
    Column("found", String, nullable=False),
    Column("pieces", Text, nullable=False),
    Index("ix_fixity_check_at", "at"),
)

event = Table(
    "event",
    metadata,
    Column("id", _Key, primary_key=True),
    Column("digest", LargeBinary(16), nullable=False, unique=True),
    Column("at", Instant, nullable=False),
    Column("what", String, nullable=False),
    Column("subject", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Index("ix_event_at", "at", "id"),
    Index("ix_event_subject_at", "subject", "at", "id"),
)

owner = Table(
    "owner",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("archive_id", String, nullable=False),
    Column("name", String, nullable=False),
)

album = Table(
    "album",
    metadata,
    Column("object_key", _Key, ForeignKey("object.id"), primary_key=True, autoincrement=False),
    Column("album_key", BigInteger, nullable=False, index=True),
    Column("artist_key", BigInteger, nullable=False),
    Column("artist", Text, nullable=False),
    Column("sort_title", _Name, nullable=False),
    Column("sort_artist", _Name, nullable=False),
    Column("genre", Text, nullable=False),
    Column("year", Integer),
    Column("created_at", Instant, nullable=False),
    Column("song_count", Integer, nullable=False),
    Index("ix_album_sort_title", "sort_title", "object_key"),
    Index("ix_album_sort_artist", "sort_artist", "artist_key", "artist", "sort_title", "object_key"),
    Index("ix_album_artist_key", "artist_key", "object_key"),
    Index("ix_album_year", "year", "object_key"),
    Index("ix_album_created_at", "created_at", "object_key"),
)

album_credit = Table(
    "album_credit",
    metadata,
    Column("artist_key", BigInteger, primary_key=True, autoincrement=False),
    Column("object_key", _Key, ForeignKey("object.id"), primary_key=True, autoincrement=False, index=True),
    Column("name", Text, nullable=False),
    Column("song_count", Integer, nullable=False),
)

album_genre = Table(
    "album_genre",
    metadata,
    Column("genre", _Name, primary_key=True),
    Column("object_key", _Key, ForeignKey("object.id"), primary_key=True, autoincrement=False, index=True),
    Column("song_count", Integer, nullable=False),
)

change = Table(
    "change",
    metadata,
    Column("object_id", _Name, primary_key=True),
    Column("kind", _Name, nullable=False),
    Column("source", _Name, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Index("ix_change_changed_at", "changed_at", "object_id"),
    Index("ix_change_kind_changed_at", "kind", "changed_at", "object_id"),
    Index("ix_change_kind_source_changed_at", "kind", "source", "changed_at", "object_id"),
)

want = Table(
    "want",
    metadata,
    Column("recording", _Name, primary_key=True),
    Column("plan", _Name, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("artist", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", Instant),
    Column("changed_at", Instant, nullable=False),
    Index("ix_want_plan_place", "plan", "place"),
)

OF_REVIEW = want.c.state == literal_column("'review'")
Index("ix_want_review", want.c.subject, sqlite_where=OF_REVIEW, postgresql_where=OF_REVIEW)

tally = Table(
    "tally",
    metadata,
    Column("kind", String, primary_key=True),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("object_count", BigInteger, nullable=False),
    Column("file_count", BigInteger, nullable=False),
    Column("file_bytes", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
)

TALLY_BUCKETS = 16
"""Writers of one kind that can commit at once on PostgreSQL before they wait for each other's sums."""
