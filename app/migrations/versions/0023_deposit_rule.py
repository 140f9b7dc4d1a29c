"""Engineering hears of deposits that are too small, where the rule is still as it was first shipped."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

CODE = "deposit.short"
FIRST = ["role:finance", "role:manager"]
SHIPPED = ["role:finance", "department:ENG", "role:manager"]
RULE = sa.table(
    "notice_rule",
    sa.column("code", sa.String),
    sa.column("recipients", sa.JSON),
    sa.column("version", sa.Integer),
)


def upgrade() -> None:
    """Bring the schema to this revision."""
    _change(FIRST, SHIPPED)


def downgrade() -> None:
    """Take the schema back to the one before."""
    _change(SHIPPED, FIRST)


def _change(before: list[str], after: list[str]) -> None:
    connection = op.get_bind()
    row = connection.execute(sa.select(RULE).where(RULE.c.code == CODE)).first()
    # Whoever changed the rule meant it so: a change moves its version.
    if row is not None and row.version == 1 and list(row.recipients) == before:
        connection.execute(sa.update(RULE).where(RULE.c.code == CODE).values(recipients=after))
