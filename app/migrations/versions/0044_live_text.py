"""Live text: what was said in calls, and which queues and campaigns have it."""

import sqlalchemy as sa
from alembic import op

from kernel.db import Json, UtcDateTime

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision. Complaints are listened to where speech is installed."""
    op.create_table(
        "transcript_segment",
        sa.Column("segment_id", sa.String(length=26), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("speaker", sa.String(length=8), nullable=False),
        sa.Column("agent_number", sa.String(length=16), nullable=True),
        sa.Column("started_ms", sa.Integer(), nullable=False),
        sa.Column("ended_ms", sa.Integer(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("words", Json, nullable=False),
        sa.Column("engine", sa.String(length=20), nullable=False),
        sa.Column("model", sa.String(length=80), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("gap", sa.String(length=20), nullable=True),
        sa.Column("lost_ms", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("segment_id", name=op.f("pk_transcript_segment")),
    )
    op.create_index(
        "ix_transcript_segment_call_id", "transcript_segment", ["call_id", "started_ms", "segment_id"]
    )
    for table in ("queue", "campaign"):
        op.add_column(table, sa.Column("live_text", sa.Boolean(), server_default=sa.false(), nullable=False))
    queue = sa.table("queue", sa.column("name", sa.String), sa.column("live_text", sa.Boolean))
    op.execute(sa.update(queue).where(queue.c.name == "complaint").values(live_text=True))


def downgrade() -> None:
    """Take the schema back to the one before."""
    for table in ("campaign", "queue"):
        with op.batch_alter_table(table) as batch:
            batch.drop_column("live_text")
    op.drop_index("ix_transcript_segment_call_id", table_name="transcript_segment")
    op.drop_table("transcript_segment")
