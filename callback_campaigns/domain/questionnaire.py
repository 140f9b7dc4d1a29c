"""Questionnaires as data: items, the answers they take, and what each answer sets going (domain.md §3.0).

Nothing here knows YAML, a database or a telephone. A questionnaire is read by
:mod:`callback_campaigns.domain.questionnaire_yaml`, asked by ``questionnaire_plan`` and judged by
``questionnaire_verdict``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from callback_campaigns.domain.questionnaire_conditions import Condition
from callback_campaigns.domain.terms import Channel
from kernel.errors import Invalid

BY_PEOPLE = frozenset({Channel.AGENT, Channel.VISIT})
MAX_KEYED = 7
"""So many questions a caller is asked by keys (domain.md §3.0, IVR frame 6)."""


class ItemKind(StrEnum):
    """How an item is answered (domain.md §3.0, answer types and model facts)."""

    SAT3 = "SAT3"
    R5 = "R5"
    YN = "YN"
    FT = "FT"
    G4 = "G4"
    SINGLE = "SINGLE"
    MULTI = "MULTI"
    TWO_LEVEL = "TWO_LEVEL"
    DATE = "DATE"

    @property
    def is_keyed(self) -> bool:
        """Whether a caller can answer by one key."""
        return self in {ItemKind.SAT3, ItemKind.R5, ItemKind.YN, ItemKind.SINGLE}

    @property
    def has_options(self) -> bool:
        """Whether its answers are chosen, not written or spoken."""
        return self not in {ItemKind.FT, ItemKind.DATE}


class Do(StrEnum):
    """What an answer sets going."""

    TICKET = "ticket"
    """A problem ticket to the departments (domain.md §1.4)."""
    CARE = "care"
    """A care ticket, severity 1."""
    NOTE = "note"
    """It is noted, for a department or for the record."""
    REMIND = "remind"
    """A department is reminded; no ticket."""
    INFORM = "inform"
    """Somebody is told at once."""
    CALL = "call"
    """A person calls the customer within a time."""
    REASK = "reask"
    """The item is asked again in the questionnaire that ``detail`` names."""
    REOPEN = "reopen"
    """The earlier case or ticket is opened again; a second time a notice goes one level up (CB-6)."""
    RETURN_CASE = "return_case"
    """The complaint goes back to its department, with a breach."""
    KEEP_OPEN = "keep_open"
    """The complaint stays open under a new limit T3."""
    NEXT_ROUND = "next_round"
    """The complaint goes into its next round, or up."""
    NEW_CASE = "new_case"
    """A new case, linked."""
    REPAIR_ORDER = "repair_order"
    REROUTE = "reroute"
    """The repair goes to another crew, reason in ``detail``."""
    VISIT_AGAIN = "visit_again"
    """The repair is planned once more."""
    BLOCK = "block"
    """``detail`` is refused until the ticket is closed."""
    CLASSIFY = "classify"
    """Somebody listens and says what it is about."""
    STORE = "store"
    """The answer is kept with the customer as ``detail``."""
    SEND = "send"
    """The customer is sent ``detail``."""
    STATISTIC = "statistic"
    """It counts in the figure ``detail``."""


DEPARTMENTS: Mapping[str, str] = {
    "SPC": "客服专员",
    "MGR": "客服经理",
    "RCP": "维修队长",
    "DPH": "原责任部门",
    "GM": "总经理",
    "ENG": "工程部",
    "DES": "设计部",
    "MAT": "材料部",
    "QC": "质检部",
    "STO": "店面",
    "FIN": "财务部",
    "MKT": "市场企划部",
}
"""Whom an answer may concern. ``DPH`` is the department of the case that the callback is about."""

RATED: Mapping[str, str] = {
    "designer": "设计师",
    "pm": "项目经理",
    "crew": "施工队",
    "qc": "质检员",
    "materials": "材料",
    "service": "客服",
    "company": "公司",
}
"""Whose figures an item counts in (domain.md §3.4, «counted for»)."""

ANYBODY = ("SPC",)
"""Whom a bad result concerns when no rule names a department (CB-2 wants at least one)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One consequence of an answer.

    Attributes:
        to: departments and roles, of :data:`DEPARTMENTS`.
        choose: departments of which an agent may name others instead.
        severity: of the ticket, 1 to 3.
        within: ``3sh`` service hours, ``24h`` natural hours, ``1wd`` working days; empty if nothing was set.
        listen_first: somebody listens to the recording before the ticket goes to a department.
    """

    do: Do
    to: tuple[str, ...] = ()
    choose: tuple[str, ...] = ()
    severity: int = 1
    within: str = ""
    detail: str = ""
    confidential: bool = False
    listen_first: bool = False
    when: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One answer that can be chosen.

    Attributes:
        key: on the telephone, and on the agent's keyboard.
        value: as it is stored.
        score: 0 to 100; ``None`` if it says nothing about satisfaction.
        bad: a bad answer; of an item marked ★ it decides.
        bad_when: bad only if this holds.
        counts: counts in the item's ``measure`` (PM presence).
        reason: a written reason may go with it.
        under: second level of a choice in two levels.
    """

    key: str
    value: str
    label: str
    score: int | None = None
    bad: bool = False
    bad_when: Condition | None = None
    neutral: bool = False
    counts: bool = False
    reason: bool = False
    rules: tuple[Rule, ...] = ()
    under: tuple["Option", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question.

    Attributes:
        decisive: ★, its bad answer alone makes the whole dissatisfied.
        overall: the overall mark; so does its bad answer.
        ask: the question itself.
        keys: what the telephone adds: which key means what.
        ask_agent: what a person asks instead; empty for ``ask``.
        ask_sms: what stands on the form instead.
        a_only: asked of A-level customers only.
        closing: of the others at the very end, if there is room.
        optional: does not count for completeness.
        department: statistics department; one or none.
        rated: of :data:`RATED`.
        measure: a figure of its own that ``Option.counts`` feeds.
        agent_kind: how a person asks it (G4 for SAT3 at completion).
        agent_options: the answers then.
    """

    id: str
    kind: ItemKind
    ask: str
    keys: str = ""
    ask_agent: str = ""
    ask_sms: str = ""
    options: tuple[Option, ...] = ()
    decisive: bool = False
    overall: bool = False
    a_only: bool = False
    closing: bool = False
    optional: bool = False
    weight: int = 1
    department: str | None = None
    rated: tuple[str, ...] = ()
    measure: str = ""
    condition: Condition | None = None
    agent_kind: ItemKind | None = None
    agent_options: tuple[Option, ...] = ()
    line: int = field(default=0, compare=False)

    def kind_for(self, channel: Channel) -> ItemKind:
        """Return how it is answered on a channel."""
        return self.agent_kind if self.agent_kind and channel in BY_PEOPLE else self.kind

    def options_for(self, channel: Channel) -> tuple[Option, ...]:
        """Return the answers it takes on a channel."""
        return self.agent_options if self.agent_kind and channel in BY_PEOPLE else self.options

    def prompt(self, channel: Channel) -> str:
        """Return what is said or shown; placeholders stand as they are."""
        if channel in BY_PEOPLE:
            return self.ask_agent or self.ask
        if channel is Channel.SMS_FORM:
            return self.ask_sms or self.ask
        return f"{self.ask}{self.keys}"

    def option(self, value: str) -> Option | None:
        """Return the answer with a stored value, whichever way it was asked."""
        for option in (*self.options, *self.agent_options):
            if option.value == value:
                return option
            for under in option.under:
                if under.value == value:
                    return under
        return None

    @property
    def is_confidential(self) -> bool:
        """Whether what is answered to it is for the managers only."""
        return any(rule.confidential for option in self.options for rule in option.rules)

    def at_key(self, key: str, channel: Channel = Channel.IVR) -> Option | None:
        """Return the answer that a key means; ``None`` for a wrong key."""
        return next((option for option in self.options_for(channel) if option.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was answered to one item.

    Attributes:
        values: stored values; several of a multiple choice, one of two of a choice in two levels.
        text: what was written, the transcript, or the day as ``2026-11-22``.
        reason: written reason.
        departments: named by the agent instead of the rule's own, where the rule lets him choose.
        voice: reference of a recorded voice answer.
    """

    values: tuple[str, ...] = ()
    text: str = ""
    reason: str = ""
    departments: tuple[str, ...] = ()
    voice: str = ""

    @property
    def given(self) -> bool:
        """Whether anything was answered."""
        return bool(self.values or self.text or self.voice)


Answers = Mapping[str, Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Questionnaire:
    """A set of questions.

    Attributes:
        code: KG, YB, …
        title: what it is called in lists.
        spoken: what the caller is told it is.
        minutes: how long it takes, as the caller is told.
        channels: by which it may be asked at all.
        people_from: from this severity of the case on, and for A-level customers, only people call; 0: never.
        ivr: core list for B and C level over IVR.
    """

    code: str
    title: str
    spoken: str
    minutes: int
    channels: tuple[Channel, ...]
    items: tuple[Item, ...]
    ivr: tuple[str, ...] = ()
    people_from: int = 0
    language: str = "zh-CN"

    def item(self, item_id: str) -> Item | None:
        """Return an item."""
        return next((item for item in self.items if item.id == item_id), None)


class NoSuchAnswer(Invalid):
    """The answer is none that the item takes."""

    code = "no_such_answer"


def answer_by_key(item: Item, key: str, channel: Channel = Channel.IVR) -> Answer:
    """Return what is stored when a key is pressed. Raises NoSuchAnswer."""
    option = item.at_key(key, channel)
    if option is None:
        raise NoSuchAnswer(f"{item.id} has no answer on key {key}", field=item.id)
    return Answer(values=(option.value,))


_SAT3_OF_G4 = {"excellent": "satisfied", "good": "satisfied", "fair": "neutral", "poor": "dissatisfied"}
_G4_OF_SAT3 = {"satisfied": "excellent", "neutral": "fair", "dissatisfied": "poor"}


def as_sat3(value: str) -> str:
    """Return an answer of either scale as SAT3 (domain.md §3.4: 优, 良 → 满意; 中 → 一般; 差 → 不满意)."""
    return _SAT3_OF_G4.get(value, value)


def as_g4(value: str) -> str:
    """Return an answer of either scale as G4."""
    return _G4_OF_SAT3.get(value, value)
