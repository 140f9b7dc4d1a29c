"""Text after the call: which calls it is made of; segments that were corrected or replaced."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("transcript_segment", sa.Column("corrected", sa.Text(), nullable=True))
    op.add_column("transcript_segment", sa.Column("replaced_at", UtcDateTime(), nullable=True))
    op.add_column(
        "transcript_segment", sa.Column("version", sa.Integer(), server_default="1", nullable=False)
    )
    op.create_table(
        "transcript_correction",
        sa.Column("correction_id", sa.String(length=26), nullable=False),
        sa.Column("segment_id", sa.String(length=26), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("by_id", sa.String(length=26), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("correction_id", name=op.f("pk_transcript_correction")),
    )
    op.create_index("ix_transcript_correction_segment_id", "transcript_correction", ["segment_id"])
    op.create_table(
        "transcript_job",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("agent_number", sa.String(length=16), nullable=True),
        sa.Column("call_at", UtcDateTime(), nullable=False),
        sa.Column("began", sa.Float(), nullable=False),
        sa.Column("audio_seconds", sa.Float(), nullable=True),
        sa.Column("heard_seconds", sa.Float(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_transcript_job")),
    )
    op.create_index(op.f("ix_transcript_job_due_at"), "transcript_job", ["due_at"])
    op.create_index("ix_transcript_job_state", "transcript_job", ["state", "finished_at"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("transcript_job")
    op.drop_table("transcript_correction")
    with op.batch_alter_table("transcript_segment") as batch:
        batch.drop_column("version")
        batch.drop_column("replaced_at")
        batch.drop_column("corrected")
