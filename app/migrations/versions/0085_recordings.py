"""What is known of recordings, comparisons of them with their files, and which campaigns record."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0085"
down_revision = "0080"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("campaign", sa.Column("record", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.create_table(
        "recording",
        sa.Column("recording_id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.Column("missing_since", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("recording_id", name=op.f("pk_recording")),
        sa.UniqueConstraint("name", name=op.f("uq_recording_name")),
    )
    op.create_index("ix_recording_call_id", "recording", ["call_id"])
    op.create_table(
        "recording_check",
        sa.Column("check_id", sa.String(length=26), nullable=False),
        sa.Column("node", sa.String(length=32), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=False),
        sa.Column("recordings", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("adopted", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("strangers", sa.Integer(), nullable=False),
        sa.Column("names", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("check_id", name=op.f("pk_recording_check")),
    )
    op.create_index("ix_recording_check_ended_at", "recording_check", ["ended_at"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("recording_check")
    op.drop_table("recording")
    with op.batch_alter_table("campaign") as batch:
        batch.drop_column("record")
