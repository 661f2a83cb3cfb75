"""What players browse: an album for each audio object that may be shared and was decoded, its artists and its genres."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from fonoteca.register.shelving import shelve_all

revision = "0009"
down_revision = "0006"

_NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and fill them from what is held."""
    op.create_table(
        "album",
        sa.Column("object_key", _KEY, autoincrement=False, nullable=False),
        sa.Column("album_key", sa.BigInteger(), nullable=False),
        sa.Column("artist_key", sa.BigInteger(), nullable=False),
        sa.Column("artist", sa.Text(), nullable=False),
        sa.Column("sort_title", _NAME, nullable=False),
        sa.Column("sort_artist", _NAME, nullable=False),
        sa.Column("genre", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("song_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("object_key", name="pk_album"),
        sa.ForeignKeyConstraint(["object_key"], ["object.id"], name="fk_album_object_key"),
    )
    op.create_index("ix_album_album_key", "album", ["album_key"])
    op.create_index("ix_album_sort_title", "album", ["sort_title", "object_key"])
    op.create_index("ix_album_sort_artist", "album", ["sort_artist", "artist_key", "artist", "sort_title", "object_key"])
    op.create_index("ix_album_artist_key", "album", ["artist_key", "object_key"])
    op.create_index("ix_album_year", "album", ["year", "object_key"])
    op.create_index("ix_album_created_at", "album", ["created_at", "object_key"])
    op.create_table(
        "album_credit",
        sa.Column("artist_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("object_key", _KEY, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("song_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("artist_key", "object_key", name="pk_album_credit"),
        sa.ForeignKeyConstraint(["object_key"], ["object.id"], name="fk_album_credit_object_key"),
    )
    op.create_index("ix_album_credit_object_key", "album_credit", ["object_key"])
    op.create_table(
        "album_genre",
        sa.Column("genre", _NAME, nullable=False),
        sa.Column("object_key", _KEY, autoincrement=False, nullable=False),
        sa.Column("song_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("genre", "object_key", name="pk_album_genre"),
        sa.ForeignKeyConstraint(["object_key"], ["object.id"], name="fk_album_genre_object_key"),
    )
    op.create_index("ix_album_genre_object_key", "album_genre", ["object_key"])
    shelve_all(op.get_bind())
