"""The pages: server-rendered, a file per screen. ``setup(app)`` adds them all."""

from aiohttp import web

from web.pages import account, agent, callbacks, calls, customer, notices, search, shell, sign_in, supervisor


def setup(app: web.Application) -> None:
    """Add templates, static files and every page."""
    shell.setup(app)
    sign_in.setup(app)
    account.setup(app)
    agent.setup(app)
    supervisor.setup(app)
    calls.setup(app)
    callbacks.setup(app)
    customer.setup(app)
    notices.setup(app)
    search.setup(app)
