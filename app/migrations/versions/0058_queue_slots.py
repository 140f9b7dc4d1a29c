"""The figures of the site's days by half hours of each queue, and the big screens that show figures."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "queue_slot",
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("slot_at", UtcDateTime(), nullable=False),
        sa.Column("queue", sa.String(length=64), nullable=False),
        sa.Column("offered", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("answered_in", sa.Integer(), nullable=False),
        sa.Column("abandoned", sa.Integer(), nullable=False),
        sa.Column("abandoned_in", sa.Integer(), nullable=False),
        sa.Column("abandoned_short", sa.Integer(), nullable=False),
        sa.Column("answered_wait_ms", sa.BigInteger(), nullable=False),
        sa.Column("handled", sa.Integer(), nullable=False),
        sa.Column("handling_ms", sa.BigInteger(), nullable=False),
        sa.Column("busy_ms", sa.BigInteger(), nullable=False),
        sa.Column("ready_ms", sa.BigInteger(), nullable=False),
        sa.Column("answer_within_ms", sa.BigInteger(), nullable=False),
        sa.Column("short_abandon_ms", sa.BigInteger(), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("node", "slot_at", "queue", name=op.f("pk_queue_slot")),
    )
    op.create_index("ix_queue_slot_slot_at", "queue_slot", ["slot_at"])
    op.create_table(
        "wall_screen",
        sa.Column("screen_id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=True),
        sa.Column("code_until", UtcDateTime(), nullable=True),
        sa.Column("secret_hash", sa.String(length=64), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=True),
        sa.Column("last_seen_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("screen_id", name=op.f("pk_wall_screen")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_wall_screen_code_hash")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_wall_screen_secret_hash")),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("wall_screen")
    op.drop_table("queue_slot")
