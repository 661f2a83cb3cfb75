"""What was withdrawn, by this archive or by the one that it mirrors, and what became of the bytes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "withdrawal",
        sa.Column("object_id", _NAME, nullable=False),
        sa.Column("authority", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tombstone", sa.Text(), nullable=False),
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("answered_at", sa.BigInteger()),
        sa.Column("answer_ground", sa.Text(), nullable=False),
        sa.Column("purge_at", sa.BigInteger()),
        sa.Column("purged_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("object_id", "authority", name="pk_withdrawal"),
    )
