"""The pages of customers, projects, the company's own lists and imports, in the order their routes need."""

from aiohttp import web

from web.pages import (
    customer,
    customer_edit,
    customers,
    data_requests,
    duplicates,
    freezes,
    imports,
    legal_holds,
    organisation,
    projects,
    refusals,
)


def setup(app: web.Application) -> None:
    """Add them all."""
    customers.setup(app)
    customer_edit.setup(app)  # before the customer's own: «new» is no id
    customer.setup(app)
    duplicates.setup(app)
    freezes.setup(app)
    refusals.setup(app)
    data_requests.setup(app)
    legal_holds.setup(app)
    projects.setup(app)
    organisation.setup(app)
    imports.setup(app)
