"""Answers that are kept for requests with an ``Idempotency-Key``."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "api_answer",
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("token", sa.String(length=26), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("etag", sa.String(length=40), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "route", "key", name=op.f("pk_api_answer")),
        sa.UniqueConstraint("token", name=op.f("uq_api_answer_token")),
    )
    op.create_index(op.f("ix_api_answer_expires_at"), "api_answer", ["expires_at"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index(op.f("ix_api_answer_expires_at"), table_name="api_answer")
    op.drop_table("api_answer")
