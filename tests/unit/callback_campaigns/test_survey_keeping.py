"""Answers are kept in order and for certain; a line is always said somehow."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from callback_campaigns.domain.survey_words import Line
from callback_campaigns.ledger import Ledger
from callback_campaigns.ports import CannotSpeak, Sound
from callback_campaigns.survey_voice import SurveyVoice
from kernel.errors import Conflict
from tests.support.waiting import eventually

pytestmark = pytest.mark.unit

QUICK = timedelta(milliseconds=20)


class TestLedger:
    async def test_entries_are_kept_in_their_order_however_often_one_fails(self) -> None:
        kept: list[int] = []
        fails = 2

        async def entry(number: int) -> None:
            nonlocal fails
            if number == 1 and fails:
                fails -= 1
                raise ConnectionError("database is locked")
            kept.append(number)

        ledger = Ledger(patience=QUICK)
        for number in range(1, 4):
            await ledger.keep("answer", lambda number=number: entry(number))  # type: ignore[misc]
        await eventually(lambda: kept == [1, 2, 3])
        assert await ledger.settled(timedelta(seconds=20))

    async def test_the_customer_does_not_wait_for_a_slow_database(self) -> None:
        free = asyncio.Event()

        async def slow() -> None:
            await free.wait()

        ledger = Ledger(patience=QUICK)
        await ledger.keep("answer", slow)
        assert ledger.writer is not None
        free.set()
        assert await ledger.settled(timedelta(seconds=20))

    async def test_what_is_refused_for_good_holds_up_nothing(self) -> None:
        kept: list[str] = []

        async def refused() -> None:
            raise Conflict("the talk has ended")

        async def fine() -> None:
            kept.append("fine")

        ledger = Ledger(patience=timedelta(seconds=20))
        await ledger.keep("answer", refused)
        await ledger.keep("end", fine)
        assert kept == ["fine"]

    async def test_after_a_time_it_gives_up_and_says_so(self) -> None:
        async def never() -> None:
            raise ConnectionError("no database")

        ledger = Ledger(patience=timedelta(seconds=20), give_up=QUICK)
        await ledger.keep("answer", never)
        assert ledger.writer is None

    async def test_an_entry_outlives_the_call_that_is_cut(self) -> None:
        free, kept = asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            await free.wait()
            kept.set()

        ledger = Ledger(patience=timedelta(seconds=20))
        call = asyncio.create_task(ledger.keep("answer", slow))
        await eventually(lambda: ledger.writer is not None)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        free.set()
        await eventually(kept.is_set)


class Voice:
    """Speaks what it knows, at the paces it knows."""

    def __init__(self, *known: tuple[str, bool]) -> None:
        self.known = set(known)

    async def speak(
        self, text: str, *, slow: bool = False, passing: bool = False, within: timedelta | None = None
    ) -> Sound:
        if (text, slow) not in self.known:
            raise CannotSpeak(text)
        return Sound(Path(f"{text}{'-slow' if slow else ''}"), timedelta(seconds=1))


class TestVoice:
    LINE = Line("王先生您好", "您好")

    @pytest.mark.parametrize(
        ("known", "said"),
        [
            ([("王先生您好", True), ("您好", True)], "王先生您好-slow"),
            ([("您好", True), ("王先生您好", False)], "您好-slow"),
            ([("您好", False)], "您好"),
        ],
    )
    async def test_the_name_is_left_out_before_the_pace_is_given_up(
        self, known: list[tuple[str, bool]], said: str
    ) -> None:
        (sound,) = await SurveyVoice(Voice(*known)).sounds([self.LINE], slow=True)
        assert str(sound.path) == said

    async def test_without_any_audio_it_says_so(self) -> None:
        with pytest.raises(CannotSpeak):
            await SurveyVoice(Voice()).sounds([self.LINE], slow=False)

    async def test_both_wordings_are_made_ahead(self) -> None:
        voice = SurveyVoice(Voice(("王先生您好", False), ("您好", False)))
        assert await voice.make([self.LINE])
        assert not await SurveyVoice(Voice(("您好", False))).make([self.LINE])
