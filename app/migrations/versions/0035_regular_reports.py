"""Reports that come by themselves."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "regular_report",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("figures", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("cut_off", UtcDateTime(), nullable=True),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regular_report")),
        sa.UniqueConstraint("code", "period", name=op.f("uq_regular_report_code_period")),
    )
    op.create_index("ix_regular_report_sent_at", "regular_report", ["sent_at", "id"], unique=False)
    op.create_index(op.f("ix_regular_report_due_at"), "regular_report", ["due_at"], unique=False)


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index(op.f("ix_regular_report_due_at"), table_name="regular_report")
    op.drop_index("ix_regular_report_sent_at", table_name="regular_report")
    op.drop_table("regular_report")
