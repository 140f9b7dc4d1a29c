"""People's PINs for signing."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("user_account", sa.Column("pin_hash", sa.String(length=200), nullable=True))


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_column("user_account", "pin_hash")
