"""The language that a caller chose is kept with the call."""

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("call", sa.Column("language", sa.String(8), nullable=True))


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_column("call", "language")
