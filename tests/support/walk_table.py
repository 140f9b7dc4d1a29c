"""Ways through every questionnaire of domain.md §3, and what each has to come to.

Both are made from the tables written down in `tests.support.questionnaire_table`, by rules written a second
time: the verdict, the score, and the tickets with their departments.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tests.support.callback_effects import DEPARTMENTS
from tests.support.questionnaire_table import CASES, CORE, DECISIVE, OVERALL, POINTS

RESPONSIBLE: Final = "ENG"
"""The department of the case that a callback is about, or of the problem before."""
CASE_WORK: Final = frozenset(
    ["reopen", "return_case", "keep_open", "next_round", "new_case", "reroute", "visit_again"]
)
"""What a department is asked to do again; a ticket to it where its case does not take the word itself."""
REPAIR: Final = "repair_order"
REPAIRS: Final = {"JG2": 2, "JG3": 1, "JG4": 2}
"""Which bad answers are a repair, and how bad a one (domain.md §3.7)."""
SERIOUS: Final = 2
MARKED: Final = {"WG1", "WG3", "WG4", "WG5", "WG6", "WG12", "WG13"}
"""What people ask in four marks 优良中差 instead of three answers (domain.md §3.4)."""
MARKS: Final = {"1": ("1", 100), "2": ("1", 80), "3": ("2", 60), "4": ("3", 0)}
"""The mark's key → the answer of three that it is counted as, and its score."""
SPOKEN: Final = {"KG10", "YB10", "ZQ12", "WG14", "BX7", "JG9", "LW2"}
PEOPLE_ASK: Final = {
    "KG": "KG1 KG2 KG3 KG4 KG5 KG6 KG7 KG8 KG9",
    "YB": "YB1 YB2 YB3 YB4 YB5 YB6 YB7 YB8 YB9",
    "ZQ": "ZQ1 ZQ2 ZQ3 ZQ4 ZQ5 ZQ6 ZQ7 ZQ8 ZQ9 ZQ10 ZQ11",
    "WG": "WG1 WG2 WG3 WG4 WG5 WG6 WG7 WG8 WG9 WG10 WG11 WG12 WG13",
    "TS": "TS1 TS2 TS3 TS4 TS5 TS6 TS7",
    "BX": "BX1 BX2 BX3 BX4 BX5 BX6",
    "LW": "LW1 LW3 LW4",
}
POINT_CODES: Final = {"d3": "D3", "m1": "M1", "m3": "M3", "m6": "M6", "yearly": "Y2", "warranty": "W30"}


@dataclass(frozen=True, slots=True)
class Row:
    """What one key of one item means."""

    stored: str
    score: int | None
    bad: bool
    neutral: bool
    departments: tuple[str, ...]
    severity: int | None
    work: tuple[str, ...]
    repair: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """One customer's way.

    Attributes:
        keys: item → key, in the order in which they are asked.
        point: of a finished customer's plan.
        earlier: had a problem before, or a repair; asked whether that is solved.
        by_people: asked by an agent instead of the machine.
        late_start: the work began longer ago than material may take.
        by_captain: the repair was the captain's own.
        speaks: says something after each bad answer and at the end, instead of pressing the hash key.
    """

    name: str
    code: str
    keys: Mapping[str, str]
    level: str = "B"
    point: str = ""
    earlier: bool = False
    by_people: bool = False
    late_start: bool = False
    by_captain: bool = False
    speaks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a way comes to.

    ``tickets``: question → departments, and whether it became a complaint; ``repairs``: question → severity.
    """

    stored: Mapping[str, str]
    verdict: str
    score: int | None
    departments: frozenset[str]
    tickets: Mapping[str, tuple[tuple[str, ...], bool]] = field(default_factory=dict)
    repairs: Mapping[str, int] = field(default_factory=dict)


def _table() -> dict[tuple[str, str], Row]:
    found = {}
    for item, key, stored, score, bad, departments, severity, effects in CASES:
        three = [one for one in CASES if one[0] == item]
        sat = len(three) == 3 and three[1][2] == "neutral"
        marks = len(three) == 5 and item != "WG11"
        found[item, key] = Row(
            stored=stored,
            score=score,
            bad=bad,
            neutral=(sat and key == "2") or (marks and key == "3"),
            departments=tuple(departments.split()),
            severity=int(severity) if severity else None,
            work=tuple(
                word for word, _, _ in (one.partition(":") for one in effects.split()) if word in CASE_WORK
            ),
            repair=REPAIR in effects.split(),
        )
    return found


TABLE: Final = _table()
G4: Final = {"1": "excellent", "2": "good", "3": "fair", "4": "poor"}


def row_of(walk: Walk, item: str, key: str) -> Row:
    """Return what a key means in a way."""
    if walk.by_people and item in MARKED:
        three, score = MARKS[key]
        return replace(TABLE[item, three], stored=G4[key], score=score)
    row = TABLE[item, key]
    if (item, key) == ("KG3", "3") and walk.late_start:
        return replace(row, score=0, bad=True, departments=("MAT",), severity=1)
    if (item, key) == ("BX5", "3") and walk.by_captain:
        return replace(row, departments=("MGR",))
    return row


def expected(walk: Walk) -> Expected:
    """Return what a way has to come to (domain.md §3.0)."""
    rows = {item: row_of(walk, item, key) for item, key in walk.keys.items()}
    scores = [row.score for item, row in rows.items() if row.score is not None and item != "WG11"]
    mean = sum(scores) / len(scores) if scores else None
    decided = any(row.bad and item in DECISIVE | OVERALL for item, row in rows.items())
    if decided or (mean is not None and mean < 60):
        verdict = "dissatisfied"
    elif mean is None or mean < 80:
        verdict = "neutral"
    else:
        verdict = "satisfied"
    tickets: dict[str, tuple[tuple[str, ...], bool]] = {}
    named: list[str] = []
    for item, row in rows.items():
        if row.severity is not None:
            tickets[item] = (_desks(walk, row.departments), row.severity >= SERIOUS)
        for work in row.work:
            tickets[f"{item}-{work}"] = (_desks(walk, row.departments or ("SPC",)), False)
        if row.bad and (row.severity is not None or row.work or row.repair):
            named += row.departments
    neutral = [item for item, row in rows.items() if row.neutral]
    if len(neutral) >= (1 if walk.level == "A" else 2):
        tickets[neutral[0] if len(neutral) == 1 else "neutral"] = (_desks(walk, ("SPC",)), False)
    bad = verdict == "dissatisfied"
    departments = frozenset(named or ("SPC",)) if bad else frozenset()
    if bad and not any(row.severity or row.work or row.repair for row in rows.values()):
        tickets["result"] = (_desks(walk, tuple(departments)), False)
    return Expected(
        stored={item: row.stored for item, row in rows.items()},
        verdict=verdict,
        score=int(mean) if mean is not None else None,
        departments=departments,
        tickets=tickets,
        repairs={item: REPAIRS[item] for item, row in rows.items() if row.repair},
    )


def _desks(walk: Walk, codes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the departments of the company that codes mean: people of the service share its desk."""
    found = [RESPONSIBLE if code == "DPH" else code for code in codes]
    return tuple(dict.fromkeys(code if code in DEPARTMENTS else "CS" for code in found))


def keys_of(walk: Walk, item: str) -> str:
    """Return the keys that an item takes."""
    if walk.by_people and item in MARKED:
        return "".join(MARKS)
    return "".join(key for name, key in TABLE if name == item)


def best_key(walk: Walk, item: str) -> str:
    """Return the key of somebody whom nothing troubles."""
    return "5" if len(keys_of(walk, item)) == 5 else "1"


def _good(walk: Walk, items: str) -> Walk:
    asked = [item for item in items.split() if item not in SPOKEN]
    return replace(walk, keys={item: best_key(walk, item) for item in asked})


def _with(walk: Walk, name: str, **keys: str) -> Walk:
    return replace(walk, name=f"{walk.name} {name}", keys={**walk.keys, **keys})


def _all_keys(walk: Walk) -> Iterator[Walk]:
    """Yield ways in which every item gets every key; an item with fewer keys gets its last one again."""
    most = max(len(keys_of(walk, item)) for item in walk.keys)
    for number in range(1, most + 1):
        keys = {item: keys_of(walk, item)[:number][-1] for item in walk.keys}
        if keys != walk.keys:
            yield _with(walk, f"all {number}", **keys)


def _each_bad(walk: Walk) -> Iterator[Walk]:
    """Yield ways in which one item that decides gets one bad key."""
    for item in walk.keys:
        for key in keys_of(walk, item):
            if item in DECISIVE | OVERALL and row_of(walk, item, key).bad:
                yield _with(walk, f"{item}={key}", **{item: key})


def by_machine() -> Iterator[Walk]:
    """Yield the ways of B and C level over IVR: every variant satisfied, every key, each bad one alone."""
    for code, core in CORE.items():
        walk = _good(Walk(name=code, code=code, keys={}, earlier=True), core)
        yield walk
        yield from _all_keys(walk)
        yield from _each_bad(walk)
    for point, core in POINTS.items():
        if point not in POINT_CODES:
            continue
        walk = _good(Walk(name=f"JG {point}", code="JG", keys={}, point=point, earlier=True), core)
        yield walk
        if point in {"d3", "m1", "m6"}:
            yield from _all_keys(walk)
        if point == "m6":
            yield from _each_bad(walk)
    for code, gone in (("KG", "KG9"), ("YB", "YB7"), ("ZQ", "ZQ7")):
        core = " ".join(item for item in CORE[code].split() if item != gone)
        yield _good(Walk(name=f"{code} without {gone}", code=code, keys={}, level="C"), core)
    late = _good(Walk(name="KG late", code="KG", keys={}, late_start=True, earlier=True), CORE["KG"])
    yield _with(late, "KG3=3", KG3="3")
    captain = _good(Walk(name="BX by the captain", code="BX", keys={}, by_captain=True), CORE["BX"])
    yield _with(captain, "BX5=3", BX5="3")
    aloud = _good(Walk(name="KG aloud", code="KG", keys={}, earlier=True, speaks=True), CORE["KG"])
    yield _with(aloud, "KG1=3", KG1="3")


def by_people() -> Iterator[Walk]:
    """Yield the ways of A level, and of customers who left, by a person: every item, every key."""
    for code, asked in PEOPLE_ASK.items():
        level = "B" if code == "LW" else "A"
        walk = _good(
            Walk(name=f"{code} A", code=code, keys={}, level=level, earlier=True, by_people=True), asked
        )
        yield walk
        yield from _all_keys(walk)
    core = _good(
        Walk(name="JG A", code="JG", keys={}, level="A", point="m6", earlier=True, by_people=True),
        POINTS["m6"],
    )
    yield core
    yield from _all_keys(core)


def a_few() -> Iterator[Walk]:
    """Yield a way or two through each questionnaire."""
    machine, people = list(by_machine()), list(by_people())
    for code in ("KG", "YB", "ZQ", "WG", "TS", "BX"):
        yield from (one for one in machine if one.name in {code, f"{code} all 3"})
    yield from (one for one in machine if one.name in {"JG m1", "JG m6 all 2", "KG aloud KG1=3"})
    yield from (one for one in people if one.name in {"WG A all 4", "LW A all 3"})
