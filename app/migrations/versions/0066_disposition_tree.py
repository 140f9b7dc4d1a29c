"""Dispositions stand in a tree, are for some queues only, and say what else must be written."""

import sqlalchemy as sa
from alembic import op

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None

PARENT = "fk_disposition_parent_disposition"


def upgrade() -> None:
    """Bring the schema to this revision."""
    with op.batch_alter_table("disposition") as table:
        table.add_column(sa.Column("parent", sa.String(length=32)))
        table.add_column(sa.Column("queues", sa.JSON(none_as_null=True), server_default="[]", nullable=False))
        table.add_column(sa.Column("needs", sa.JSON(none_as_null=True), server_default="[]", nullable=False))
        table.add_column(sa.Column("version", sa.Integer(), server_default="1", nullable=False))
        table.create_foreign_key(op.f(PARENT), "disposition", ["parent"], ["code"])
    # Until now the page itself asked for the time of this one.
    op.execute("""UPDATE disposition SET needs = '["follow_up"]' WHERE code = 'call_back'""")


def downgrade() -> None:
    """Take the schema back to the one before."""
    with op.batch_alter_table("disposition") as table:
        table.drop_constraint(op.f(PARENT), type_="foreignkey")
        for name in ("version", "needs", "queues", "parent"):
            table.drop_column(name)
