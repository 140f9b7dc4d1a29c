"""Tokens of the API may belong to a department."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("api_token", sa.Column("department", sa.String(length=16), nullable=True))


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_column("api_token", "department")
