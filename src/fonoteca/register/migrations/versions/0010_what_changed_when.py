"""What changed when: a row for each object that could ever be shared, for harvesters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from fonoteca.register.changes import note_all_changes

revision = "0010"
down_revision = "0009"

_NAME = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table, and fill it from what is held and what was withdrawn."""
    op.create_table(
        "change",
        sa.Column("object_id", _NAME, nullable=False),
        sa.Column("kind", _NAME, nullable=False),
        sa.Column("source", _NAME, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("object_id", name="pk_change"),
    )
    op.create_index("ix_change_changed_at", "change", ["changed_at", "object_id"])
    op.create_index("ix_change_kind_changed_at", "change", ["kind", "changed_at", "object_id"])
    op.create_index("ix_change_kind_source_changed_at", "change", ["kind", "source", "changed_at", "object_id"])
    note_all_changes(op.get_bind())
