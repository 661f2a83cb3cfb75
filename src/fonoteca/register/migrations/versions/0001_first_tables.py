"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Types as they were on the day of this migration, whatever `fonoteca.register.schema` says later.
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make all tables in an empty database."""
    _holdings()
    _files()
    _drops()
    _past()


def _holdings() -> None:
    """Make the tables of what is held: items, objects, versions and their files."""
    op.create_table(
        "item",
        sa.Column("key", _NAME, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_item"),
    )
    op.create_table(
        "object",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("object_id", _NAME, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("item_key", _NAME),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("artist", sa.Text(), nullable=False),
        sa.Column("source_uri", sa.Text(), nullable=False),
        sa.Column("object_path", _NAME, nullable=False),
        sa.Column("head_version", sa.Integer(), nullable=False),
        sa.Column("head_at", sa.BigInteger(), nullable=False),
        sa.Column("licence_uri", sa.Text(), nullable=False),
        sa.Column("attribution", sa.Text(), nullable=False),
        sa.Column("file_count", sa.Integer(), nullable=False),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["item_key"], ["item.key"], name="fk_object_item_key"),
        sa.PrimaryKeyConstraint("id", name="pk_object"),
        sa.UniqueConstraint("object_id", name="uq_object_object_id"),
        sa.UniqueConstraint("object_path", name="uq_object_object_path"),
    )
    op.create_index("ix_object_artist", "object", ["artist"])
    op.create_index("ix_object_item_key", "object", ["item_key"])
    op.create_index("ix_object_kind_head_at", "object", ["kind", "head_at", "id"])
    op.create_index("ix_object_kind_object_id", "object", ["kind", "object_id"])
    op.create_table(
        "version",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("object_key", _KEY, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("version_bytes", sa.BigInteger(), nullable=False),
        sa.Column("licence_uri", sa.Text(), nullable=False),
        sa.Column("acts", sa.String(), nullable=False),
        sa.Column("transcode", sa.Text(), nullable=False),
        sa.Column("attribution", sa.Text(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("policy_digest", sa.String(), nullable=False),
        sa.Column("decided_at", sa.BigInteger()),
        sa.Column("dropped", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["object_key"], ["object.id"], name="fk_version_object_key"),
        sa.PrimaryKeyConstraint("id", name="pk_version"),
        sa.UniqueConstraint("object_key", "version", name="uq_version_object_key_version"),
    )
    op.create_index(
        "ix_version_undropped",
        "version",
        ["kind", "id"],
        sqlite_where=sa.text("dropped = 0"),
        postgresql_where=sa.text("NOT dropped"),
    )


def _files() -> None:
    """Make the tables of files, and what cutting and healing need of them."""
    op.create_table(
        "member_file",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("version_key", _KEY, nullable=False),
        sa.Column("tail", _NAME, nullable=False),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(32), nullable=False),
        sa.Column("digest_key", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", sa.BigInteger()),
        sa.Column("damage", sa.String()),
        sa.ForeignKeyConstraint(["version_key"], ["version.id"], name="fk_member_file_version_key"),
        sa.PrimaryKeyConstraint("id", name="pk_member_file"),
        sa.UniqueConstraint("version_key", "tail", name="uq_member_file_version_key_tail"),
    )
    op.create_index(
        "ix_member_file_damaged",
        "member_file",
        ["version_key", "damage"],
        sqlite_where=sa.text("damage IS NOT NULL"),
        postgresql_where=sa.text("damage IS NOT NULL"),
    )
    op.create_index("ix_member_file_digest_key", "member_file", ["digest_key"])
    op.create_index("ix_member_file_next_to_audit", "member_file", ["checked_at", "id"])
    op.create_table(
        "piece_hashes",
        sa.Column("member_key", _KEY, autoincrement=False, nullable=False),
        sa.Column("piece_bytes", sa.Integer(), nullable=False),
        sa.Column("pieces_root", sa.LargeBinary(), nullable=False),
        sa.Column("piece_layer", sa.LargeBinary(), nullable=False),
        sa.Column("v1_pieces", sa.LargeBinary(), nullable=False),
        sa.Column("v1_last_padded", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["member_key"], ["member_file.id"], name="fk_piece_hashes_member_key"),
        sa.PrimaryKeyConstraint("member_key", name="pk_piece_hashes"),
    )
    op.create_table(
        "file",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("version_key", _KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("logical_path", _NAME, nullable=False),
        sa.Column("member_key", _KEY, nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("codec", sa.String(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("artist", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer()),
        sa.Column("probe", sa.Text()),
        sa.Column("tags", sa.Text()),
        sa.ForeignKeyConstraint(["member_key"], ["member_file.id"], name="fk_file_member_key"),
        sa.ForeignKeyConstraint(["version_key"], ["version.id"], name="fk_file_version_key"),
        sa.PrimaryKeyConstraint("id", name="pk_file"),
        sa.UniqueConstraint("version_key", "logical_path", name="uq_file_version_key_logical_path"),
    )
    op.create_index("ix_file_artist", "file", ["artist"])
    op.create_index("ix_file_member_key", "file", ["member_key"])
    op.create_table(
        "holding",
        sa.Column("file_key", _KEY, autoincrement=False, nullable=False),
        sa.Column("recording_id", _NAME, nullable=False),
        sa.ForeignKeyConstraint(["file_key"], ["file.id"], name="fk_holding_file_key"),
        sa.PrimaryKeyConstraint("file_key", name="pk_holding"),
    )
    op.create_index("ix_holding_recording_id", "holding", ["recording_id"])


def _drops() -> None:
    """Make the tables of decisions and drops."""
    op.create_table(
        "decision",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("item_key", _NAME, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("settlement", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_decision"),
        sa.UniqueConstraint("subject", "outcome", "rule", name="uq_decision_subject_outcome_rule"),
    )
    op.create_index("ix_decision_item_key", "decision", ["item_key"])
    op.create_index("ix_decision_state_at", "decision", ["state", "at", "id"])
    op.create_table(
        "drop",
        sa.Column("id", _NAME, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("infohash_v1", sa.String(), nullable=False),
        sa.Column("infohash_v2", sa.String(), nullable=False),
        sa.Column("drop_bytes", sa.BigInteger(), nullable=False),
        sa.Column("file_count", sa.Integer(), nullable=False),
        sa.Column("coverage_share", sa.Float(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("needs", sa.Text(), nullable=False),
        sa.Column("supersedes", _NAME),
        sa.PrimaryKeyConstraint("id", name="pk_drop"),
        sa.UniqueConstraint("infohash_v1", name="uq_drop_infohash_v1"),
        sa.UniqueConstraint("infohash_v2", name="uq_drop_infohash_v2"),
    )
    op.create_table(
        "drop_member",
        sa.Column("object_id", _NAME, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("drop_id", _NAME, nullable=False),
        sa.ForeignKeyConstraint(["drop_id"], ["drop.id"], name="fk_drop_member_drop_id"),
        sa.PrimaryKeyConstraint("object_id", "version", "drop_id", name="pk_drop_member"),
    )
    op.create_index("ix_drop_member_drop_id", "drop_member", ["drop_id"])


def _past() -> None:
    """Make the tables of what happened, and the sums."""
    op.create_table(
        "fixity_check",
        sa.Column("member_key", _KEY, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("result", sa.String(), nullable=False),
        sa.Column("expected", sa.String(), nullable=False),
        sa.Column("found", sa.String(), nullable=False),
        sa.Column("pieces", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["member_key"], ["member_file.id"], name="fk_fixity_check_member_key"),
        sa.PrimaryKeyConstraint("member_key", "at", name="pk_fixity_check"),
    )
    op.create_index("ix_fixity_check_at", "fixity_check", ["at"])
    op.create_table(
        "event",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.UniqueConstraint("digest", name="uq_event_digest"),
    )
    op.create_index("ix_event_at", "event", ["at", "id"])
    op.create_index("ix_event_subject_at", "event", ["subject", "at", "id"])
    op.create_table(
        "tally",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("object_count", sa.BigInteger(), nullable=False),
        sa.Column("file_count", sa.BigInteger(), nullable=False),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "bucket", name="pk_tally"),
    )
