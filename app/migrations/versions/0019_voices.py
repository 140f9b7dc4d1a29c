"""What customers say that is no case."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "customer_voice",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("competitor", sa.String(length=60), server_default="", nullable=False),
        sa.Column("customer_id", sa.String(length=26), nullable=True),
        sa.Column("case_id", sa.String(length=26), nullable=True),
        sa.Column("call_id", sa.String(length=26), nullable=True),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(length=80), nullable=False),
        sa.Column("by_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_customer_voice_customer_id_customer")
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["service_case.id"], name=op.f("fk_customer_voice_case_id_service_case")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer_voice")),
    )
    op.create_index("ix_customer_voice_at", "customer_voice", ["at", "id"], unique=False)
    op.create_index("ix_customer_voice_by_id", "customer_voice", ["by_id", "at"], unique=False)
    op.create_index("ix_customer_voice_month_kind", "customer_voice", ["month", "kind"], unique=False)


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("customer_voice")
