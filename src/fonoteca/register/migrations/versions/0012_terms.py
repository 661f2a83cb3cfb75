"""When and where versions may be shared, where their rights say so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column: nothing that is held was for a term before."""
    op.add_column("version", sa.Column("term", sa.Text()))
    termed = sa.text("term IS NOT NULL")
    op.create_index("ix_version_term", "version", ["object_key"], sqlite_where=termed, postgresql_where=termed)
