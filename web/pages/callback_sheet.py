"""The completion sheet 完工回访单 of a callback that is over, printed for the file (domain.md §3.4)."""

from dataclasses import dataclass

from aiohttp import web

from callback_campaigns.domain.terms import CallbackType
from callback_campaigns.talk_access import hidden_items
from callback_campaigns.talk_store import Talk
from kernel.errors import NotFound
from web import labels
from web.callback_part import CALLBACKS
from web.deps import DEPS
from web.i18n import gettext
from web.identity import current_actor
from web.pages import callback_talk
from web.pages import callback_words as words
from web.pages.shell import DIRECTORY, render
from web.permissions import Permission, requires


@dataclass(frozen=True, slots=True)
class Line:
    """A question as it stands on the sheet."""

    asked: str
    said: str
    bad: bool


def setup(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/callback-tasks/{task_id}/sheet", show)


def has_sheet(kind: str, talk: Talk | None) -> bool:
    """Tell whether a callback has a sheet: one about the completed work, that somebody answered."""
    return (
        kind == CallbackType.COMPLETION and talk is not None and talk.ended is not None and bool(talk.answers)
    )


@requires(Permission.CALLBACKS_WORK)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the sheet."""
    actor, part, task_id = current_actor(request), request.app[CALLBACKS], request.match_info["task_id"]
    detail = await part.desk.get(actor, task_id)
    task, talk = detail.listed.task, await part.talks.of_task(task_id)
    if talk is None or not has_sheet(task.kind, talk):
        raise NotFound("no completed callback of the completed work", field="task_id")
    card = await request.app[DIRECTORY].card(task.customer_id)
    context = {
        "task": task,
        "talk": talk,
        "card": card,
        "listed": detail.listed,
        "project": next((one for one in card.projects if one.project_id == task.project_id), None),
        "lines": [_line(one) for one in callback_talk.questions(talk, card, hidden_items(talk, actor))],
        "verdict": labels.word(words.VERDICTS, talk.verdict.value) if talk.verdict else "–",
        "asked_by": labels.words(words.AUTHORS).get(talk.by, talk.by),
        "printed_by": actor.name,
        "printed_at": request.app[DEPS].clock.now(),
    }
    return render(request, "callbacks/sheet.html", context)


def _line(one: callback_talk.Question) -> Line:
    if one.secret:
        return Line(one.asked, gettext("涉及廉洁，另行保管"), False)
    inner = [under for choice in one.choices for under in (choice, *choice.under)]
    said = "、".join(choice.label for choice in inner if choice.value in one.answer.values)
    spoken = " ".join(voice.text for voice in one.voices if voice.text)
    said = said or one.answer.text or spoken or (gettext("有留言录音") if one.voices else "–")
    return Line(one.asked, f"{said}（{one.answer.reason}）" if one.answer.reason else said, one.bad)
