"""What a network said before anybody answered, and why it ended the call."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("dial_attempt", sa.Column("cause", sa.Integer(), nullable=True))
    op.add_column("dial_attempt", sa.Column("heard", sa.String(length=200), nullable=True))
    op.add_column("dial_attempt", sa.Column("heard_as", sa.String(length=12), nullable=True))
    op.add_column("dial_attempt", sa.Column("heard_sure", sa.Float(), nullable=True))


def downgrade() -> None:
    """Take the schema back to the one before."""
    for column in ("heard_sure", "heard_as", "heard", "cause"):
        op.drop_column("dial_attempt", column)
