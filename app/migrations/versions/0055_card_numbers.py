"""Pauses of recordings, and stretches of calls that held a card's number."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "recording_pause",
        sa.Column("pause_id", sa.String(length=26), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("open_call", sa.String(length=26), nullable=True),
        sa.Column("agent_number", sa.String(length=16), nullable=True),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("by_id", sa.String(length=26), nullable=True),
        sa.Column("why", sa.String(length=12), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("muted_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=80), nullable=True),
        sa.Column("ended_why", sa.String(length=12), nullable=True),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("pause_id", name=op.f("pk_recording_pause")),
        sa.UniqueConstraint("open_call", name=op.f("uq_recording_pause_open_call")),
    )
    op.create_index("ix_recording_pause_call_id", "recording_pause", ["call_id", "began_at"])
    op.create_index("ix_recording_pause_settled_at", "recording_pause", ["settled_at"])
    op.create_table(
        "speech_silence",
        sa.Column("silence_id", sa.String(length=26), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("speaker", sa.String(length=8), nullable=False),
        sa.Column("from_ms", sa.Integer(), nullable=False),
        sa.Column("until_ms", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("found_at", UtcDateTime(), nullable=False),
        sa.Column("silenced_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("silence_id", name=op.f("pk_speech_silence")),
    )
    op.create_index("ix_speech_silence_call_id", "speech_silence", ["call_id", "from_ms"])
    op.create_table(
        "mask_job",
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_mask_job")),
    )
    op.create_index("ix_mask_job_due_at", "mask_job", ["due_at"])
    # What was said before is looked through, too.
    op.execute(
        "INSERT INTO mask_job (call_id, due_at, tries) "
        "SELECT call_id, MIN(created_at), 0 FROM transcript_segment WHERE gap IS NULL GROUP BY call_id"
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("mask_job")
    op.drop_table("speech_silence")
    op.drop_table("recording_pause")
