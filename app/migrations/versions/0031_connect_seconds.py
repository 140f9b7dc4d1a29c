"""How long a called customer waited for the agent who took the call."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("dial_attempt", sa.Column("connect_seconds", sa.Float(), nullable=True))


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_column("dial_attempt", "connect_seconds")
