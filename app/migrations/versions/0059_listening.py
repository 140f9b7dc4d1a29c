"""Supervisors who listen to calls."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "listening",
        sa.Column("listening_id", sa.String(length=26), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("agent_number", sa.String(length=16), nullable=True),
        sa.Column("listener_number", sa.String(length=16), nullable=False),
        sa.Column("open_listener", sa.String(length=16), nullable=True),
        sa.Column("open_taking", sa.String(length=26), nullable=True),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("by_id", sa.String(length=26), nullable=False),
        sa.Column("wanted", sa.String(length=12), nullable=True),
        sa.Column("now", sa.String(length=12), nullable=True),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("rung_at", UtcDateTime(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("taken_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_why", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("listening_id", name=op.f("pk_listening")),
        sa.UniqueConstraint("open_listener", name=op.f("uq_listening_open_listener")),
        sa.UniqueConstraint("open_taking", name=op.f("uq_listening_open_taking")),
    )
    op.create_index("ix_listening_call_id", "listening", ["call_id", "began_at"])
    op.create_index("ix_listening_ended_at", "listening", ["ended_at"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("listening")
