"""Appraisal entries: the month they count in, who confirmed them, when they went to payroll."""

import sqlalchemy as sa
from alembic import op

from kernel.db import UtcDateTime

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

TABLE = "appraisal_proposal"


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column(TABLE, sa.Column("period", sa.String(length=7), nullable=True))
    op.add_column(TABLE, sa.Column("confirmed_by", sa.String(length=80), nullable=True))
    op.add_column(TABLE, sa.Column("exported_at", UtcDateTime(), nullable=True))
    op.add_column(TABLE, sa.Column("exported_by", sa.String(length=80), nullable=True))
    op.create_index("ix_appraisal_proposal_period", TABLE, ["period"], unique=False)
    # What was confirmed before counts in the month of its decision, at the site of nearly everybody.
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "UPDATE appraisal_proposal SET confirmed_by = decided_by, "
            "period = to_char(decided_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM') WHERE state = 'confirmed'"
        )
    else:
        op.execute(
            "UPDATE appraisal_proposal SET confirmed_by = decided_by, "
            "period = strftime('%Y-%m', decided_at, '+8 hours') WHERE state = 'confirmed'"
        )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_appraisal_proposal_period", table_name=TABLE)
    for name in ("exported_by", "exported_at", "confirmed_by", "period"):
        op.drop_column(TABLE, name)
