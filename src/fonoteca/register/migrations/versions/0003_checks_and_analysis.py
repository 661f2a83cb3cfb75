"""What a check saw of a file, what is in quarantine, and which files wait for their analysis."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns, and the indexes by which the few rows are found that have them set."""
    op.add_column("member_file", sa.Column("seen_bytes", sa.BigInteger()))
    op.add_column("member_file", sa.Column("seen_mtime_ns", sa.BigInteger()))
    op.add_column("object", sa.Column("quarantined_at", sa.BigInteger()))
    op.add_column("object", sa.Column("quarantine", sa.Text()))
    op.add_column("file", sa.Column("analysed", sa.Boolean(), nullable=False, server_default=sa.true()))
    there = sa.text("quarantined_at IS NOT NULL")
    op.create_index("ix_object_quarantined", "object", ["object_id"], sqlite_where=there, postgresql_where=there)
    on_sqlite, on_postgresql = sa.text("analysed = 0"), sa.text("NOT analysed")
    op.create_index("ix_file_unanalysed", "file", ["id"], sqlite_where=on_sqlite, postgresql_where=on_postgresql)
