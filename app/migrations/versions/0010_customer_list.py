"""Indexes: the list of customers, newest first, and those who are frozen."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_index("ix_customer_created_at", "customer", ["created_at", "id"])
    op.create_index(
        "ix_customer_frozen",
        "customer",
        ["created_at"],
        sqlite_where=sa.text("frozen_reason IS NOT NULL"),
        postgresql_where=sa.text("frozen_reason IS NOT NULL"),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_customer_frozen", table_name="customer")
    op.drop_index("ix_customer_created_at", table_name="customer")
