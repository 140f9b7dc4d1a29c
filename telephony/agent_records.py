"""Agents' state machines in SQL: locked, loaded and written in bulk.

A step of an agent is small and there are many of them (five to a call), so they are taken together and
written with a handful of statements, however many agents they concern. The statements are made once: making
one costs more than running it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Table, and_, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from kernel.ids import new_ulid
from telephony.agent_tables import AgentRow, AgentSessionRow, AgentStateLogRow, WrapUpRow
from telephony.domain.agent import Agent
from telephony.domain.agent_state import AgentPolicy, AgentState, Leg, Status, WrapUp
from telephony.domain.agent_steps import Effect, EndWrapUp, OpenWrapUp, PublishState, StartWrapUp

Row = dict[str, Any]


def table_of(cls: type[Any]) -> Table:
    """Return the table of a mapped class; a statement of its columns needs no mapping."""
    table = cls.__table__
    assert isinstance(table, Table)
    return table


AGENT, SESSION = table_of(AgentRow), table_of(AgentSessionRow)
SESSION_COLUMNS = tuple(column.name for column in SESSION.columns)
STATE_LOG, WRAP_UP = table_of(AgentStateLogRow), table_of(WrapUpRow)

_KEYS: BindParameter[Any] = bindparam("keys", expanding=True)
# Those who work here no more are found by id only, so that what they began can end.
_BY_ID: ColumnElement[bool] = AGENT.c.agent_id.in_(_KEYS)
_BY_NUMBER: ColumnElement[bool] = and_(AGENT.c.number.in_(_KEYS), AGENT.c.active)
_HELD = (
    select(AGENT.c.number, AGENT.c.name, AGENT.c.active, SESSION)
    .join(SESSION, SESSION.c.agent_id == AGENT.c.agent_id)
    .order_by(AGENT.c.agent_id)
    .with_for_update(of=SESSION)
)
_HOLD = {True: _HELD.where(_BY_NUMBER), False: _HELD.where(_BY_ID)}
_WITHOUT_SESSION = (
    select(AGENT.c.agent_id)
    .outerjoin(SESSION, SESSION.c.agent_id == AGENT.c.agent_id)
    .where(SESSION.c.agent_id.is_(None))
)
_MISSING = {True: _WITHOUT_SESSION.where(_BY_NUMBER), False: _WITHOUT_SESSION.where(_BY_ID)}
_STORE = (
    SESSION.update()
    .where(SESSION.c.agent_id == bindparam("of_agent"))
    .values({name: bindparam(name) for name in SESSION_COLUMNS if name != "agent_id"})
)
_CLOSE_LOG = (
    STATE_LOG.update()
    .where(STATE_LOG.c.agent_id == bindparam("of_agent"), STATE_LOG.c.ended_at.is_(None))
    .values(ended_at=bindparam("until"))
)
_OPEN_LOG = STATE_LOG.insert()


@dataclass(slots=True)
class Held:
    """One agent under lock: the machine, and what is to be written of its steps.

    Attributes:
        stored: the session's row as it is in the database.
    """

    number: str
    name: str
    active: bool
    stored: Row
    agent: Agent
    _entered: list[Row] = field(default_factory=list)
    _wrap_ups: dict[str, Row] = field(default_factory=dict)
    _timers: dict[str, Row] = field(default_factory=dict)

    def record(self, effects: Iterable[Effect], *, at: datetime) -> None:
        """Note what the effects say about the state log and the wrap-ups."""
        for effect in effects:
            match effect:
                case OpenWrapUp(call_id, queue):
                    self._wrap_up(call_id, queue, at)
                case StartWrapUp(call_id, queue, deadline):
                    self._wrap_up(call_id, queue, at)
                    self._timers[call_id] = {"started_at": at, "ended_at": None, "due_at": deadline}
                case EndWrapUp(call_id):
                    self._wrap_up(call_id, None, at)
                    started = self._timers.get(call_id, {}).get("started_at")
                    self._timers[call_id] = {"started_at": started, "ended_at": at, "due_at": None}
                case PublishState(status, True):
                    self._enter(status, at)
                case _:
                    pass

    def _wrap_up(self, call_id: str, queue: str | None, at: datetime) -> None:
        known = self._wrap_ups.setdefault(call_id, {"queue": queue, "taken_at": at})
        known["queue"] = known["queue"] or queue

    def _enter(self, status: Status, at: datetime) -> None:
        if self._entered:
            self._entered[-1]["ended_at"] = at
        self._entered.append(
            {
                "entry_id": new_ulid(),
                "agent_id": self.agent.agent_id,
                "state": status.state.value,
                "reason": status.reason,
                "call_id": status.call_id,
                "queue": status.queue,
                "started_at": at,
                "ended_at": None,
            }
        )

    def changes(self, now: datetime) -> Row | None:
        """Return the session's row as it must be stored, ``None`` when it is stored so already."""
        row = _row_of(self.agent)
        if all(self.stored[key] == value for key, value in row.items()):
            return None
        row["signed_in_at"], row["heartbeat_at"] = self.stored["signed_in_at"], self.stored["heartbeat_at"]
        if not self.agent.signed_in:
            row["signed_in_at"] = row["heartbeat_at"] = None
        elif not self.stored["signed_in"]:
            row["signed_in_at"], row["heartbeat_at"] = now, None
        row["version"] = self.stored["version"] + 1
        return row

    def log_rows(self) -> list[Row]:
        """Return the new stretches of the agent's day, in order."""
        return self._entered

    def wrap_up_rows(self) -> list[Row]:
        """Return the calls that the agent took, with no word about timers."""
        return [self._wrap_up_row(call_id) for call_id in self._wrap_ups if call_id not in self._timers]

    def timer_rows(self) -> list[Row]:
        """Return the wrap-ups that began or ended."""
        return [self._wrap_up_row(call_id) | timer for call_id, timer in self._timers.items()]

    def _wrap_up_row(self, call_id: str) -> Row:
        known = self._wrap_ups[call_id]
        return {
            "call_id": call_id,
            "agent_id": self.agent.agent_id,
            "notes": "",
            "tries": 0,
            **known,
        }


async def hold_agents(
    session: AsyncSession,
    keys: Collection[str],
    *,
    by_number: bool,
    policy: AgentPolicy,
    now: datetime,
) -> list[Held]:
    """Load agents for a step, locked against other steps until the transaction ends, by id.

    Args:
        keys: the agents' ids (or numbers, with ``by_number``); unknown ones are left out.
    """
    query, chosen = _HOLD[by_number], {"keys": list(keys)}
    found = (await session.execute(query, chosen)).mappings().all()
    if len(found) < len(keys):
        missing = (await session.execute(_MISSING[by_number], chosen)).scalars().all()
        if missing:
            new = [_first_session(agent_id, now) for agent_id in missing]
            await session.execute(_insert(_dialect(session), SESSION).on_conflict_do_nothing(), new)
            found = (await session.execute(query, chosen)).mappings().all()
    return [
        Held(row["number"], row["name"], row["active"], dict(row), _machine(row["number"], row, policy))
        for row in found
    ]


async def store_agents(session: AsyncSession, held: Sequence[Held], *, now: datetime) -> dict[str, int]:
    """Write the machines and what they did; return agent id → version."""
    versions = {item.agent.agent_id: int(item.stored["version"]) for item in held}
    rows: list[Row] = []
    for item in held:
        row = item.changes(now)
        if row is not None:
            versions[item.agent.agent_id] = row["version"]
            rows.append({"of_agent": item.agent.agent_id, **row})
    if rows:
        await session.execute(_STORE, rows)
    await _store_log(session, held)
    wrap_ups = [row for item in held for row in item.wrap_up_rows()]
    if wrap_ups:
        await session.execute(_upsert_wrap_up(_dialect(session), timed=False), wrap_ups)
    timers = [row for item in held for row in item.timer_rows()]
    if timers:
        await session.execute(_upsert_wrap_up(_dialect(session), timed=True), timers)
    return versions


async def _store_log(session: AsyncSession, held: Sequence[Held]) -> None:
    entered = [item.log_rows() for item in held if item.log_rows()]
    if not entered:
        return
    ends = [{"of_agent": rows[0]["agent_id"], "until": rows[0]["started_at"]} for rows in entered]
    await session.execute(_CLOSE_LOG, ends)
    await session.execute(_OPEN_LOG, [row for rows in entered for row in rows])


def _dialect(session: AsyncSession) -> str:
    return session.get_bind().dialect.name


def _insert(dialect: str, table: Table) -> Any:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


@cache
def _upsert_wrap_up(dialect: str, *, timed: bool) -> Any:
    insert = _insert(dialect, WRAP_UP)
    new = insert.excluded
    changed: dict[str, Any] = {"queue": func.coalesce(WRAP_UP.c.queue, new.queue)}
    if timed:
        changed |= {
            "started_at": func.coalesce(new.started_at, WRAP_UP.c.started_at),
            "ended_at": new.ended_at,
            "due_at": new.due_at,
            "claimed_by": None,
            "claimed_until": None,
        }
    return insert.on_conflict_do_update(index_elements=["call_id", "agent_id"], set_=changed)


def _first_session(agent_id: str, now: datetime) -> Row:
    status = Status(state=AgentState.SIGNED_OUT, reason=None, call_id=None, queue=None, since=now)
    agent = Agent(agent_id=agent_id, number="", status=status)
    return {"agent_id": agent_id, "version": 0, **_row_of(agent)}


def _machine(number: str, row: Any, policy: AgentPolicy) -> Agent:
    wrap_up: WrapUp | None = None
    if row["wrap_up_call_id"] is not None and row["wrap_up_until"] is not None:
        wrap_up = WrapUp(
            call_id=row["wrap_up_call_id"], queue=row["wrap_up_queue"], until=row["wrap_up_until"]
        )
    status = Status(
        state=AgentState(row["state"]),
        reason=row["reason"],
        call_id=row["call_id"],
        queue=row["queue"],
        since=row["since"],
        next_state=AgentState(row["next_state"]) if row["next_state"] else None,
        next_reason=row["next_reason"],
    )
    return Agent(
        agent_id=row["agent_id"],
        number=number,
        status=status,
        signed_in=row["signed_in"],
        leaving=row["leaving"],
        pause_reason=row["pause_reason"],
        asleep=row["asleep"],
        legs=tuple(_leg_from(item) for item in row["legs"]),
        wrap_up=wrap_up,
        no_answers=row["no_answers"],
        policy=policy,
    )


def machine_of(person: AgentRow, session: AgentSessionRow, policy: AgentPolicy) -> Agent:
    """Build the state machine of a stored session, for reading."""
    return _machine(person.number, {key: getattr(session, key) for key in SESSION_COLUMNS}, policy)


def _row_of(agent: Agent) -> Row:
    status, wrap_up = agent.status, agent.wrap_up
    return {
        "signed_in": agent.signed_in,
        "leaving": agent.leaving,
        "pause_reason": agent.pause_reason,
        "asleep": agent.asleep,
        "legs": [_leg_to(leg) for leg in agent.legs],
        "wrap_up_call_id": wrap_up.call_id if wrap_up else None,
        "wrap_up_queue": wrap_up.queue if wrap_up else None,
        "wrap_up_until": wrap_up.until if wrap_up else None,
        "no_answers": agent.no_answers,
        "state": status.state.value,
        "reason": status.reason,
        "call_id": status.call_id,
        "queue": status.queue,
        "since": status.since,
        "next_state": status.next_state.value if status.next_state else None,
        "next_reason": status.next_reason,
    }


def _leg_from(item: Row) -> Leg:
    return Leg(
        leg=item["leg"],
        call_id=item["call_id"],
        queue=item["queue"],
        talking=item["talking"],
        since=datetime.fromisoformat(item["since"]),
        wrap_up=timedelta(seconds=item["wrap_up_seconds"]),
        saved=item["saved"],
        unanswered=item["unanswered"],
    )


def _leg_to(leg: Leg) -> Row:
    return {
        "leg": leg.leg,
        "call_id": leg.call_id,
        "queue": leg.queue,
        "talking": leg.talking,
        "since": leg.since.isoformat(),
        "wrap_up_seconds": leg.wrap_up.total_seconds(),
        "saved": leg.saved,
        "unanswered": leg.unanswered,
    }
