"""Callers who keep their place in a queue and are called back."""

import sqlalchemy as sa
from alembic import op

from kernel.db import Ulid, UtcDateTime

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "queue_place",
        sa.Column("id", Ulid, nullable=False),
        sa.Column("open_number", sa.String(length=20), nullable=True),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("customer_id", Ulid, nullable=True),
        sa.Column("call_id", Ulid, nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("joined_at", UtcDateTime(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempt_id", Ulid, nullable=True),
        sa.Column("agent_number", sa.String(length=16), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=80), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_place")),
        sa.UniqueConstraint("open_number", name=op.f("uq_queue_place_open_number")),
    )
    op.create_index("ix_queue_place_state_queue", "queue_place", ["state", "queue", "joined_at"])
    op.create_index("ix_queue_place_number", "queue_place", ["number", "asked_at"])
    op.create_index("ix_queue_place_customer_id", "queue_place", ["customer_id"])
    op.create_index("ix_queue_place_call_id", "queue_place", ["call_id"])
    op.create_index("ix_queue_place_attempt_id", "queue_place", ["attempt_id"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("queue_place")
