"""A register says which archive writes in it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table. Who writes next puts its archive's name down."""
    op.create_table(
        "owner",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("archive_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_owner"),
    )
