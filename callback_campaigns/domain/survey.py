"""A survey over IVR, from the answer to the goodbye (domain.md §3.0, IVR frame).

======================= =============================================================================
opening                 1 on, 2 another time, 0 a person, 9 no more such calls (sure? 1)
identity                asked where personal facts are spoken; 2 ends with an apology
every question          5 s for a key (elder mode 8 s), repeated once, then skipped; a wrong key is told and
                        the question repeated, twice; two skipped in a row: a person is offered, then the end
after a bad answer      the customer's own words, then, once, a person
in the end              a message is always offered, then thanks
at any point            ``*`` repeats, ``0`` leads to a person, out of hours to voice mail; keys cut
                        texts short
======================= =============================================================================

Questions are planned again after each answer. Whatever happens, the customer hears the end of it, and what
was answered is kept.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from callback_campaigns.domain import questionnaire_frame as frame
from callback_campaigns.domain import survey_words as words
from callback_campaigns.domain.questionnaire import Answer, Answers, Item, ItemKind, Option
from callback_campaigns.domain.questionnaire_plan import required
from callback_campaigns.domain.survey_steps import (
    Ask,
    Begin,
    Effect,
    End,
    Event,
    HangUp,
    HungUp,
    Pressed,
    Record,
    Recorded,
    Report,
    Silence,
    StoreAnswer,
    StoreSkip,
    SurveyState,
    ToAgent,
    Unheard,
)
from callback_campaigns.domain.survey_words import Line, Slot, Wording
from callback_campaigns.domain.talk import TalkEnding, TalkSet, planned
from callback_campaigns.domain.terms import Channel

WAIT = timedelta(seconds=5)
ELDER_WAIT = timedelta(seconds=8)
MORE_KEYS = timedelta(seconds=3)
"""So long a further key of a multiple choice is waited for."""
WRONG_KEYS = 2
SKIPS = 2
STAR_KEYS = 3
"""So often one text is repeated at wish."""
LONGEST = timedelta(minutes=8)
"""From then on nothing new is asked: a survey takes three minutes, messages a minute each."""
UNHEARD = 2
"""So many texts without audio are passed over; then the survey is broken off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One call.

    Attributes:
        sets: what is asked; of several tasks one after the other, the messages last.
        slots: other times that may be offered.
        people: whether somebody is there to be put through to.
        elder: longer waits; the voice is slower too.
        answers, skipped: from an earlier call about the same.
    """

    sets: tuple[TalkSet, ...]
    wording: Wording
    slots: tuple[Slot, ...] = ()
    people: bool = True
    elder: bool = False
    answers: Answers = field(default_factory=dict)
    skipped: frozenset[str] = frozenset()
    longest: timedelta = LONGEST

    @property
    def wait(self) -> timedelta:
        """How long a key is waited for."""
        return ELDER_WAIT if self.elder else WAIT


MAILBOX = "mail"
"""In the place of a question: what is said to a person who is not there."""


class Survey:
    """Give :meth:`handle` what happened, do what it returns, until it is ``ended``."""

    def __init__(self, script: Script) -> None:
        self.state = SurveyState.NEW
        self.answers: dict[str, Answer] = dict(script.answers)
        self.skipped: set[str] = set(script.skipped)
        self._script = script
        self._words = script.wording
        self._item: Item | None = None
        self._chosen: list[Option] = []
        self._began: datetime | None = None
        self._lines: tuple[Line, ...] = ()
        self._repeated = self._offered = self._mailed = self._heard_message = False
        self._wrong = self._stars = self._in_a_row = self._unheard = 0

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to do."""
        return self.state is SurveyState.ENDED

    @property
    def complete(self) -> bool:
        """Whether everything that is required was answered."""
        return all(item.id in self.answers for item in required(self._planned()))

    def handle(self, event: Event, *, now: datetime) -> tuple[Effect, ...]:
        """Take one event and return what to do, in order."""
        match event:
            case _ if self.ended:
                return ()
            case HungUp():
                return (self._end(self._left()),)
            case Begin():
                self._began = now
                opening = self._words.opening(*(one.questionnaire for one in self._script.sets))
                return (self._ask(SurveyState.OPENING, opening),)
            case Unheard():
                return self._passed_over(now)
            case Recorded(spoken, key):
                return self._recorded(spoken, key, now)
            case Pressed("0") if not (self._mailed and self.state is SurveyState.WHEN):
                return self._person()
            case Pressed("*") if self._stars < STAR_KEYS:
                self._stars += 1
                return (Ask(lines=self._lines, wait=self._script.wait),)
            case Pressed(key):
                return self._pressed(key, now)
            case Silence():
                return self._silent(now)

    # Keys

    def _pressed(self, key: str, now: datetime) -> tuple[Effect, ...]:
        match self.state, key:
            case SurveyState.OPENING, "1":
                return (Report("opening", key, "开始回访"), *self._identified(now))
            case SurveyState.OPENING, "2":
                return (Report("opening", key, "改天联系"), *self._another_time(now))
            case SurveyState.OPENING, "9":
                asked = self._ask(SurveyState.REFUSING, Line(frame.REFUSAL))
                return (Report("opening", key, "不再接听"), asked)
            case SurveyState.REFUSING, "1":
                done = Report("refusing", key, "确认不再接听")
                return (done, *self._goodbye(TalkEnding.DO_NOT_CALL, Line(words.NO_MORE)))
            case SurveyState.IDENTITY, "1":
                return (Report("identity", key, "已确认身份"), *self._next(now))
            case SurveyState.IDENTITY, "2":
                told = Report("identity", key, "不是本人")
                return (told, *self._goodbye(TalkEnding.WRONG_PERSON, Line(frame.NOT_THEM)))
            case SurveyState.WHEN, _:
                return self._timed(key, now) or self._mistaken(now)
            case ((SurveyState.QUESTION | SurveyState.SECOND), _):
                return self._answered(key, now) or self._mistaken(now)
            case SurveyState.GOING_ON, _:
                return self._next(now)
            case _:
                return self._mistaken(now)

    def _timed(self, key: str, now: datetime) -> tuple[Effect, ...]:
        for slot in self._script.slots:
            if words.KEY_OF[slot.when] == key and slot.at > now:
                told = Report("when", key, slot.when)
                return (told, End(TalkEnding.APPOINTED, slot.at), self._last(words.appointed(slot.when)))
        return ()

    def _answered(self, key: str, now: datetime) -> tuple[Effect, ...]:
        item = self._item
        assert item is not None
        first = self._chosen[0] if self._chosen else None
        if item.kind is ItemKind.MULTI and key == "#" and first:
            return self._keep(item, now)
        options = first.under if item.kind is ItemKind.TWO_LEVEL and first else item.options_for(Channel.IVR)
        option = next((one for one in options if one.key == key), None)
        if option is None or option in self._chosen:
            return ()
        self._chosen.append(option)
        if item.kind is ItemKind.MULTI:
            self._enter(SurveyState.SECOND, (self._words.question(item),))
            return (Ask(lines=(), wait=MORE_KEYS),)
        if item.kind is ItemKind.TWO_LEVEL and option.under and first is None:
            return (self._ask(SurveyState.SECOND, Line(words.choices(option.under))),)
        return self._keep(item, now)

    def _keep(self, item: Item, now: datetime) -> tuple[Effect, ...]:
        chosen, self._chosen = self._chosen, []
        answer = Answer(values=tuple(option.value for option in chosen))
        self.answers[item.id], self._in_a_row = answer, 0
        # A confidential answer is for the manager, not for whoever opens the call's time line.
        key = "" if item.is_confidential else "".join(option.key for option in chosen)
        done = (StoreAnswer(item.id, answer), Report(item.id, key, item.id))
        if self._is_bad(item):
            return (*done, *self._in_their_words(item, frame.AFTER_BAD, now))
        if any(option.reason for option in chosen):
            return (*done, *self._in_their_words(item, words.EXPLAIN, now))
        return (*done, *self._next(now))

    # Mistakes and silence

    def _mistaken(self, now: datetime) -> tuple[Effect, ...]:
        if self._wrong >= WRONG_KEYS:
            return self._given_up(now)
        self._wrong += 1
        return (Ask(lines=(Line(frame.WRONG_KEY), *self._lines), wait=self._script.wait),)

    def _silent(self, now: datetime) -> tuple[Effect, ...]:
        if self.state is SurveyState.SECOND and self._item is not None and self._item.kind is ItemKind.MULTI:
            return self._keep(self._item, now)
        once = {SurveyState.OFFER, SurveyState.GOING_ON}
        if self._repeated or self.state in once:
            return self._given_up(now)
        self._repeated = True
        return (Ask(lines=self._lines, wait=self._script.wait),)

    def _given_up(self, now: datetime) -> tuple[Effect, ...]:
        """No answer, or none that could be understood."""
        match self.state:
            case SurveyState.QUESTION | SurveyState.SECOND:
                return self._skip(now)
            case SurveyState.OPENING | SurveyState.IDENTITY:
                return (self._ask(SurveyState.OFFER, Line(frame.OFFER_AGENT)),)
            case SurveyState.REFUSING:
                # Whoever pressed 9 is not called about this again, sure or not.
                return self._goodbye(TalkEnding.REFUSED, Line(words.NOT_NOW))
            case SurveyState.WHEN:
                return self._goodbye(self._left(), Line(words.MAIL_TAKEN if self._mailed else words.LATER))
            case SurveyState.GOING_ON:
                return self._next(now)
            case _:
                return self._close()

    def _skip(self, now: datetime) -> tuple[Effect, ...]:
        assert self._item is not None
        skipped = StoreSkip(self._item.id)
        self.skipped.add(self._item.id)
        self._chosen.clear()
        self._in_a_row += 1
        if self._in_a_row >= SKIPS:
            return (skipped, self._ask(SurveyState.OFFER, Line(frame.OFFER_AGENT)))
        return (skipped, *self._next(now))

    def _passed_over(self, now: datetime) -> tuple[Effect, ...]:
        """A text has no audio: what comes next may have."""
        self._unheard += 1
        if self._unheard > UNHEARD or self.state is SurveyState.OPENING:
            return (self._end(self._left()), HangUp())
        match self.state:
            case SurveyState.QUESTION | SurveyState.SECOND:
                self._in_a_row -= 1
                return self._skip(now)
            case SurveyState.COMPLAINT | SurveyState.GOING_ON | SurveyState.MESSAGE:
                self._heard_message |= self.state is SurveyState.MESSAGE
                return self._next(now)
            case _:
                return self._close()

    # In their own words

    def _in_their_words(self, item: Item, text: str, now: datetime) -> tuple[Effect, ...]:
        if self._is_late(now):
            return self._next(now)
        return (self._record(SurveyState.COMPLAINT, Line(text), item.id),)

    def _recorded(self, spoken: bool, key: str, now: datetime) -> tuple[Effect, ...]:
        about = self._item.id if self._item is not None else ""
        if key == "*" and self._stars < STAR_KEYS:
            self._stars += 1
            return (Record(lines=self._lines, item_id=MAILBOX if self.state is SurveyState.MAIL else about),)
        if key == "0" and not self._mailed:
            return self._person()
        match self.state:
            case SurveyState.MAIL:
                if self._script.slots and not self.complete:
                    return (self._ask(SurveyState.WHEN, self._times()),)
                return self._goodbye(self._left(), Line(words.MAIL_TAKEN))
            case SurveyState.COMPLAINT if self._script.people and not self._offered:
                self._offered = True
                return (self._ask(SurveyState.GOING_ON, Line(words.GOING_ON)),)
            case SurveyState.MESSAGE:
                return self._message_taken(spoken, now)
            case _:
                return self._next(now)

    def _message_taken(self, spoken: bool, now: datetime) -> tuple[Effect, ...]:
        self._heard_message = True
        item = self._item
        if item is None:
            return self._next(now)
        if spoken:
            # Whoever recorded it keeps it with the item; here it only counts as answered.
            self.answers[item.id] = Answer(voice="recorded")
            return self._next(now)
        self.skipped.add(item.id)
        return (StoreSkip(item.id), *self._next(now))

    # On and out

    def _identified(self, now: datetime) -> tuple[Effect, ...]:
        """Ask who it is where the questions speak of what only the customer may hear."""
        if any(words.is_personal(item) for item in self._open_items()):
            return (self._ask(SurveyState.IDENTITY, self._words.identity()),)
        return self._next(now)

    def _next(self, now: datetime) -> tuple[Effect, ...]:
        open_ones = self._open_items()
        keyed = [item for item in open_ones if item.kind is not ItemKind.FT]
        if self._is_late(now):
            return self._close()
        if keyed:
            self._item = keyed[0]
            return (self._ask(SurveyState.QUESTION, self._words.question(keyed[0])),)
        if self._heard_message:
            return self._close()
        # A message is offered once, whether or how often the sets have an item for it.
        self._item = open_ones[0] if open_ones else None
        line = self._words.question(self._item) if self._item else Line(frame.MESSAGE)
        return (self._record(SurveyState.MESSAGE, line, self._item.id if self._item else ""),)

    def _another_time(self, now: datetime) -> tuple[Effect, ...]:
        if not any(slot.at > now for slot in self._script.slots):
            return self._goodbye(TalkEnding.BROKEN_OFF, Line(words.LATER))
        return (self._ask(SurveyState.WHEN, self._times()),)

    def _times(self) -> Line:
        return words.appointment(slot.when for slot in self._script.slots)

    def _person(self) -> tuple[Effect, ...]:
        told = Report(self._item.id if self._item else self.state.value, "0", "转人工")
        if self._script.people:
            self.state = SurveyState.ENDED
            return (told, End(TalkEnding.TO_AGENT), ToAgent((Line(words.TRANSFER),)))
        self._mailed = True
        return (told, self._record(SurveyState.MAIL, Line(words.MAIL), MAILBOX))

    def _close(self) -> tuple[Effect, ...]:
        return self._goodbye(self._left(), self._words.closing())

    def _goodbye(self, how: TalkEnding, line: Line) -> tuple[Effect, ...]:
        nobody = not self.answers and self.state is SurveyState.OFFER
        return (self._end(how), self._last(Line(words.NOBODY) if nobody else line))

    def _left(self) -> TalkEnding:
        """What it comes to when it ends here."""
        if self.state is SurveyState.REFUSING:
            return TalkEnding.REFUSED
        begun = self.state not in {SurveyState.NEW, SurveyState.OPENING, SurveyState.WHEN}
        return TalkEnding.FINISHED if begun and self.complete else TalkEnding.BROKEN_OFF

    def _end(self, how: TalkEnding) -> End:
        self.state = SurveyState.ENDED
        return End(how)

    def _last(self, line: Line) -> HangUp:
        self.state = SurveyState.ENDED
        return HangUp((line,))

    # What is asked

    def _ask(self, state: SurveyState, line: Line) -> Ask:
        self._enter(state, (line,))
        return Ask(lines=self._lines, wait=self._script.wait)

    def _record(self, state: SurveyState, line: Line, item_id: str = "") -> Record:
        self._enter(state, (line,))
        return Record(lines=(line,), item_id=item_id)

    def _enter(self, state: SurveyState, lines: tuple[Line, ...]) -> None:
        self.state, self._lines = state, lines
        self._repeated, self._wrong, self._stars = False, 0, 0

    def _planned(self) -> tuple[Item, ...]:
        found = planned(self._script.sets, Channel.IVR, self.answers)
        # A day cannot be typed; who asks for one asks by people.
        return tuple(item for item in found if item.kind is not ItemKind.DATE)

    def _open_items(self) -> list[Item]:
        given = {*self.answers, *self.skipped}
        return [item for item in self._planned() if item.id not in given]

    def _is_bad(self, item: Item) -> bool:
        one = next(one for one in self._script.sets if one.item(item.id) is not None)
        findings = one.judged(Channel.IVR, self.answers).findings
        return any(found.bad for found in findings if found.item_id == item.id)

    def _is_late(self, now: datetime) -> bool:
        return self._began is not None and now - self._began >= self._script.longest
