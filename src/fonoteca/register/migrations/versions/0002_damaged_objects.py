"""Objects are marked whose own inventory, sidecar or declaration is damaged: they are no version's files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column and the index by which a repair finds them."""
    op.add_column("object", sa.Column("damage", sa.String()))
    op.create_index(
        "ix_object_damaged",
        "object",
        ["object_id", "damage"],
        sqlite_where=sa.text("damage IS NOT NULL"),
        postgresql_where=sa.text("damage IS NOT NULL"),
    )
