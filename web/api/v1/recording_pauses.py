"""``/api/v1/calls/…/recording``: nothing is recorded and no text made while a card number is said."""

import asyncio
from typing import Literal

from pydantic import Field

from telephony.recording_pauses import PauseEnd, PauseWhy, RecordingPauses, state_of
from web.api.operation import Call, operation
from web.api.v1.schemas import NoQuery, Out, SiteTime
from web.deps import DEPS
from web.identity import current_user
from web.permissions import Permission

TAG = "calls"
CALL = (("call_id", "The call's ULID."),)
DONE_WITHIN = 2.0
LOOKS_EVERY = 0.1


class RecordingPause(Out):
    """One pause of a call's recording."""

    pause_id: str
    by: str = Field(description="Who began it; `card-watch` for one that began by itself.")
    why: PauseWhy
    began_at: SiteTime
    until: SiteTime = Field(description="It ends by itself then.")
    muted_at: SiteTime | None = Field(description="When the telephone system had done it.")
    ended_at: SiteTime | None
    ended_by: str | None
    ended_why: PauseEnd | None


class RecordingState(Out):
    """Whether a call is being recorded, as far as pauses go."""

    call_id: str
    state: Literal["running", "pausing", "paused"] = Field(
        description="`pausing`: asked for, and the telephone system has not answered yet."
    )
    pauses: tuple[RecordingPause, ...]


def _service(call: Call[NoQuery]) -> RecordingPauses:
    deps = call.request.app[DEPS]
    return RecordingPauses(deps.database, deps.clock, deps.bus, longest=deps.settings.recording_pause)


async def _state(call: Call[NoQuery], call_id: str) -> RecordingState:
    agent_id = current_user(call.request).agent_id
    pauses = await _service(call).of_call(call.actor, call_id, agent_id=agent_id)
    return RecordingState(
        call_id=call_id,
        state=state_of(pauses),
        pauses=tuple(RecordingPause.model_validate(one) for one in pauses),
    )


@operation(
    query=NoQuery,
    response=RecordingState,
    permission=Permission.CALLS_VIEW,
    summary="Tell whether a call's recording is paused",
    description="For the call's own agent, and who may hear every call.",
    tag=TAG,
    path_parameters=CALL,
)
async def recording_state(call: Call[NoQuery]) -> RecordingState:
    """Return the state."""
    return await _state(call, call.request.match_info["call_id"])


@operation(
    query=NoQuery,
    response=RecordingState,
    permission=Permission.CALLS_VIEW,
    summary="Pause a call's recording and its text",
    description=(
        "For the call's own agent, and who may hear every call. It ends by itself after a while "
        "(`recording_pause.seconds`), with the call and when another agent has it. Asked again it lasts "
        "longer. The recording is silent meanwhile and keeps its time."
    ),
    tag=TAG,
    path_parameters=CALL,
)
async def pause_recording(call: Call[NoQuery]) -> RecordingState:
    """Begin a pause; answer when the recording is silent, or after two seconds."""
    call_id, agent_id = call.request.match_info["call_id"], current_user(call.request).agent_id
    await _service(call).pause(call.actor, call_id, agent_id=agent_id)
    for _ in range(round(DONE_WITHIN / LOOKS_EVERY)):
        found = await _state(call, call_id)
        if found.state == "paused":
            break
        await asyncio.sleep(LOOKS_EVERY)
    return found


@operation(
    query=NoQuery,
    response=RecordingState,
    permission=Permission.CALLS_VIEW,
    summary="Go on with a call's recording and its text",
    description="For the call's own agent, and who may hear every call.",
    tag=TAG,
    path_parameters=CALL,
)
async def resume_recording(call: Call[NoQuery]) -> RecordingState:
    """End the pause."""
    call_id, agent_id = call.request.match_info["call_id"], current_user(call.request).agent_id
    await _service(call).resume(call.actor, call_id, agent_id=agent_id)
    return await _state(call, call_id)


ROUTES = (
    ("GET", "/calls/{call_id}/recording", recording_state),
    ("POST", "/calls/{call_id}/recording/pause", pause_recording),
    ("POST", "/calls/{call_id}/recording/resume", resume_recording),
)
