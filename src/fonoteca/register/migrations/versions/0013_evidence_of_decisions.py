"""What the evidence of refusals and holds says, so that a person can decide. Of those of before, nothing is known but digests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns and the table of texts, empty."""
    for name, kind in (("title", sa.Text()), ("artist", sa.Text()), ("source", sa.String()), ("said", sa.String())):
        op.add_column("decision", sa.Column(name, kind, nullable=False, server_default=""))
    op.add_column("decision", sa.Column("dossier", sa.Text(), nullable=False, server_default=""))
    waits = sa.text("state = 'open' AND outcome = 'hold'")
    op.create_index("ix_decision_waits", "decision", ["subject"], sqlite_where=waits, postgresql_where=waits)
    waits = sa.text("state = 'review'")
    op.create_index("ix_want_review", "want", ["subject"], sqlite_where=waits, postgresql_where=waits)
    op.create_table(
        "decision_text",
        sa.Column("text_key", sa.String(), nullable=False),
        sa.Column("decision_key", _KEY, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("text_key", "decision_key", name="pk_decision_text"),
        sa.ForeignKeyConstraint(["decision_key"], ["decision.id"], name="fk_decision_text_decision_key"),
    )
    op.create_index("ix_decision_text_decision_key", "decision_text", ["decision_key"])
    decision = sa.table("decision", sa.column("item_key"), sa.column("source"))
    item = sa.table("item", sa.column("key"), sa.column("source"))
    source = sa.select(item.c.source).where(item.c.key == decision.c.item_key).scalar_subquery()
    op.execute(sa.update(decision).values(source=sa.func.coalesce(source, "")))
