"""Lines of complaints that are not closed, and the newest major complaints, are found without the rest."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_index(
        "ix_complaint_line_open",
        "complaint_line",
        ["status"],
        sqlite_where=sa.text("status <> 'closed'"),
        postgresql_where=sa.text("status <> 'closed'"),
    )
    op.create_index("ix_escalation_submitted_at", "escalation", ["submitted_at", "id"])


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_escalation_submitted_at", table_name="escalation")
    op.drop_index("ix_complaint_line_open", table_name="complaint_line")
