"""Lists of campaigns among the imports; the indexes that campaigns choose tasks by."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

COLUMNS = ["level", "window_end", "call_at", "id", "kind", "channel", "campaign_id"]
READY_WAS = sa.text("status = 'ready'")
READY = sa.text("status || '' = 'ready'")
APPOINTED = sa.text("status || '' = 'ready' AND appointed")


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("import_job", sa.Column("campaign_id", sa.String(length=26), nullable=True))
    op.create_index("ix_import_job_campaign_id", "import_job", ["campaign_id", "uploaded_at"])
    op.drop_index("ix_callback_task_ready", "callback_task")
    _ready(READY)
    op.create_index(
        "ix_callback_task_appointed",
        "callback_task",
        ["call_at", "id"],
        sqlite_where=APPOINTED,
        postgresql_where=APPOINTED,
    )


def downgrade() -> None:
    """Take the schema back to the one before."""
    op.drop_index("ix_callback_task_appointed", "callback_task")
    op.drop_index("ix_callback_task_ready", "callback_task")
    _ready(READY_WAS)
    op.drop_index("ix_import_job_campaign_id", "import_job")
    with op.batch_alter_table("import_job") as batch:
        batch.drop_column("campaign_id")


def _ready(where: sa.TextClause) -> None:
    op.create_index(
        "ix_callback_task_ready", "callback_task", COLUMNS, sqlite_where=where, postgresql_where=where
    )
