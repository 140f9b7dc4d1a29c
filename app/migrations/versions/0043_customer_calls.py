"""Calls to the customers of cases by whoever works on them."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("dial_attempt", sa.Column("case_id", sa.String(length=26), nullable=True))
    op.add_column("dial_attempt", sa.Column("user_id", sa.String(length=26), nullable=True))
    op.create_index("ix_dial_attempt_case_id_began_at", "dial_attempt", ["case_id", "began_at"])
    op.create_index("ix_dial_attempt_user_id_began_at", "dial_attempt", ["user_id", "began_at"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_dial_attempt_user_id_began_at", table_name="dial_attempt")
    op.drop_index("ix_dial_attempt_case_id_began_at", table_name="dial_attempt")
    op.drop_column("dial_attempt", "user_id")
    op.drop_column("dial_attempt", "case_id")
