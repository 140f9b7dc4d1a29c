"""How calls are judged: forms, judgements, calibrations."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0087"
down_revision = "0086"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "quality_form",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_quality_form")),
    )
    op.create_table(
        "quality_review",
        sa.Column("review_id", sa.String(length=26), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("agent_id", sa.String(length=26), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("slot", sa.String(length=60), server_default="", nullable=False),
        sa.Column("calibration_id", sa.String(length=26), nullable=True),
        sa.Column("week", sa.Date(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("scorer_id", sa.String(length=26), nullable=True),
        sa.Column("scorer", sa.String(length=80), server_default="", nullable=False),
        sa.Column("form_version", sa.Integer(), nullable=False),
        sa.Column("points", sa.JSON(), nullable=False),
        sa.Column("fatal", sa.JSON(), nullable=False),
        sa.Column("marks", sa.JSON(), nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("failed", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("passed", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("first_score", sa.Float(), nullable=True),
        sa.Column("dispute", sa.String(length=500), server_default="", nullable=False),
        sa.Column("disputed_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("settled_by", sa.String(length=80), server_default="", nullable=False),
        sa.Column("settled_at", UtcDateTime(), nullable=True),
        sa.Column("settle_reason", sa.String(length=500), server_default="", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_quality_review")),
        sa.UniqueConstraint(
            "call_id", "agent_id", "slot", name=op.f("uq_quality_review_call_id_agent_id_slot")
        ),
    )
    op.create_index("ix_quality_review_agent", "quality_review", ["agent_id", "published_at"])
    op.create_index("ix_quality_review_state", "quality_review", ["state", "review_id"])
    op.create_index("ix_quality_review_calibration_id", "quality_review", ["calibration_id"])
    op.create_table(
        "quality_calibration",
        sa.Column("calibration_id", sa.String(length=26), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("agent_id", sa.String(length=26), nullable=False),
        sa.Column("form_version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("calibration_id", name=op.f("pk_quality_calibration")),
    )
    op.create_index("ix_quality_calibration_created_at", "quality_calibration", ["created_at"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("quality_calibration")
    op.drop_table("quality_review")
    op.drop_table("quality_form")
