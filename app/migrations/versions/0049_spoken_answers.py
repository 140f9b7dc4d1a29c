"""Spoken answers as text: short recordings that wait for it, and what each comes to."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    for column in _columns():
        op.add_column("callback_voice", column)
    op.create_table(
        "clip_job",
        sa.Column("clip_id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("said_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("clip_id", name=op.f("pk_clip_job")),
    )
    op.create_index(op.f("ix_clip_job_due_at"), "clip_job", ["due_at"])
    op.create_index("ix_clip_job_state", "clip_job", ["state", "finished_at"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("clip_job")
    with op.batch_alter_table("callback_voice") as batch:
        for column in reversed(_columns()):
            batch.drop_column(column.name)


def _columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("said_first", sa.Text(), server_default="", nullable=False),
        sa.Column("said_raw", sa.Text(), server_default="", nullable=False),
        sa.Column("text_state", sa.String(length=8), server_default="", nullable=False),
        sa.Column("text_model", sa.String(length=60), server_default="", nullable=False),
        sa.Column("opinion", sa.String(length=12), nullable=True),
        sa.Column("opinion_sure", sa.Float(), server_default="0", nullable=False),
        sa.Column("opinion_severity", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("topics", sa.String(length=120), server_default="", nullable=False),
        sa.Column("corrected_at", UtcDateTime(), nullable=True),
        sa.Column("corrected_by", sa.String(length=80), nullable=True),
    )
