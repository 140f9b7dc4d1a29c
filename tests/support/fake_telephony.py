"""Telephony as the pages see it, in memory: a history of calls and a board that a test fills."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from kernel.business_time import SHANGHAI
from kernel.clock import Clock
from kernel.errors import NotFound
from telephony.board_views import (
    AgentView,
    AlertView,
    BoardView,
    Figures,
    LiveCallView,
    QueueView,
    TrendPoint,
)
from telephony.domain.service_level import day_start
from telephony.views import CallFilter, CallView, LegView, Page, TimelineEntry


class History:
    """Calls in memory, under the interface of ``telephony.history.CallHistory``."""

    def __init__(self) -> None:
        self.calls: dict[str, CallView] = {}

    async def page(
        self, filters: CallFilter, *, cursor: str | None = None, limit: int = 50
    ) -> Page[CallView]:
        found = [
            call
            for call in sorted(self.calls.values(), key=lambda call: call.call_id, reverse=True)
            if (cursor is None or call.call_id < cursor)
            and (filters.queue is None or call.queue == filters.queue)
            and (filters.result is None or call.result == filters.result)
            and (filters.since is None or call.started_at >= filters.since)
            and (filters.until is None or call.started_at < filters.until)
            and (filters.number is None or filters.number in call.from_number)
        ]
        rest = found[limit:]
        return Page(items=tuple(found[:limit]), next_cursor=found[limit - 1].call_id if rest else None)

    async def get(self, call_id: str) -> CallView:
        if call_id not in self.calls:
            raise NotFound("no such call", field="call_id")
        return self.calls[call_id]

    async def many(self, call_ids: Sequence[str]) -> dict[str, CallView]:
        return {one: self.calls[one] for one in call_ids if one in self.calls}


FIGURES = Figures(
    offered=33,
    answered=30,
    abandoned=3,
    short_abandoned=1,
    within=26,
    counted=32,
    service_level=0.8125,
    asa_seconds=14.2,
    handled=28,
    aht_seconds=245.0,
    occupancy=0.71,
)


class FakeBoard:
    """A board that a test fills. It is as of now, unless ``frozen_at`` says otherwise."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.stale = False
        self.frozen_at: datetime | None = None
        self.queues: list[QueueView] = []
        self.agents: list[AgentView] = []
        self.calls: list[LiveCallView] = []
        self.trend: list[TrendPoint] = []
        self.alerts: list[AlertView] = []

    def snapshot(self) -> BoardView:
        return BoardView(
            as_of=self.frozen_at or self._clock.now(),
            stale=self.stale,
            formula="net_of_short",
            total=FIGURES,
            queues=tuple(self.queues),
            agents=tuple(self.agents),
            calls=tuple(self.calls),
            links=(),
            day_from=self._day_from(),
            handling_as_of=self.frozen_at or self._clock.now(),
            trend=tuple(self.trend),
            alerts=tuple(self.alerts),
            alert_sound=True,
        )

    def _day_from(self) -> datetime:
        return day_start(self._clock.now(), SHANGHAI).astimezone(UTC)

    def add_alert(self, queue: str, kind: str, *, limit: int, value: int, seconds: float) -> None:
        """Add a limit that has been crossed for so many seconds."""
        self.alerts.append(
            AlertView(queue=queue, kind=kind, limit=limit, value=value, since=self._ago(seconds))
        )

    def add_half_hour(self, hours: float, offered: int, answered: int) -> None:
        """Add half an hour that began so many hours after midnight; one in ten waited too long."""
        self.trend.append(
            TrendPoint(
                at=self._day_from() + timedelta(hours=hours),
                offered=offered,
                answered=answered,
                abandoned=offered - answered,
                short_abandoned=0,
                within=answered * 9 // 10,
                counted=offered,
            )
        )

    def _ago(self, seconds: float) -> datetime:
        return self._clock.now() - timedelta(seconds=seconds)

    def add_queue(self, name: str, *, waiting: int = 0, longest: float | None = None) -> None:
        """Add a queue; ``longest``: how many seconds its first caller has waited."""
        figures = {name: getattr(FIGURES, name) for name in Figures.__slots__}
        self.queues.append(
            QueueView(
                **figures,
                name=name,
                label_zh=name,
                label_en=name,
                waiting=waiting,
                longest_since=None if longest is None else self._ago(longest),
                signed_in=3,
                available=1,
                on_call=1,
                as_of=self._clock.now(),
            )
        )

    def add_agent(
        self,
        agent_id: str,
        number: str,
        name: str,
        state: str,
        *,
        reason: str | None = None,
        seconds: float = 0.0,
        call_id: str | None = None,
        device: str | None = "NOT_INUSE",
    ) -> None:
        """Add an agent who has been in ``state`` for so many seconds."""
        self.agents.append(
            AgentView(
                agent_id=agent_id,
                number=number,
                name=name,
                state=state,
                reason=reason,
                since=self._ago(seconds),
                call_id=call_id,
                queue=None,
                next_state=None,
                queues=("complaint", "service"),
                device=device,
            )
        )

    def add_call(
        self,
        call_id: str,
        number: str,
        state: str,
        *,
        queue: str | None = None,
        agent: str | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Add a call that has been in ``state`` for so many seconds."""
        since = self._ago(seconds)
        self.calls.append(
            LiveCallView(
                call_id=call_id,
                node="pbx1",
                direction="in",
                from_number=number,
                to_number="01062668888",
                queue=queue,
                state=state,
                agent=agent,
                menu_path=("投诉",),
                started_at=since,
                queued_at=since if queue else None,
                answered_at=None,
                since=since,
            )
        )


def ringing_call(
    call_id: str,
    from_number: str,
    caller_name: str,
    queue: str,
    menu_path: tuple[str, ...],
    queued_at: datetime,
    now: datetime,
) -> CallView:
    started = queued_at - timedelta(seconds=15)
    return CallView(
        call_id=call_id,
        node="pbx1",
        direction="in",
        from_number=from_number,
        to_number="01062668888",
        from_name=caller_name,
        customer_id=None,
        queue=queue,
        agent=None,
        agent_id=None,
        state="ringing",
        result=None,
        menu_path=menu_path,
        started_at=started,
        queued_at=queued_at,
        answered_at=None,
        ended_at=None,
        wait_seconds=None,
        talk_seconds=0.0,
        hold_seconds=0.0,
        hangup_by=None,
        end_reason=None,
        cause=None,
        adopted=False,
        legs=(
            LegView(
                uniqueid="1.1",
                linkedid="1.1",
                channel="PJSIP/trunk-main-00000001",
                kind="caller",
                agent_number=None,
                number=from_number,
                started_at=started,
                answered_at=started,
                ended_at=None,
                cause=None,
            ),
            LegView(
                uniqueid="1.2",
                linkedid="1.1",
                channel="PJSIP/1001-00000002",
                kind="agent",
                agent_number="1001",
                number="1001",
                started_at=now,
                answered_at=None,
                ended_at=None,
                cause=None,
            ),
        ),
        timeline=(
            TimelineEntry(
                seq=1,
                at=started,
                kind="offered",
                channel="PJSIP/trunk-main-00000001",
                agent=None,
                queue=None,
                detail={"direction": "in", "from": from_number, "to": "01062668888"},
            ),
            TimelineEntry(
                seq=2,
                at=queued_at,
                kind="queued",
                channel="PJSIP/trunk-main-00000001",
                agent=None,
                queue=queue,
                detail={},
            ),
            TimelineEntry(
                seq=3,
                at=now,
                kind="ringing",
                channel="PJSIP/1001-00000002",
                agent="1001",
                queue=queue,
                detail={},
            ),
        ),
    )
