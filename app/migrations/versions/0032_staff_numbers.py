"""The telephones of staff, and what they can do."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("staff", sa.Column("agent_no", sa.String(length=16), nullable=True))
    op.add_column("staff", sa.Column("skills", sa.JSON(none_as_null=True), nullable=True))
    op.create_index(
        "uq_staff_agent_no_active",
        "staff",
        ["agent_no"],
        unique=True,
        postgresql_where=sa.text("active"),
        sqlite_where=sa.text("active"),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("uq_staff_agent_no_active", table_name="staff")
    op.drop_column("staff", "skills")
    op.drop_column("staff", "agent_no")
