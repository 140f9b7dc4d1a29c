"""What a home is warranted for, item by item."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "warranty_item",
        sa.Column("project_id", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=20), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("excluded", sa.Boolean(), nullable=False),
        sa.Column("why", sa.String(length=120), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["warranty.project_id"],
            name=op.f("fk_warranty_item_project_id_warranty"),
        ),
        sa.PrimaryKeyConstraint("project_id", "code", name=op.f("pk_warranty_item")),
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_table("warranty_item")
