"""Indexes: open cases for the board, accepted lines for the figures."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_index(
        "ix_service_case_open",
        "service_case",
        ["opened_at"],
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index("ix_service_case_closed_at_opened_at", "service_case", ["closed_at", "opened_at", "id"])
    op.drop_index("ix_service_case_closed_at", table_name="service_case")
    op.create_index("ix_complaint_line_accepted_at", "complaint_line", ["accepted_at"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_complaint_line_accepted_at", table_name="complaint_line")
    op.create_index("ix_service_case_closed_at", "service_case", ["closed_at"])
    op.drop_index("ix_service_case_closed_at_opened_at", table_name="service_case")
    op.drop_index("ix_service_case_open", table_name="service_case")
