"""What a case is by its nature, and how urgent it is."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("service_case", sa.Column("nature", sa.String(length=16), nullable=True))
    op.add_column(
        "service_case",
        sa.Column("urgency", sa.String(length=12), server_default="normal", nullable=False),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_column("service_case", "urgency")
    op.drop_column("service_case", "nature")
