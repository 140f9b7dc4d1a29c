"""What the knowledge base says about what is being written down: shown beside the form while typing."""

from aiohttp import web

from crm.classification import suggest_class
from crm.knowledge_views import ArticleView
from web import labels
from web.crm_part import CRM
from web.identity import current_actor, current_user
from web.pages import case_words as words
from web.pages.shell import render
from web.permissions import Permission, requires

SHOWN = 4
LONGEST = 2000


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_post("/cases/new/advice", advise)


@requires(Permission.CASES_REGISTER)
async def advise(request: web.Request) -> web.StreamResponse:
    """Return articles that fit a text, as a part of a page. Posted, so that no address holds the text."""
    form = await request.post()
    text, kind = str(form.get("text", ""))[:LONGEST].strip(), str(form.get("kind", ""))
    number = kind.partition(".")[0]
    articles: tuple[ArticleView, ...] = ()
    if current_user(request).can(Permission.KNOWLEDGE_VIEW) and (text or number):
        articles = await request.app[CRM].knowledge.suggest(
            current_actor(request),
            text=text,
            class_code=int(number) if number.isascii() and number.isdigit() and len(number) < 3 else None,
            limit=SHOWN,
        )
    looks = suggest_class(current_actor(request), text) if text else None
    context: dict[str, object] = {"articles": articles, "looks": looks}
    if looks is not None:
        context |= {
            "nature": labels.word(words.NATURES, looks.nature.value),
            "urgency": labels.word(words.URGENCIES, looks.urgency.value),
            "answer": words.norm_text(looks.norm.answer),
            "solve": words.norm_text(looks.norm.solve),
        }
    return render(request, "cases/_advice.html", context)
