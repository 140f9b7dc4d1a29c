"""The interpreter of flows: an input comes in, effects go out. No I/O, no clock.

Whatever goes wrong ends at the flow's fallback, which is a person: keys used up, patience used up, records
silent, a prompt that cannot be spoken, a caller who walks in circles.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from ivr.domain.effects import (
    Ask,
    AskDigits,
    Broken,
    CallbackNoted,
    Clip,
    Effect,
    Heard,
    Input,
    Listen,
    LookedUp,
    LookUp,
    Piece,
    Pressed,
    Reason,
    Recorded,
    RecordMessage,
    ReportMenu,
    RequestCallback,
    Say,
    Silence,
    Spoke,
    Spoken,
    Start,
    ToFlow,
    ToHangup,
    ToQueue,
    Typed,
)
from ivr.domain.flow import (
    CallbackRequest,
    Collect,
    DigitFormat,
    Flow,
    Hangup,
    Hours,
    Listening,
    Lookup,
    Menu,
    Node,
    OtherFlow,
    Play,
    Queue,
    Resume,
    SetVariables,
    Switch,
    Voicemail,
)
from ivr.domain.languages import LANGUAGES
from ivr.domain.text import Literal, SlotFormat
from ivr.domain.variables import filled
from ivr.domain.wishes import after_no, answer
from kernel.phone import Phone

# A caller in no hurry may press this many keys; then a person takes over.
MAX_INPUTS = 120
MAX_REPEATS = 5
FELL_BACK, GONE = "*fallback", "*gone"
"""Where a walk may lead besides nodes: to the people of the fallback; nowhere, for the caller hung up."""
LEFT = "已留言"
"""In the menu path of who left a message."""


class RunState(StrEnum):
    """What a run waits for."""

    NEW = "new"
    SPEAKING = "speaking"
    ASKING = "asking"
    CONFIRMING = "confirming"
    COLLECTING = "collecting"
    LOOKING_UP = "looking_up"
    NOTING = "noting"
    RECORDING = "recording"
    ENDED = "ended"


class FlowRun:
    """One caller's walk through a flow.

    Args:
        flow: a flow from :func:`ivr.domain.validate.load_flow`.
        variables: what is known before, see ``CALL_VARIABLES``.
        listening: whether the caller can be listened to; if not, only keys are asked for.

    Feed it :class:`Start`, then the answer to the last effect, until ``state`` is ``ENDED``.
    """

    def __init__(self, flow: Flow, variables: Mapping[str, str], *, listening: bool = False) -> None:
        self.flow = flow
        self.state = RunState.NEW
        self.variables = dict(variables)
        self._node: Node = flow.nodes[flow.start]
        self._started_at: datetime | None = None
        self._inputs = 0
        self._wrongs = 0
        self._repeats = 0
        self._typed_ahead = ""
        self._listening = listening
        self._asked = ""
        self._taken = ""
        self._steps: list[tuple[str, str]] = []

    @property
    def steps(self) -> tuple[tuple[str, str], ...]:
        """The way so far, from node to node: begins with ``("", start)``, may end at ``FELL_BACK``."""
        return tuple(self._steps)

    @property
    def node(self) -> str:
        """Name of the node the caller is at."""
        return self._node.id

    def handle(self, item: Input, *, now: datetime) -> tuple[Effect, ...]:
        """Take one input and return effects: reports, then exactly one that wants an answer or ends.

        Raises:
            ValueError: the input answers no question, or the run has ended.
        """
        if self.state is RunState.ENDED:
            raise ValueError("the run has ended")
        self._inputs += 1
        if self._started_at is None:
            self._started_at = now
        if isinstance(item, Broken):
            return self._broken(item.reason, now)
        if self._inputs > MAX_INPUTS or now - self._started_at > self.flow.longest:
            return (self._fall_back(Reason.TOO_LONG),)
        expected = _ANSWERS[self.state]
        if not isinstance(item, expected):
            raise ValueError(f"{type(item).__name__} is no answer while {self.state}")
        return self._answered(item, now)

    def _answered(self, item: Input, now: datetime) -> tuple[Effect, ...]:
        node = self._node
        match item:
            case Start():
                return self._enter(node.id, now)
            case Heard() if self._taken:
                taken, self._taken = self._taken, ""
                return self._enter(taken, now)
            case Spoke() if isinstance(node, Menu) and node.wishes is not None:
                return self._spoke(node, item, now)
            case Pressed(key) if isinstance(node, Menu) and self.state is RunState.CONFIRMING and key in "12":
                return self._confirmed(node, key, now)
            case Heard(key) if isinstance(node, Play):
                self._typed_ahead = key or ""
                return self._enter(node.next, now)
            case Pressed(key) if isinstance(node, Menu):
                return self._pressed(node, key, now)
            case Typed(digits, ended_by) if isinstance(node, Collect):
                return self._typed(node, digits, ended_by, now)
            case Silence() if isinstance(node, Listening):
                return self._again(node, Reason.SILENCE, now)
            case LookedUp(outcome, variables) if isinstance(node, Lookup):
                self.variables.update(variables)
                to = node.outcomes.get(outcome)
                return self._enter(to, now) if to else (self._fall_back(Reason.RECORDS),)
            case Recorded(heard) if isinstance(node, Voicemail):
                if not heard:
                    return self._again(node, Reason.SILENCE, now)
                report = ReportMenu(node=node.id, key="", label=LEFT)
                return (report, *self._enter(node.next, now))
            case CallbackNoted() if isinstance(node, CallbackRequest):
                return self._enter(node.next, now)
            case _:
                raise ValueError(f"{type(item).__name__} does not fit node {node.id}")

    def _broken(self, reason: Reason, now: datetime) -> tuple[Effect, ...]:
        node = self._node
        if isinstance(node, CallbackRequest) and reason is Reason.CALLBACK and node.failed is not None:
            return self._enter(node.failed, now)
        if isinstance(node, Voicemail) and reason is Reason.MAILBOX and node.failed is not None:
            return self._enter(node.failed, now)
        return (self._fall_back(reason),)

    def _enter(self, name: str, now: datetime) -> tuple[Effect, ...]:
        """Walk on from node ``name`` until something must be done outside."""
        self._wrongs = self._repeats = 0
        reports: list[Effect] = []
        # A proven flow has no loop of silent nodes; the bound guards against one that was not proven.
        for _ in range(len(self.flow.nodes) + 1):
            node = self._node = self.flow.nodes[name]
            self._went(name)
            match node:
                case Hours():
                    name = self._by_hours(node, now)
                case Switch():
                    name = node.cases.get(self.variables.get(node.on, ""), node.otherwise)
                case SetVariables():
                    for variable, value in node.values.items():
                        self.variables[variable] = filled(value, self.variables)
                    name = node.next
                case Menu() if self._typed_ahead:
                    key, self._typed_ahead = self._typed_ahead, ""
                    return (*reports, *self._pressed(node, key, now))
                case _:
                    if isinstance(node, Queue) and node.label:
                        reports.append(ReportMenu(node=node.id, key="", label=node.label))
                    return (*reports, self._act(node))
        return (self._fall_back(Reason.ERROR),)

    def _went(self, to: str) -> None:
        self._steps.append((self._steps[-1][1] if self._steps else "", to))

    def _by_hours(self, node: Hours, now: datetime) -> str:
        openness = self.flow.schedules[node.schedule].at(now)
        if openness.open:
            return node.open
        return node.holiday if openness.reason == "holiday" else node.closed

    def _act(self, node: Node) -> Effect:
        pieces = self._pieces(node.say)
        typed, self._typed_ahead = self._typed_ahead, ""
        match node:
            case Play():
                self.state = RunState.SPEAKING
                return Say(pieces=pieces, barge_in=node.barge_in)
            case Menu():
                self.state = RunState.ASKING
                listen = None
                if self._listening and node.wishes is not None:
                    listen = Listen(node.wishes, prompt=self._text(node.invite + node.say))
                    pieces = (() if self._wrongs else self._pieces(node.invite)) + pieces
                return Ask(pieces=pieces, barge_in=node.barge_in, wait=node.wait, listen=listen)
            case Collect():
                self.state = RunState.COLLECTING
                return AskDigits(
                    pieces=pieces,
                    barge_in=node.barge_in,
                    wait=node.wait,
                    max_digits=node.max_digits,
                    typed=typed if typed.isdigit() else "",
                )
            case Voicemail():
                self.state = RunState.RECORDING
                return RecordMessage(pieces=pieces, node=node.id, limit=node.limit, silence=node.wait)
            case Lookup():
                self.state = RunState.LOOKING_UP
                return LookUp(ask=node.ask)
            case CallbackRequest():
                self.state = RunState.NOTING
                phone = self.variables.get(node.phone, "")
                return RequestCallback(pieces=pieces, phone=phone, reason=node.reason, place=node.place)
            case Resume() if queue := self.variables.get("queue", ""):
                self.state = RunState.ENDED
                return ToQueue(pieces=pieces, queue=queue, resume=True)
            case Resume():
                self.state = RunState.ENDED
                return self._fall_back(Reason.ERROR)
            case Queue():
                self.state = RunState.ENDED
                return ToQueue(pieces=pieces, queue=node.queue, timeout=node.timeout, priority=node.priority)
            case Hangup():
                self.state = RunState.ENDED
                return ToHangup(pieces=pieces)
            case OtherFlow():
                self.state = RunState.ENDED
                return ToFlow(pieces=pieces, flow=node.flow, queue=self.flow.fallback.queue)
            case _:
                raise TypeError(f"a {type(node).__name__} has nothing to do outside")

    def _pressed(self, node: Menu, key: str, now: datetime) -> tuple[Effect, ...]:
        choice = node.keys.get(key)
        if choice is None and key != "*":
            return self._again(node, Reason.WRONG_KEYS, now)
        if choice is None or choice.to is None:
            return self._repeat(node)
        report = (ReportMenu(node=node.id, key=key, label=choice.label),) if choice.label else ()
        return (*report, *self._enter(choice.to, now))

    def _spoke(self, node: Menu, said: Spoke, now: datetime) -> tuple[Effect, ...]:
        """Take the caller at their word, ask whether it is so, or ask for a key."""
        assert node.wishes is not None
        asked, confirming = self._asked, self.state is RunState.CONFIRMING
        words = after_no(said.text) if confirming else said.text
        found = node.wishes.understand(words, said.confidence)
        if confirming:
            yes = answer(said.text)
            if found is not None and found.option == asked and yes is not False:
                yes = True
            if yes is True and (found is None or found.option == asked or not found.sure):
                return (self._understood(node, asked, said, 1.0), *self._take(node, asked, now))
            if found is not None and found.option == asked:
                found = None  # «不是投诉»
        if found is None:
            report = ReportMenu(node=node.id, key="", label="", said=said.text, confidence=0.0)
            return (report, *self._again(node, Reason.NOT_UNDERSTOOD, now))
        report = self._understood(node, found.option, said, found.confidence, chosen=found.sure)
        if found.sure:
            return (report, *self._take(node, found.option, now))
        self._asked, self.state = found.option, RunState.CONFIRMING
        choice = node.keys[found.option]
        ask = Ask(
            pieces=self._pieces((choice.confirm,)),
            barge_in=True,
            wait=node.wait,
            listen=Listen(node.wishes, yes_or_no=True, prompt=self._text((choice.confirm,))),
        )
        return (report, ask)

    def _understood(
        self, node: Menu, option: str, said: Spoke, confidence: float, *, chosen: bool = True
    ) -> ReportMenu:
        label = node.keys[option].label
        return ReportMenu(
            node=node.id,
            key="",
            label=label if chosen else "",
            said=said.text,
            understood=label,
            confidence=confidence,
        )

    def _take(self, node: Menu, option: str, now: datetime) -> tuple[Effect, ...]:
        """Go where the option leads, with a word that it was understood."""
        to = node.keys[option].to
        if to is None:
            return self._repeat(node)
        self._taken, self.state = to, RunState.SPEAKING
        return (Say(pieces=self._pieces(("stock_taken",)), barge_in=False),)

    def _confirmed(self, node: Menu, key: str, now: datetime) -> tuple[Effect, ...]:
        """The key that answers whether it was meant so."""
        choice = node.keys[self._asked]
        if key == "2":
            return self._again(node, Reason.NOT_UNDERSTOOD, now)
        if choice.to is None:
            return self._repeat(node)
        report = ReportMenu(node=node.id, key=key, label=choice.label, understood=choice.label)
        return (report, *self._enter(choice.to, now))

    def _typed(self, node: Collect, digits: str, ended_by: str | None, now: datetime) -> tuple[Effect, ...]:
        if ended_by == "*":
            return self._repeat(node)
        if not digits:
            return self._again(node, Reason.WRONG_KEYS if ended_by else Reason.SILENCE, now)
        value = _collected(node, digits)
        if value is None:
            return self._again(node, Reason.WRONG_KEYS, now)
        self.variables[node.into] = value
        return self._enter(node.next, now)

    def _repeat(self, node: Listening) -> tuple[Effect, ...]:
        self._repeats += 1
        if self._repeats > MAX_REPEATS:
            return (self._fall_back(Reason.TOO_LONG),)
        return (self._act(node),)

    def _again(self, node: Listening, reason: Reason, now: datetime) -> tuple[Effect, ...]:
        self._wrongs += 1
        if self._wrongs > node.retries:
            if node.failed is not None:
                return self._enter(node.failed, now)
            return (self._fall_back(reason),)
        before = self._pieces(node.silence if reason is Reason.SILENCE else node.wrong)
        effect = self._act(node)
        if isinstance(effect, Ask | AskDigits | RecordMessage):
            effect = replace(effect, pieces=before + effect.pieces)
        return (effect,)

    def _fall_back(self, reason: Reason) -> Effect:
        self.state = RunState.ENDED
        self._went(FELL_BACK)
        fallback = self.flow.fallback
        pieces = self._pieces(fallback.say)
        if fallback.queue is None:
            return ToHangup(pieces=pieces, cause=reason)
        return ToQueue(pieces=pieces, queue=fallback.queue, cause=reason)

    def _text(self, prompts: tuple[str, ...]) -> str:
        return "".join(self.flow.prompts[name].text for name in prompts)

    def _pieces(self, prompts: tuple[str, ...]) -> tuple[Piece, ...]:
        pieces: list[Piece] = []
        language = LANGUAGES[self.flow.language]
        for name in prompts:
            prompt = self.flow.prompts[name]
            if prompt.clips is not None:
                pieces += prompt.clips
                continue
            for index, piece in enumerate(prompt.template.pieces):
                if isinstance(piece, Literal):
                    pieces.append(Clip(name, index))
                    continue
                value = self.variables.get(piece.variable, "")
                if piece.format is SlotFormat.DIGITS:
                    pieces.append(Spoken(language.digits(value), piece.optional, digits=value))
                elif piece.format is SlotFormat.COUNT and value.isascii() and value.isdecimal():
                    pieces.append(Spoken(language.count(int(value[:9])), piece.optional))
                elif value or not piece.optional:
                    pieces.append(Spoken(language.words.get(value, value), piece.optional))
        return tuple(pieces)


_ANSWERS: Mapping[RunState, tuple[type[Input], ...]] = {
    RunState.NEW: (Start,),
    RunState.SPEAKING: (Heard,),
    RunState.ASKING: (Pressed, Silence, Spoke),
    RunState.CONFIRMING: (Pressed, Silence, Spoke),
    RunState.COLLECTING: (Typed,),
    RunState.LOOKING_UP: (LookedUp,),
    RunState.NOTING: (CallbackNoted,),
    RunState.RECORDING: (Recorded,),
}


def _collected(node: Collect, digits: str) -> str | None:
    """Return the value to keep, ``None`` when the digits will not do."""
    if not node.min_digits <= len(digits) <= node.max_digits:
        return None
    if node.format is DigitFormat.DIGITS:
        return digits
    phone = Phone.parse_caller(digits)
    return phone.national if phone is not None and phone.dialable else None
