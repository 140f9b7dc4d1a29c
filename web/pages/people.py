"""The pages of customers, projects and imports, in the order in which their routes must stand."""

from aiohttp import web

from web.pages import customer, customer_edit, imports, projects


def setup(app: web.Application) -> None:
    """Add them all."""
    customer_edit.setup(app)  # before the customer's own: «new» is no id
    customer.setup(app)
    projects.setup(app)
    imports.setup(app)
