"""What may never happen to anybody who is called, held against what the customers themselves saw.

The rules are written here a second time, by hand. An attempt's id tells when it was born by the machine's
real clock, and each call that arrived was noted by it: so it is known which call was made of which attempt.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from sqlalchemy import select

from callback_campaigns.talk_tables import CallbackAnswerRow, CallbackTalkRow
from callback_campaigns.task_tables import CallbackTaskRow, DialAttemptRow
from crm.people_tables import DoNotCallNumber
from kernel.db import Database
from kernel.ids import ulid_time
from tests.support.fault_storm import SITE, ClockSet, Storm
from tests.support.tones import Said
from tests.support.town import SILENCE_SECONDS
from tests.support.town_people import FarCall

OPEN = ((time(9, 30), time(12)), (time(14), time(19, 30)))
APART = timedelta(minutes=20)
"""Calls to a number keep 30 minutes; the clock that they are kept by is wrong by up to five, either way."""
GRACE = 15.0
"""Seconds between the decision to call and the call: a line that breaks may deliver late."""
RANG = frozenset({"answered", "machine", "no_answer", "busy", "rejected", "off", "empty", "abandoned"})
PARTING = frozenset({Said.GOODBYE, Said.SORRY, Said.PARTING})
NEVER = (
    "attempt sent twice",
    "called while being called",
    "duplicate",
    "outside a window",
    "do not call",
    "called without an attempt",
    "never over",
    "answer lost",
    "refusal lost",
    "an outcome from nowhere",
    "talked and not known",
    "left without a word",
    "left in silence",
    "ended by itself",
)


@dataclass
class Verdict:
    """What happened, and what should not have."""

    attempts: int = 0
    calls: int = 0
    talked: int = 0
    keys_heeded: int = 0
    sorry: int = 0
    lost_with_the_exchange: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def blame(self, what: str, example: str) -> None:
        """Something happened that may not."""
        self.wrong[what] += 1
        if self.wrong[what] <= 5:
            self.examples.append(f"{what}: {example}")


@dataclass(frozen=True)
class Books:
    """What the database says in the end."""

    attempts: Sequence[DialAttemptRow]
    tasks: Mapping[str, str]
    answers: Mapping[tuple[str, str], set[str]]
    """Task and item → every value that was ever kept."""
    endings: Mapping[str, str | None]
    """Attempt → how its talk ended."""
    refused: frozenset[str]

    @classmethod
    async def read(cls, database: Database) -> "Books":
        """Read all of it."""
        answers: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        async with database.session() as session:
            rows = list(await session.scalars(select(DialAttemptRow)))
            for row in await session.scalars(select(CallbackAnswerRow)):
                answers[row.task_id, row.item_id].update(map(str, row.choices))
            talks = await session.execute(select(CallbackTalkRow.attempt_id, CallbackTalkRow.ending))
            endings = {attempt: ending for attempt, ending in talks if attempt is not None}
            tasks = await session.execute(select(CallbackTaskRow.id, CallbackTaskRow.status))
            refused = frozenset(await session.scalars(select(DoNotCallNumber.e164)))
            return cls(rows, {row.id: row.status for row in tasks}, answers, endings, refused)


class Clockwork:
    """Which time it was, by the world and by the machine, at a real moment."""

    def __init__(self, history: Sequence[ClockSet]) -> None:
        self._history = history
        self._since = [one.at for one in history]

    def true(self, at: float) -> float:
        """Return the time in the world: it passes quickly, but never jumps back."""
        return at + self._history[max(0, bisect_right(self._since, at) - 1)].true

    def machine(self, at: float) -> Iterable[datetime]:
        """Yield what the machine's clock said in the moments before."""
        first = max(0, bisect_right(self._since, at - GRACE) - 1)
        last = max(0, bisect_right(self._since, at) - 1)
        for number, one in enumerate(self._history[first : last + 1], first):
            ends = self._since[number + 1] if number + 1 <= last else at
            for moment in (max(one.at, at - GRACE), ends):
                yield datetime.fromtimestamp(moment + one.true + one.error, SITE)


async def judge(storm: Storm) -> Verdict:
    """Hold what the customers saw against what the database says."""
    books, verdict = await Books.read(storm.database), Verdict()
    calls = storm.town.calls
    verdict.attempts, verdict.calls = len(books.attempts), len(calls)
    verdict.talked = sum(call.talked for call in calls)
    verdict.lost_with_the_exchange = sum(call.lost for call in calls)
    verdict.sorry = sum(call.last is not None and call.last.said is Said.SORRY for call in calls)
    by_number: defaultdict[str, list[FarCall]] = defaultdict(list)
    for call in calls:
        by_number["+86" + call.number.removeprefix("+86")].append(call)
    rows: defaultdict[str, list[DialAttemptRow]] = defaultdict(list)
    for row in books.attempts:
        rows[row.number].append(row)
        verdict.outcomes[row.outcome or row.state] += 1
        if row.state != "ended":
            verdict.blame("never over", f"{row.id} {row.state}")
    for task_id, status in books.tasks.items():
        if status in {"dialling", "talking"}:
            verdict.blame("never over", f"task {task_id} {status}")
    clockwork = Clockwork(storm.history)
    for number in {*by_number, *rows}:
        mine = sorted(by_number[number], key=lambda call: call.at)
        _at_their_door(verdict, storm, clockwork, number, mine)
        _on_the_record(verdict, books, number, mine, sorted(rows[number], key=lambda row: row.id))
    if storm.ended_by_themselves:
        verdict.wrong["ended by itself"] = storm.ended_by_themselves
    return verdict


def _at_their_door(
    verdict: Verdict, storm: Storm, clockwork: Clockwork, number: str, calls: Sequence[FarCall]
) -> None:
    """Hold the calls to one number against what nobody may be done."""
    refused = storm.refused.get(number)
    for index, call in enumerate(calls):
        about = f"{number} call {index + 1} at {datetime.fromtimestamp(call.at, SITE):%H:%M:%S.%f}"
        before = calls[index - 1] if index else None
        if before is not None:
            if not before.lost and (before.ended_at is None or before.ended_at > call.at):
                verdict.blame("called while being called", about)
            if clockwork.true(call.at) - clockwork.true(before.at) < APART.total_seconds():
                verdict.blame("duplicate", about)
        said = list(clockwork.machine(call.at))
        if not any(_is_open(moment) for moment in said):
            verdict.blame("outside a window", f"{about}, the clock said {said[-1]:%a %H:%M:%S}")
        if refused is not None and call.at > refused + GRACE:
            verdict.blame("do not call", about)
        if any(press.heeded and press.prompt.said is Said.REFUSAL for press in call.presses):
            refused = min(refused or call.at, call.ended_at or call.at)
        if not call.talked or call.lost:
            continue
        if call.quiet >= SILENCE_SECONDS:
            verdict.blame("left in silence", about)
        elif call.ended_by == "far" and (call.last is None or call.last.said not in PARTING):
            verdict.blame("left without a word", f"{about}: {call.last and call.last.said}")


def _on_the_record(
    verdict: Verdict, books: Books, number: str, calls: Sequence[FarCall], rows: Sequence[DialAttemptRow]
) -> None:
    """Hold the calls to one number against the attempts and answers that were written down."""
    born = [ulid_time(row.id).timestamp() for row in rows]
    made: Counter[str] = Counter()
    for call in calls:
        index = bisect_right(born, call.at) - 1
        if index < 0:
            verdict.blame("called without an attempt", number)
            continue
        row = rows[index]
        made[row.id] += 1
        if made[row.id] > 1:
            verdict.blame("attempt sent twice", f"{number} {row.id}")
        _answers(verdict, books, row, call)
    for row in rows:
        if not made[row.id] and row.outcome in RANG:
            verdict.blame("an outcome from nowhere", f"{number} {row.id} {row.outcome}")


def _answers(verdict: Verdict, books: Books, row: DialAttemptRow, call: FarCall) -> None:
    heeded = [press for press in call.presses if press.heeded]
    verdict.keys_heeded += len(heeded)
    if heeded and row.outcome != "answered":
        verdict.blame("talked and not known", f"{row.number} {row.id} {row.outcome}")
    for press in heeded:
        prompt = press.prompt
        about = f"{row.number} {row.id} {' '.join(prompt.items) or prompt.said} {press.key}"
        match prompt.said:
            case Said.QUESTION:
                task = row.task_id or ""
                kept = {value for item in prompt.items for value in books.answers.get((task, item), ())}
                if prompt.keys[press.key] not in kept:
                    verdict.blame("answer lost", f"{about}: {sorted(kept)}")
            case Said.REFUSAL if row.number not in books.refused:
                verdict.blame("refusal lost", about)
            case Said.WHEN if books.endings.get(row.id) != "appointed":
                verdict.blame("answer lost", f"{about}: {books.endings.get(row.id)}")
            case _:
                pass


def _is_open(moment: datetime) -> bool:
    return moment.weekday() != 6 and any(since <= moment.time() < until for since, until in OPEN)
