"""Messages that callers hear before they wait, switched on for some hours."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "ivr_line_message",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("queue", sa.String(length=32), nullable=True),
        sa.Column("text_zh", sa.String(length=300), nullable=False),
        sa.Column("text_en", sa.String(length=600), server_default="", nullable=False),
        sa.Column("then", sa.String(length=16), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ivr_line_message")),
    )
    op.create_index(op.f("ix_ivr_line_message_ends_at"), "ivr_line_message", ["ends_at"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("ivr_line_message")
