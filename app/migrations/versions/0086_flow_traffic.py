"""What was changed in a flow, in words, and where calls went."""

import sqlalchemy as sa
from alembic import op

revision = "0086"
down_revision = "0085"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column(
        "ivr_flow_version", sa.Column("why", sa.String(length=200), server_default="", nullable=False)
    )
    op.create_table(
        "ivr_flow_traffic",
        sa.Column("flow", sa.String(length=48), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node", sa.String(length=48), nullable=False),
        sa.Column("to_node", sa.String(length=48), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "flow", "day", "version", "node", "to_node", name=op.f("pk_ivr_flow_traffic")
        ),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("ivr_flow_traffic")
    with op.batch_alter_table("ivr_flow_version") as batch:
        batch.drop_column("why")
