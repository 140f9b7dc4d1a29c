"""How a call is judged: forms, scores, and what may follow what. No I/O."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from kernel.errors import Conflict, Invalid
from kernel.yaml_fields import Fields
from kernel.yaml_tree import Table, YamlRefused, read_yaml

MAX_TEXT = 20_000
MAX_CRITERIA = 60
MAX_MARKS = 50
MAX_MARK = 200
MAX_COMMENT = 1000
LONGEST_CALL = 24 * 3600.0
DISPUTE_WITHIN = timedelta(days=7)


class FormInvalid(Invalid):
    """A form has mistakes: a line each."""

    code = "quality_form_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """What is looked at. ``scale``: any number of points up to ``points``, else all or none."""

    code: str
    label: str
    label_en: str
    points: int
    scale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Criteria that belong together."""

    code: str
    label: str
    label_en: str
    criteria: tuple[Criterion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fatal:
    """What fails a call whatever else was good."""

    code: str
    label: str
    label_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Which calls are drawn.

    Attributes:
        per_week: so many of each agent, at random.
        min_talk: shorter conversations are not drawn.
        rated_badly: every call that its customer was not content with.
        queues: every call of these queues.
    """

    per_week: int = 0
    min_talk: timedelta = timedelta(seconds=30)
    rated_badly: bool = False
    queues: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A whole form. ``pass_mark`` in percent."""

    version: int
    pass_mark: int
    sections: tuple[Section, ...]
    fatal: tuple[Fatal, ...]
    draw: Draw

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """All criteria, in order."""
        return tuple(one for section in self.sections for one in section.criteria)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment of the recording, in seconds since its first sound; ``code`` of a criterion or ""."""

    at: float
    code: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What somebody wrote on a form.

    Attributes:
        points: criterion → points; ``None`` where it does not apply; missing where nobody said yet.
        fatal: what happened of what may not.
    """

    points: Mapping[str, int | None] = field(default_factory=dict)
    fatal: frozenset[str] = frozenset()
    marks: tuple[Mark, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What came out: percent with one digit, whether something fatal happened, whether it is enough."""

    percent: float
    failed: bool
    passed: bool


class State(StrEnum):
    """How far a judgement is."""

    DRAWN = "drawn"
    DRAFT = "draft"
    PUBLISHED = "published"
    DISPUTED = "disputed"
    SETTLED = "settled"


class Step(StrEnum):
    """What somebody does with a judgement."""

    SAVE = "save"
    PUBLISH = "publish"
    DISPUTE = "dispute"
    SETTLE = "settle"


_STEPS: Mapping[tuple[State, Step], State] = {
    (State.DRAWN, Step.SAVE): State.DRAFT,
    (State.DRAFT, Step.SAVE): State.DRAFT,
    (State.DRAWN, Step.PUBLISH): State.PUBLISHED,
    (State.DRAFT, Step.PUBLISH): State.PUBLISHED,
    (State.PUBLISHED, Step.DISPUTE): State.DISPUTED,
    (State.DISPUTED, Step.SETTLE): State.SETTLED,
}


def after(state: State, step: Step) -> State:
    """Return the state after a step. Raises Conflict where it cannot be taken."""
    found = _STEPS.get((state, step))
    if found is None:
        raise Conflict(f"a judgement that is {state} takes no {step}", field="state")
    return found


def checked(form: Form, typed: Typed) -> Typed:
    """Return what fits the form, tidied. Raises Invalid, which names the field."""
    known = {one.code: one for one in form.criteria}
    for code, points in typed.points.items():
        criterion = known.get(code)
        if criterion is None:
            raise Invalid("the form has no such criterion", field=code[:40])
        allowed = range(criterion.points + 1) if criterion.scale else (0, criterion.points)
        if points is not None and points not in allowed:
            raise Invalid(f"0 to {criterion.points} points", field=code)
    if not typed.fatal <= {one.code for one in form.fatal}:
        raise Invalid("the form has no such reason", field="fatal")
    comment = typed.comment.strip()
    if len(comment) > MAX_COMMENT:
        raise Invalid(f"at most {MAX_COMMENT} characters", field="comment")
    if len(typed.marks) > MAX_MARKS:
        raise Invalid(f"at most {MAX_MARKS} moments", field="marks")
    for mark in typed.marks:
        fits = 0 <= mark.at <= LONGEST_CALL and (not mark.code or mark.code in known)
        if not fits or len(mark.text) > MAX_MARK:
            raise Invalid(f"a moment within the call, at most {MAX_MARK} characters", field="marks")
    return Typed(points=typed.points, fatal=typed.fatal, marks=typed.marks, comment=comment)


def score(form: Form, typed: Typed) -> Score:
    """Return what comes out.

    Raises:
        Invalid: a criterion has no answer yet, or none applies; names the first.
    """
    earned = possible = 0
    for criterion in form.criteria:
        if criterion.code not in typed.points:
            raise Invalid("say how it was, or that it does not apply", field=criterion.code)
        points = typed.points[criterion.code]
        if points is not None:
            earned += points
            possible += criterion.points
    if not possible:
        raise Invalid("at least one criterion applies to every call", field=form.criteria[0].code)
    failed = bool(typed.fatal)
    percent = 0.0 if failed else round(100 * earned / possible, 1)
    return Score(percent=percent, failed=failed, passed=not failed and percent >= form.pass_mark)


def drawn_first(agent_id: str, week: str, call_id: str) -> str:
    """Where a call stands in the lot of an agent's week: as if by chance, and the same whoever draws."""
    return hashlib.sha256(f"{agent_id} {week} {call_id}".encode()).hexdigest()


def parse_form(text: str, *, version: int = 0) -> Form:
    """Read a form.

    Raises:
        FormInvalid: with every mistake.
    """
    if len(text) > MAX_TEXT:
        raise FormInvalid(f"at most {MAX_TEXT} characters", field="text")
    wrong: list[tuple[int, str]] = []
    try:
        top = Fields(read_yaml(text), lambda line, what: wrong.append((line, what)), "the form")
    except YamlRefused as error:
        raise FormInvalid(f"line {error.line}: {error.message}", field="text") from error
    seen: set[str] = set()
    form = Form(
        version=version,
        pass_mark=top.number("pass", 85, low=1, high=100),
        sections=tuple(_sections(top, seen)),
        fatal=tuple(_fatal(top, seen)),
        draw=_draw(top.fields("draw")),
    )
    top.done()
    if not form.criteria:
        wrong.append((0, "sections: there is no criterion"))
    elif len(form.criteria) > MAX_CRITERIA:
        wrong.append((0, f"at most {MAX_CRITERIA} criteria"))
    if wrong:
        lines = [f"line {line}: {what}" if line else what for line, what in sorted(wrong)]
        raise FormInvalid("\n".join(lines), field="text")
    return form


def _sections(top: Fields, seen: set[str]) -> list[Section]:
    found = []
    sections = top.fields("sections", "section")
    for code, line, tree in sections.items():
        if not isinstance(tree, Table):
            sections.complain(line, f"{code[:40]} must be a mapping")
            continue
        one = sections.nested(tree, f"section {code[:40]}")
        criteria = one.fields("criteria", "criterion")
        made = []
        for name, at, inner in criteria.items():
            if not isinstance(inner, Table):
                criteria.complain(at, f"{name[:40]} must be a mapping with label and points")
                continue
            fields = criteria.nested(inner, f"criterion {name[:40]}")
            label, label_en = _labels(fields)
            made.append(
                Criterion(
                    code=_code(fields, name, at, seen),
                    label=label,
                    label_en=label_en,
                    points=fields.number("points", 1, low=1, high=100),
                    scale=fields.flag("scale", False),
                )
            )
            fields.done()
        label, label_en = _labels(one)
        found.append(Section(code=code[:40], label=label, label_en=label_en, criteria=tuple(made)))
        one.done()
    return found


def _fatal(top: Fields, seen: set[str]) -> list[Fatal]:
    found = []
    table = top.fields("fatal")
    for code, line, tree in table.items():
        if not isinstance(tree, Table):
            table.complain(line, f"{code[:40]} must be a mapping with label")
            continue
        fields = table.nested(tree, code[:40])
        label, label_en = _labels(fields)
        found.append(Fatal(code=_code(fields, code, line, seen), label=label, label_en=label_en))
        fields.done()
    return found


def _draw(fields: Fields) -> Draw:
    made = Draw(
        per_week=fields.number("per_week", 0, low=0, high=50),
        min_talk=fields.seconds("min_seconds", timedelta(seconds=30), low=1, high=3600),
        rated_badly=fields.flag("rated_badly", False),
        queues=fields.words("queues"),
    )
    fields.done()
    return made


def _labels(fields: Fields) -> tuple[str, str]:
    label = fields.required("label")
    for name in ("label", "label_en"):
        if len(fields.text(name)) > 80:
            fields.complain(fields.line_of(name), f"{name}: at most 80 characters")
    return label, fields.text("label_en", label)


def _code(fields: Fields, code: str, line: int, seen: set[str]) -> str:
    fits = code.isascii() and code.isidentifier() and len(code) <= 40
    if not fits or code in RESERVED or code.startswith(("na_", "fatal_")):
        fields.complain(line, f"“{code[:40]}” is no code: small letters, digits and _")
    elif code in seen:
        fields.complain(line, f"{code} appears twice in the form")
    seen.add(code)
    return code


RESERVED = frozenset({"fatal", "marks", "comment", "version", "reason"})
"""Names of other fields of the page."""
