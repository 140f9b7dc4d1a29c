"""Messages that callers leave after the tone."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "voice_message",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("call_id", sa.String(length=26), nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=True),
        sa.Column("e164", sa.String(length=20), server_default="", nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("origin", sa.String(length=48), server_default="", nullable=False),
        sa.Column("request_id", sa.String(length=26), nullable=True),
        sa.Column("route", sa.String(length=12), server_default="", nullable=False),
        sa.Column("urgent", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("class_code", sa.Integer(), nullable=True),
        sa.Column("heard_at", UtcDateTime(), nullable=True),
        sa.Column("heard_by", sa.String(length=80), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("transcript", sa.Text(), server_default="", nullable=False),
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
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_voice_message_customer_id_customer")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voice_message")),
        sa.UniqueConstraint("path", name=op.f("uq_voice_message_path")),
    )
    op.create_index("ix_voice_message_call_id", "voice_message", ["call_id"])
    op.create_index("ix_voice_message_request_id", "voice_message", ["request_id"])
    op.create_index("ix_voice_message_customer_id", "voice_message", ["customer_id"])
    op.create_index("ix_voice_message_at", "voice_message", ["at", "id"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("voice_message")
