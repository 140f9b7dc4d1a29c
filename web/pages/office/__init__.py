"""Pages of departments, managers and the repair captain: what waits for them, and the forms to do it."""

from aiohttp import web

from web.pages.office import (
    approvals,
    captain,
    costs,
    escalations,
    files,
    inbox,
    lines,
    overdue,
    repair_sheet,
    shared,
    sheet,
)


def setup(app: web.Application) -> None:
    """Add the routes."""
    for part in (
        inbox,
        lines,
        sheet,
        repair_sheet,
        shared,
        files,
        overdue,
        escalations,
        approvals,
        costs,
        captain,
    ):
        part.setup(app)
