"""What was written down late: when a call was noted, and who took a breach back."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("complaint_line", sa.Column("verified_noted_at", UtcDateTime(), nullable=True))
    op.add_column("limit_breach", sa.Column("withdrawn_by", sa.String(length=80), nullable=True))
    op.add_column("limit_breach", sa.Column("withdrawn_why", sa.String(length=60), nullable=True))
    op.create_index(
        "ix_limit_breach_withdrawn_at",
        "limit_breach",
        ["withdrawn_at"],
        sqlite_where=sa.text("withdrawn_at IS NOT NULL"),
        postgresql_where=sa.text("withdrawn_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_limit_breach_withdrawn_at", table_name="limit_breach")
    op.drop_column("limit_breach", "withdrawn_why")
    op.drop_column("limit_breach", "withdrawn_by")
    op.drop_column("complaint_line", "verified_noted_at")
