"""Files of a case say to which line they belong."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("attachment", sa.Column("line_id", sa.String(length=26), nullable=True))


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_column("attachment", "line_id")
