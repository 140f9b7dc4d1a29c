"""Questionnaires from draft to version against a model: one text in the works, and a list of published ones.

The model: a draft may hold anything and is kept for everybody; it becomes the next version when it has no
mistakes, bears the questionnaire's own code and somebody says why. What was published never changes and is
asked until the next one. The first draft of a questionnaire cannot be thrown away. Whoever saw an older state
changes nothing.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import app.models  # noqa: F401 - every table
from callback_campaigns.domain.questionnaire_problems import QuestionnaireInvalid
from callback_campaigns.questionnaire_book import NoDraft, QuestionnaireBook
from callback_campaigns.questionnaire_sets import SHIPPED, shipped_text
from crm.journal import Journal
from kernel.access import Actor, Role
from kernel.audit import AuditLog
from kernel.clock import FakeClock
from kernel.db import Database
from kernel.errors import Conflict, Forbidden, Invalid, NotFound, StaleVersion
from kernel.ids import new_ulid
from tests.support.state_machines import run_on_sqlite

pytestmark = [pytest.mark.property, pytest.mark.timeout(400)]

MANAGER = Actor(user_id=new_ulid(), name="孟岚", role=Role.MANAGER)
AGENT = Actor(user_id=new_ulid(), name="李静", role=Role.AGENT)
PEOPLE = st.sampled_from([MANAGER, AGENT])
WORDS = st.sampled_from(["good", "other", "broken", "foreign", "nothing"])


@dataclass
class World:
    """One database for all examples: each works on a questionnaire of its own."""

    loop: asyncio.AbstractEventLoop
    clock: FakeClock
    book: QuestionnaireBook
    examples: int = 0


class DraftsOnTheirWay(RuleBasedStateMachine):
    """The real book on SQLite beside the model."""

    world: ClassVar[World]

    @initialize(good=st.booleans())
    def begin(self, good: bool) -> None:
        self.world.examples += 1
        first, second = divmod(self.world.examples, 26)
        self.code = chr(ord("Q") + first) + chr(ord("A") + second)
        self.draft: str | None = None
        self.versions: list[str] = []
        self.changes = 0
        if not good:
            with pytest.raises(QuestionnaireInvalid):
                self.run(self.world.book.begin(MANAGER, self.text("broken")))
        with pytest.raises(Forbidden):
            self.run(self.world.book.begin(AGENT, self.text("good")))
        self.run(self.world.book.begin(MANAGER, self.text("good")))
        self.draft, self.changes = "good", 1
        with pytest.raises(Conflict):
            self.run(self.world.book.begin(MANAGER, self.text("other")))

    def run(self, work: Any) -> Any:
        # A text that is saved as it was is a change as well: it was written at another moment.
        self.world.clock.advance(timedelta(seconds=1))
        return self.world.loop.run_until_complete(work)

    def text(self, kind: str) -> str:
        if kind == "nothing":
            return " "
        if kind == "foreign":
            return shipped_text("LW")
        mine = shipped_text("LW").replace("LW", self.code)
        return {"good": mine, "other": f"# anders\n{mine}", "broken": f"{mine}\nnonsense: 1\n"}[kind]

    def seen(self, stale: bool) -> int:
        return self.changes - (1 if stale else 0)

    @rule(who=PEOPLE, kind=WORDS, stale=st.booleans())
    def save(self, who: Actor, kind: str, stale: bool) -> None:
        try:
            view = self.run(
                self.world.book.save_draft(who, self.code, self.text(kind), expected=self.seen(stale))
            )
        except Forbidden:
            assert who is AGENT
        except Invalid:
            assert kind == "nothing"
        except StaleVersion:
            assert stale
        else:
            assert who is MANAGER and kind != "nothing" and not stale
            self.draft = kind
            self.changes += 1
            assert bool(view.problems) is (kind == "broken")

    @rule(who=PEOPLE, stale=st.booleans())
    def throw_away(self, who: Actor, stale: bool) -> None:
        try:
            self.run(self.world.book.discard_draft(who, self.code, expected=self.seen(stale)))
        except Forbidden:
            assert who is AGENT
        except StaleVersion:
            assert stale
        except NoDraft:
            assert self.draft is None or not self.versions
        else:
            assert who is MANAGER and not stale and self.draft is not None and self.versions
            self.draft = None
            self.changes += 1

    @rule(who=PEOPLE, stale=st.booleans(), why=st.sampled_from(["说法更自然", "  "]))
    def publish(self, who: Actor, stale: bool, why: str) -> None:
        try:
            self.run(self.world.book.publish(who, self.code, expected=self.seen(stale), why=why))
        except Forbidden:
            assert who is AGENT
        except QuestionnaireInvalid:
            assert self.draft in {"broken", "foreign"}
        except Invalid:
            assert not why.strip()
        except StaleVersion:
            assert stale
        except NoDraft:
            assert self.draft is None
        else:
            assert who is MANAGER and not stale and why.strip() and self.draft in {"good", "other"}
            self.versions.append(self.draft)
            self.draft = None
            self.changes += 1

    @invariant()
    def the_book_says_what_the_model_says(self) -> None:
        async def read() -> None:
            book = self.world.book
            view = await book.get(AGENT, self.code)
            assert (view.published, view.version) == (len(self.versions), self.changes)
            assert view.draft == (None if self.draft is None else self.text(self.draft))
            assert view.text == (self.text(self.versions[-1]) if self.versions else "")
            shown = await book.versions(AGENT, self.code)
            assert [(one.number, one.text) for one in shown] == [
                (number, self.text(kind)) for number, kind in reversed([*enumerate(self.versions, 1)])
            ]
            for number in range(len(self.versions) + 2):
                try:
                    found = await book.published(self.code, number or None)
                except NotFound:
                    assert not self.versions or number > len(self.versions)
                else:
                    assert found.number == (number or len(self.versions))
            asked = {one.code: one.number for one in await book.in_force()}
            assert asked.get(self.code, 0) == len(self.versions)
            assert set(SHIPPED) <= set(asked)

        if self.changes:
            self.run(read())


def test_questionnaires_are_drafted_and_published_as_the_model_says() -> None:
    clock = FakeClock(datetime(2026, 3, 2, 2, 0, tzinfo=UTC))

    def world(loop: asyncio.AbstractEventLoop, database: Database) -> World:
        return World(loop, clock, QuestionnaireBook(database, clock, Journal(AuditLog(database, clock))))

    run_on_sqlite(DraftsOnTheirWay, world, examples=12, steps=14)
