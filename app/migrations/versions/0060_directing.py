"""Messages of supervisors to agents, and how long pauses may last."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "agent_message",
        sa.Column("message_id", sa.String(length=26), nullable=False),
        sa.Column("text", sa.String(length=300), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("by_id", sa.String(length=26), nullable=False),
        sa.Column("to_all", sa.Boolean(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_agent_message")),
    )
    op.create_index(op.f("ix_agent_message_sent_at"), "agent_message", ["sent_at"])
    op.create_table(
        "agent_message_receipt",
        sa.Column("message_id", sa.String(length=26), nullable=False),
        sa.Column("agent_id", sa.String(length=26), nullable=False),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["agent_message.message_id"],
            name=op.f("fk_agent_message_receipt_message_id_agent_message"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["agent_id"],
            ["agent.agent_id"],
            name=op.f("fk_agent_message_receipt_agent_id_agent"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("message_id", "agent_id", name=op.f("pk_agent_message_receipt")),
    )
    op.create_index(
        "ix_agent_message_receipt_agent_id", "agent_message_receipt", ["agent_id", "confirmed_at"]
    )
    with op.batch_alter_table("pause_reason") as reason:
        reason.add_column(sa.Column("limit_seconds", sa.Integer(), nullable=True))
        reason.add_column(sa.Column("ends_itself", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Take the schema back to the one before."""
    with op.batch_alter_table("pause_reason") as reason:
        reason.drop_column("ends_itself")
        reason.drop_column("limit_seconds")
    op.drop_table("agent_message_receipt")
    op.drop_table("agent_message")
