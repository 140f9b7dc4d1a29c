"""The book of questionnaires as handlers reach it: ``request.app[QUESTIONNAIRES]``."""

from aiohttp import web

from callback_campaigns.questionnaire_book import QuestionnaireBook
from web.crm_part import CRM
from web.deps import DEPS

QUESTIONNAIRES: web.AppKey[QuestionnaireBook] = web.AppKey("QUESTIONNAIRES", QuestionnaireBook)


def setup(app: web.Application) -> None:
    """Build the book from what the web shell was given."""
    deps = app[DEPS]
    app[QUESTIONNAIRES] = QuestionnaireBook(deps.database, deps.clock, app[CRM].journal)
