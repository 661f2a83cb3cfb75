"""How popular what a drop carries is, and which drops one takes the place of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns. Of drops that are out already nothing is known; what is out never changes."""
    op.add_column("drop", sa.Column("rank_first", sa.BigInteger()))
    op.add_column("drop", sa.Column("rank_last", sa.BigInteger()))
    op.add_column("drop", sa.Column("replaces", sa.Text(), nullable=False, server_default=""))
