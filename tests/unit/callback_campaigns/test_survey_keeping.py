"""Answers are kept in order and for certain; a line is always said somehow."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from callback_campaigns.domain.questionnaire import Answer
from callback_campaigns.domain.survey_words import Line
from callback_campaigns.domain.talk import TalkEnding
from callback_campaigns.entries import Entry, EntryKind, EntrySpool
from callback_campaigns.ledger import Ledger
from callback_campaigns.ports import CannotSpeak, Sound
from callback_campaigns.survey_voice import SurveyVoice
from kernel.errors import Conflict
from tests.support.waiting import eventually
from tests.unit.callback_campaigns.times import at

pytestmark = pytest.mark.unit

QUICK = timedelta(milliseconds=20)
TALK = "01JNA000000000000000000001"
GOOD = Answer(values=("both_came",))


def entry(number: int) -> Entry:
    return Entry(kind=EntryKind.ANSWER, talk_id=TALK, by="ivr", item_id=f"KG{number}", answer=GOOD)


class Keeper:
    """Keeps entries, unless it is told to fail; or waits until it is free."""

    def __init__(self, *, fails: int = 0) -> None:
        self.kept: list[str] = []
        self.fails = fails
        self.free = asyncio.Event()
        self.free.set()

    async def keep(self, one: Entry) -> None:
        await self.free.wait()
        if self.fails:
            self.fails -= 1
            raise ConnectionError("database is locked")
        self.kept.append(one.item_id)


class TestLedger:
    async def test_entries_are_kept_in_their_order_however_often_one_fails(self, tmp_path: Path) -> None:
        keeper = Keeper(fails=2)
        ledger = Ledger(keeper.keep, EntrySpool(tmp_path), patience=QUICK)
        for number in range(1, 4):
            await ledger.keep(entry(number))
        await eventually(lambda: keeper.kept == ["KG1", "KG2", "KG3"])
        assert await ledger.settled(timedelta(seconds=20))

    async def test_what_a_slow_database_has_not_kept_is_on_the_disk_before_the_customer_hears_on(
        self, tmp_path: Path
    ) -> None:
        keeper, spool = Keeper(), EntrySpool(tmp_path)
        keeper.free.clear()
        ledger = Ledger(keeper.keep, spool, patience=QUICK)
        for number in (1, 2):
            await ledger.keep(entry(number))
        assert ledger.writer is not None
        # Killed here, the next process finds both; while we live they are ours.
        assert not spool.left()
        assert EntrySpool(tmp_path).left() == [TALK]
        assert EntrySpool(tmp_path).read(TALK) == [entry(1), entry(2)]
        keeper.free.set()
        assert await ledger.settled(timedelta(seconds=20))
        assert EntrySpool(tmp_path).left() == []

    async def test_what_is_kept_in_time_touches_no_disk(self, tmp_path: Path) -> None:
        await Ledger(Keeper().keep, EntrySpool(tmp_path / "none")).keep(entry(1))
        assert not (tmp_path / "none").exists()

    async def test_what_is_refused_for_good_holds_up_nothing(self, tmp_path: Path) -> None:
        kept: list[str] = []

        async def keep(one: Entry) -> None:
            if one.item_id == "KG1":
                raise Conflict("the talk has ended")
            kept.append(one.item_id)

        ledger = Ledger(keep, EntrySpool(tmp_path), patience=timedelta(seconds=20))
        for number in (1, 2):
            await ledger.keep(entry(number))
        assert kept == ["KG2"]

    async def test_after_a_time_it_is_left_to_the_disk(self, tmp_path: Path) -> None:
        spool = EntrySpool(tmp_path)
        ledger = Ledger(Keeper(fails=1000).keep, spool, patience=QUICK, give_up=QUICK)
        await ledger.keep(entry(1))
        await eventually(lambda: ledger.writer is None)
        assert spool.read(*spool.left()) == [entry(1)]

    async def test_without_a_disk_the_call_goes_on(self, tmp_path: Path) -> None:
        (tmp_path / "full").write_text("no folder")
        keeper = Keeper()
        keeper.free.clear()
        ledger = Ledger(keeper.keep, EntrySpool(tmp_path / "full"), patience=QUICK)
        await ledger.keep(entry(1))
        keeper.free.set()
        assert await ledger.settled(timedelta(seconds=20))
        assert keeper.kept == ["KG1"]

    async def test_an_entry_outlives_the_call_that_is_cut(self, tmp_path: Path) -> None:
        keeper = Keeper()
        keeper.free.clear()
        ledger = Ledger(keeper.keep, EntrySpool(tmp_path), patience=timedelta(seconds=20))
        call = asyncio.create_task(ledger.keep(entry(1)))
        await eventually(lambda: ledger.writer is not None)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        keeper.free.set()
        await eventually(lambda: keeper.kept == ["KG1"])


def test_every_kind_of_entry_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    spool = EntrySpool(tmp_path)
    entries = (
        Entry(
            kind=EntryKind.ANSWER,
            talk_id=TALK,
            by="ivr",
            item_id="KG1",
            answer=Answer(values=("one_came",), departments=("DES", "ENG")),
        ),
        Entry(kind=EntryKind.SKIP, talk_id=TALK, by="ivr", item_id="KG2"),
        Entry(
            kind=EntryKind.VOICE, talk_id=TALK, by="ivr", item_id="KG1", path=f"{TALK}/KG1.wav", seconds=2.5
        ),
        Entry(
            kind=EntryKind.END,
            talk_id=TALK,
            by="ivr",
            how=TalkEnding.APPOINTED,
            appointed=at("2026-03-04 10:00"),
        ),
    )
    spool.write(TALK, entries)
    assert spool.read(TALK) == list(entries)
    path = tmp_path / f"{TALK}.jsonl"
    assert path.stat().st_mode & 0o077 == 0
    path.write_text("torn{\n" + path.read_text())
    assert spool.read(TALK) == list(entries)


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
