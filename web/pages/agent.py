"""The agent's page and what it asks the server to do; what changes by it comes over the live connection."""

import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeVar

import pydantic
from aiohttp import web
from pydantic import BaseModel, ConfigDict, StringConstraints

from kernel.errors import Forbidden, NotFound
from kernel.phone import Phone
from telephony.domain.call import Direction
from telephony.domain.disposition import DispositionTree, Need
from telephony.recording_pauses import PauseView, RecordingPauses, state_of
from web import labels
from web.crm_part import CRM
from web.deps import DEPS
from web.dispositions import dispositions_of
from web.i18n import gettext
from web.identity import current_actor, current_user
from web.live import LIVE
from web.pages import timeline_words
from web.pages.callbacks import CALLBACKS
from web.pages.greeting import greeting_of
from web.pages.shell import ROSTER, render
from web.permissions import Permission, requires
from web.problems import FieldError, InvalidFields

Line = Annotated[str, StringConstraints(max_length=120, strip_whitespace=True)]
B = TypeVar("B", bound=BaseModel)
LATEST_CALL = timedelta(days=365)


def setup(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/agent", show)
    app.router.add_post("/agent/sign-in", sign_in)
    app.router.add_post("/agent/sign-out", sign_out)
    app.router.add_post("/agent/pause", pause)
    app.router.add_post("/agent/resume", resume)
    app.router.add_post("/agent/heartbeat", heartbeat)
    app.router.add_post("/agent/choice", choose)
    app.router.add_post("/agent/repeat-calls", called_again)
    app.router.add_put("/agent/drafts/{call_id}", save_draft)
    app.router.add_get("/agent/recordings/{call_id}", recording)
    app.router.add_post("/agent/wrap-ups/{call_id}", save_wrap_up)


class Body(BaseModel):
    """What a page sends; a field that is not known is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PauseWish(Body):
    """``reason``: a code from the list of pause reasons."""

    reason: Line


class Choice(Body):
    """Which of the customers on a number is calling; empty: none of them, ``null``: not decided."""

    call_id: Line
    customer_id: Annotated[str, StringConstraints(max_length=64)] | None


class RepeatCall(Body):
    """Which of the customer's open cases the call is about."""

    call_id: Line
    case_id: Annotated[str, StringConstraints(max_length=64)]


class Newcomer(Body):
    """What a caller whom nobody knows said of themselves."""

    name: Line = ""
    salutation: Line = ""
    address: Line = ""
    contract_no: Line = ""

    def as_line(self) -> str:
        """Return it as one line of the notes, in the language of the records; empty when nothing was said."""
        parts = (
            ("来电人：", f"{self.name}{self.salutation}" if self.name else ""),
            ("地址：", self.address),
            ("合同号：", self.contract_no),
        )
        return "；".join(label + value for label, value in parts if value)


class Form(Body):
    """The wrap-up form, as a draft or for good.

    Attributes:
        follow_up: when the customer is to be called back, by the site's clock.
    """

    disposition: Annotated[str, StringConstraints(max_length=32)] | None = None
    notes: Annotated[str, StringConstraints(max_length=1500)] = ""
    newcomer: Newcomer = Newcomer()
    follow_up: Annotated[str, StringConstraints(pattern=r"^(\d{4}-\d\d-\d\dT\d\d:\d\d)?$")] | None = None

    @property
    def all_notes(self) -> str:
        """The notes as they are stored, in the language of the records."""
        agreed = f"约定回电：{self.follow_up.replace('T', ' ')}" if self.follow_up else ""
        return "\n".join(part for part in (self.newcomer.as_line(), agreed, self.notes.strip()) if part)


async def read_body(request: web.Request, model: type[B]) -> B:
    """Return what a page sent. Raises InvalidFields."""
    try:
        return model.model_validate_json(await request.read())
    except pydantic.ValidationError as error:
        raise InvalidFields(
            tuple(
                FieldError(".".join(str(part) for part in item["loc"]) or "body", item["msg"])
                for item in error.errors()
            )
        ) from error


def _agent_id(request: web.Request) -> str:
    agent_id = current_user(request).agent_id
    if agent_id is None:
        raise Forbidden("this user takes no calls")
    return agent_id


def _done() -> web.Response:
    return web.Response(status=204)


@requires(Permission.DESK_USE)
async def show(request: web.Request) -> web.StreamResponse:
    """Show the page; its state comes over the live connection."""
    roster = request.app[ROSTER]
    agent = await roster.agent(_agent_id(request))
    reasons, all_reasons = await roster.pause_reasons(), await roster.pause_reasons(all_of_them=True)
    tree = await dispositions_of(request.app).tree()
    texts = {
        "states": labels.words(labels.AGENT_STATES),
        "queues": labels.queue_names(await roster.queues()),
        "pause_reasons": labels.choices(all_reasons),
        "dispositions": labels.disposition_names(tree),
        "results": labels.words(labels.CALL_RESULTS),
        "directions": labels.words(labels.DIRECTIONS),
        "contact_kinds": labels.words(timeline_words.KINDS),
        "contact_results": {kind: labels.words(table) for kind, table in timeline_words.RESULTS.items()},
        "stages": labels.words(labels.STAGES),
        "case_kinds": labels.words(labels.CASE_KINDS),
        "case_statuses": labels.words(labels.CASE_STATUSES),
        "crew_statuses": labels.words(labels.CREW_STATUSES),
        "salutations": labels.words(labels.SALUTATIONS),
        "problems": labels.words(labels.PROBLEMS),
        "list_comma": gettext("、"),
    }
    context = {
        "page": {"labels": texts},
        "pause_reasons": labels.choices(reasons),
        "dispositions": _offered(tree),
        "greeting": greeting_of(request),
        "browser_phone": agent.browser_phone,
        "may_choose_phone": request.app[DEPS].softphone is not None,
    }
    return render(request, "agent.html", context)


def _offered(tree: DispositionTree) -> list[dict[str, Any]]:
    """Return what an agent picks from, in its order, with the groups that it stands in."""
    names = labels.choices(item for item, _ in tree.walk())
    found = []
    for item, depth in tree.walk():
        queues = tree.queues(item.code)
        if tree.active(item.code) and queues != frozenset():
            found.append(
                {
                    "code": item.code,
                    "label": names[item.code],
                    "group": tree.is_group(item.code),
                    "depth": depth,
                    "queues": None if queues is None else " ".join(sorted(queues)),
                    "needs": " ".join(sorted(tree.needs(item.code))),
                }
            )
    return found


@requires(Permission.DESK_USE)
async def sign_in(request: web.Request) -> web.StreamResponse:
    """Join the agent's queues."""
    agent_id = _agent_id(request)
    desk = request.app[DEPS].desk
    await desk.sign_in(agent_id)
    await desk.heartbeat(agent_id)
    return _done()


@requires(Permission.DESK_USE)
async def sign_out(request: web.Request) -> web.StreamResponse:
    """Leave the queues, after the present call where there is one."""
    await request.app[DEPS].desk.sign_out(_agent_id(request))
    return _done()


@requires(Permission.DESK_USE)
async def pause(request: web.Request) -> web.StreamResponse:
    """Take a break, after the present call where there is one."""
    wish = await read_body(request, PauseWish)
    await request.app[DEPS].desk.pause(_agent_id(request), wish.reason)
    return _done()


@requires(Permission.DESK_USE)
async def resume(request: web.Request) -> web.StreamResponse:
    """Come back from a break, or take back the wish for one."""
    await request.app[DEPS].desk.unpause(_agent_id(request))
    return _done()


@requires(Permission.DESK_USE)
async def heartbeat(request: web.Request) -> web.StreamResponse:
    """Note that the page lives."""
    await request.app[DEPS].desk.heartbeat(_agent_id(request))
    return _done()


@requires(Permission.DESK_USE)
async def choose(request: web.Request) -> web.StreamResponse:
    """Note which customer is calling."""
    choice = await read_body(request, Choice)
    request.app[LIVE].pops.choose(_agent_id(request), choice.call_id, choice.customer_id)
    return _done()


@requires(Permission.CASES_REGISTER)
async def called_again(request: web.Request) -> web.StreamResponse:
    """Count the call on the page for one of the customer's open cases."""
    asked, agent_id, pops = await read_body(request, RepeatCall), _agent_id(request), request.app[LIVE].pops
    pops.check_offered(agent_id, asked.call_id, asked.case_id)
    await request.app[CRM].repeat_calls.note(current_actor(request), asked.case_id, call_id=asked.call_id)
    pops.called_about(agent_id, asked.call_id, asked.case_id)
    return _done()


@requires(Permission.DESK_USE)
async def recording(request: web.Request) -> web.StreamResponse:
    """Say whether the recording of the agent's call is paused, of a call that is not on record yet, too."""
    deps, agent_id, call_id = request.app[DEPS], _agent_id(request), request.match_info["call_id"]
    pauses: Sequence[PauseView] = ()
    if request.app[LIVE].pops.shows(agent_id, call_id):
        book = RecordingPauses(deps.database, deps.clock, deps.bus, longest=deps.settings.recording_pause)
        with contextlib.suppress(NotFound, Forbidden):
            pauses = await book.of_call(current_actor(request), call_id, agent_id=agent_id)
    return web.json_response({"call_id": call_id, "state": state_of(pauses)})


@requires(Permission.DESK_USE)
async def save_draft(request: web.Request) -> web.StreamResponse:
    """Keep what the agent has typed so far."""
    form = await read_body(request, Form)
    agent_id, call_id = _agent_id(request), request.match_info["call_id"]
    await request.app[DEPS].desk.save_draft(
        agent_id, call_id, disposition=form.disposition, notes=form.all_notes
    )
    request.app[LIVE].pops.draft_kept(agent_id, call_id)
    return _done()


@requires(Permission.DESK_USE)
async def save_wrap_up(request: web.Request) -> web.StreamResponse:
    """Save the disposition and end the wrap-up."""
    form = await read_body(request, Form)
    agent_id, call_id = _agent_id(request), request.match_info["call_id"]
    if not form.disposition:
        raise InvalidFields((FieldError("disposition", "choose what became of the call"),))
    needs = (await dispositions_of(request.app).tree()).needs(form.disposition)
    if Need.NOTES in needs and not form.notes.strip():
        raise InvalidFields((FieldError("notes", "this disposition wants notes"),))
    wish = await _wish(request, call_id, form) if Need.FOLLOW_UP in needs else None
    pops = request.app[LIVE].pops
    saved = await request.app[DEPS].desk.save_wrap_up(
        agent_id,
        call_id,
        disposition=form.disposition,
        notes=form.all_notes,
        customer_id=pops.chosen(agent_id, call_id),
    )
    if wish is not None:
        number, at = wish
        await request.app[CALLBACKS].create(
            call_id=call_id,
            phone=number,
            customer_id=saved.customer_id,
            reason=f"约定回电（{current_user(request).display_name}）",
            wanted_at=at,
        )
    pops.wrap_up_saved(agent_id, saved)
    return _done()


async def _wish(request: web.Request, call_id: str, form: Form) -> tuple[Phone, datetime] | None:
    """Return whom to call back and when.

    Raises:
        InvalidFields: it is not said, lies in the past or too far ahead, or there is no number.
        NotFound: no such call.
    """
    deps = request.app[DEPS]
    now, at = deps.clock.now(), None
    with contextlib.suppress(ValueError):
        at = datetime.fromisoformat(form.follow_up or "").replace(tzinfo=deps.settings.timezone)
    if at is None or not now < at <= now + LATEST_CALL:
        raise InvalidFields((FieldError("follow_up", "a time from now on, within a year"),))
    call = await deps.history.get(call_id)
    shown = call.to_number if call.direction == Direction.OUT.value else call.from_number
    number = Phone.parse_caller(shown)
    # Without a number there is nobody to call; what was agreed stands in the notes.
    return (number, at) if number is not None and number.dialable else None
