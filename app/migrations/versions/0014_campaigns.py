"""Campaigns, the tasks that a campaign's list brings, and the order in which tasks press."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

READY = sa.text("status = 'ready'")


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "campaign",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("mode", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("kinds", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("levels", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("store_ids", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("tasks_from", sa.String(length=8), nullable=False),
        sa.Column("queue", sa.String(length=40), nullable=True),
        sa.Column("trunk", sa.String(length=40), nullable=False),
        sa.Column("carrier", sa.String(length=40), nullable=False),
        sa.Column("caller_id", sa.String(length=20), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("per_second", sa.Integer(), nullable=False),
        sa.Column("agents_least", sa.Integer(), nullable=False),
        sa.Column("abandon_cap", sa.Float(), nullable=False),
        sa.Column("ratio", sa.Float(), nullable=False),
        sa.Column("amd", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("updated_by", sa.String(length=80), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
    )
    op.create_index("ix_campaign_state", "campaign", ["state"])
    op.create_index("ix_campaign_created_at", "campaign", ["created_at", "id"])
    op.add_column("callback_task", sa.Column("campaign_id", sa.String(length=26), nullable=True))
    op.create_index("ix_callback_task_campaign_id", "callback_task", ["campaign_id", "status"])
    op.create_index(
        "ix_callback_task_ready",
        "callback_task",
        ["level", "window_end", "call_at", "id", "kind", "channel", "campaign_id"],
        sqlite_where=READY,
        postgresql_where=READY,
    )
    op.create_index("ix_dial_attempt_campaign_id_began_at", "dial_attempt", ["campaign_id", "began_at"])
    op.create_index("ix_dial_attempt_began_at", "dial_attempt", ["began_at", "id"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_dial_attempt_began_at", "dial_attempt")
    op.drop_index("ix_dial_attempt_campaign_id_began_at", "dial_attempt")
    op.drop_index("ix_callback_task_ready", "callback_task")
    op.drop_index("ix_callback_task_campaign_id", "callback_task")
    with op.batch_alter_table("callback_task") as batch:
        batch.drop_column("campaign_id")
    op.drop_table("campaign")
