"""``/api/v1/listenings``: supervisors listen to calls, whisper, barge in, take over."""

from pydantic import BaseModel, ConfigDict, Field

from telephony.domain.listening import ListeningEnd, Mode
from telephony.listenings import Listenings
from web.api.operation import Call, operation
from web.api.v1.schemas import NoQuery, Out, SiteTime
from web.deps import DEPS
from web.own_phone import idle_number
from web.permissions import Permission

TAG = "supervision"
LISTENING = (("listening_id", "The listening's ULID."),)


class ListeningBegin(BaseModel):
    """How a supervisor wants to be with a call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode = Mode.LISTEN


class ListeningMode(BaseModel):
    """What the supervisor goes over to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode


class ListeningOut(Out):
    """A supervisor on a call."""

    listening_id: str
    call_id: str
    agent_number: str | None = Field(description="Whose call it was when it began.")
    listener_number: str = Field(description="The supervisor's own telephone.")
    by: str
    mine: bool = Field(default=False, description="It is yours.")
    wanted: Mode | None = Field(description="What was asked for; `null`: to leave.")
    now: Mode | None = Field(
        description="What the telephone system does; `null` until the telephone is answered, while nobody of "
        "ours talks, and while nobody may listen because a card number is said."
    )
    began_at: SiteTime
    answered_at: SiteTime | None
    taken_at: SiteTime | None
    ended_at: SiteTime | None
    ended_why: ListeningEnd | None


class ListeningList(Out):
    """Who listens now."""

    items: tuple[ListeningOut, ...]


def listenings_of(call: Call[NoQuery]) -> Listenings:
    """Return the service."""
    deps = call.request.app[DEPS]
    return Listenings(deps.database, deps.clock, deps.bus)


def _out(call: Call[NoQuery], view: object) -> ListeningOut:
    found = ListeningOut.model_validate(view)
    return found.model_copy(update={"mine": getattr(view, "by_id", "") == call.actor.user_id})


@operation(
    query=NoQuery,
    response=ListeningOut,
    permission=Permission.CALLS_LISTEN,
    body=ListeningBegin,
    summary="Listen to a call, whisper, barge in or take it over",
    description=(
        "Rings the supervisor's own telephone (in the browser, or on the desk) and puts it on the call. One "
        "at a time for each supervisor (`listens_already`), one who takes a call over (`call_taken_over`); a "
        "call in which no agent talks cannot be listened to (`call_not_listenable`). On the telephone the "
        "keys 4, 5 and 6 listen, whisper and barge in. Ends with the call; when the call goes to another "
        "agent, with them. Each begin, change and end is in the audit log and in the call's time line."
    ),
    tag=TAG,
    path_parameters=(("call_id", "The call's ULID."),),
    status=201,
)
async def begin_listening(call: Call[NoQuery]) -> ListeningOut:
    """Begin."""
    number = await idle_number(call.request)
    call_id, mode = call.request.match_info["call_id"], call.body(ListeningBegin).mode
    return _out(call, await listenings_of(call).begin(call.actor, call_id, number, mode))


@operation(
    query=NoQuery,
    response=ListeningList,
    permission=Permission.CALLS_LISTEN,
    summary="List the supervisors who are on calls now",
    tag=TAG,
)
async def list_listenings(call: Call[NoQuery]) -> ListeningList:
    """Return the open ones."""
    found = await listenings_of(call).open_ones(call.actor)
    return ListeningList(items=tuple(_out(call, one) for one in found))


@operation(
    query=NoQuery,
    response=ListeningOut,
    permission=Permission.CALLS_LISTEN,
    body=ListeningMode,
    summary="Go over to another mode without a new call",
    description=(
        "`take_over` connects the supervisor with the customer and lets the agent go to their wrap-up; "
        "another supervisor who wants the same is refused with `call_taken_over`."
    ),
    tag=TAG,
    path_parameters=LISTENING,
)
async def change_listening(call: Call[NoQuery]) -> ListeningOut:
    """Change the mode."""
    listening_id, mode = call.request.match_info["listening_id"], call.body(ListeningMode).mode
    return _out(call, await listenings_of(call).change(call.actor, listening_id, mode))


@operation(
    query=NoQuery,
    response=ListeningOut,
    permission=Permission.CALLS_LISTEN,
    summary="Stop listening",
    description="The supervisor's telephone is hung up. One that is over stays as it ended.",
    tag=TAG,
    path_parameters=LISTENING,
)
async def leave_listening(call: Call[NoQuery]) -> ListeningOut:
    """End it."""
    listening_id = call.request.match_info["listening_id"]
    return _out(call, await listenings_of(call).leave(call.actor, listening_id))


ROUTES = (
    ("POST", "/calls/{call_id}/listenings", begin_listening),
    ("GET", "/listenings", list_listenings),
    ("POST", "/listenings/{listening_id}/mode", change_listening),
    ("POST", "/listenings/{listening_id}/end", leave_listening),
)
