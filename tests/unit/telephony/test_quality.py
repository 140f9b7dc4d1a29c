"""Forms, scores and steps of judging calls."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Invalid
from telephony.domain.quality import (
    FormInvalid,
    Mark,
    Typed,
    checked,
    drawn_first,
    parse_form,
    score,
)
from telephony.quality_forms import shipped_form

FORM = parse_form(
    """\
pass: 80
sections:
  opening:
    label: 开场
    criteria:
      greeting: {label: 问候, label_en: Greeting, points: 10}
      tone: {label: 语气, points: 30, scale: true}
  closing:
    label: 结束
    criteria:
      farewell: {label: 道别, points: 10}
fatal:
  rude: {label: 辱骂客户}
draw: {per_week: 2, min_seconds: 45, rated_badly: true, queues: [complaint]}
""",
    version=3,
)
FULL: dict[str, int | None] = {"greeting": 10, "tone": 30, "farewell": 10}


def test_a_form_is_read() -> None:
    assert [one.code for one in FORM.criteria] == ["greeting", "tone", "farewell"]
    assert (FORM.version, FORM.pass_mark, FORM.sections[0].label_en) == (3, 80, "开场")
    assert FORM.criteria[0].label_en == "Greeting"
    assert FORM.draw.min_talk == timedelta(seconds=45)
    assert (FORM.draw.per_week, FORM.draw.rated_badly, FORM.draw.queues) == (2, True, ("complaint",))


def test_the_delivered_form_is_sound() -> None:
    form = parse_form(shipped_form())
    assert sum(one.points for one in form.criteria) == 100
    assert len(form.fatal) >= 3
    for found in (form.sections, form.criteria, form.fatal):
        assert all(one.label != one.label_en for one in found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("pass: 85", "no criterion"),
        ("pass: 0\nsections: {a: {label: x, criteria: {b: {label: y}}}}", "pass"),
        ("sections: {a: {label: x, criteria: {B c: {label: y}}}}", "no code"),
        ("sections: {a: {label: x, criteria: {comment: {label: y}}}}", "no code"),
        ("sections: {a: {criteria: {b: {label: y}}}}", "label is missing"),
        ("sections: {a: {label: x, criteria: {b: {label: y}}}}\nfatal: {b: {label: z}}", "twice"),
        ("sections: {a: {label: x, criteria: {b: {label: y, weight: 3}}}}", "weight"),
        ("sections: {a: {label: x, criteria: [b]}}", "mapping"),
        ("a: &x 1\nb: *x", "line"),
        ("x" * 20_001, "characters"),
    ],
    ids=["empty", "none", "pass", "code", "reserved", "label", "twice", "unknown", "list", "alias", "long"],
)
def test_mistakes_are_named(text: str, said: str) -> None:
    with pytest.raises(FormInvalid, match=said):
        parse_form(text)


def test_scores() -> None:
    assert score(FORM, Typed(points=FULL)).percent == 100
    result = score(FORM, Typed(points={**FULL, "tone": 20}))
    assert (result.percent, result.failed, result.passed) == (80.0, False, True)
    # What does not apply takes its points out of the count.
    result = score(FORM, Typed(points={**FULL, "tone": 20, "farewell": None}))
    assert (result.percent, result.passed) == (75.0, False)
    result = score(FORM, Typed(points=FULL, fatal=frozenset({"rude"})))
    assert (result.percent, result.failed, result.passed) == (0.0, True, False)


def test_a_form_is_filled_in_whole() -> None:
    with pytest.raises(Invalid) as refused:
        score(FORM, Typed(points={"greeting": 10, "farewell": 0}))
    assert refused.value.field == "tone"
    with pytest.raises(Invalid):
        score(FORM, Typed(points=dict.fromkeys(FULL)))


@pytest.mark.parametrize(
    "typed",
    [
        Typed(points={"greeting": 5}),
        Typed(points={"tone": 31}),
        Typed(points={"tone": -1}),
        Typed(points={"gone": 1}),
        Typed(fatal=frozenset({"gone"})),
        Typed(comment="长" * 1001),
        Typed(marks=(Mark(at=-1.0),)),
        Typed(marks=(Mark(at=float("nan")),)),
        Typed(marks=(Mark(at=1.0, code="gone"),)),
        Typed(marks=(Mark(at=1.0, text="长" * 201),)),
        Typed(marks=(Mark(at=1.0),) * 51),
    ],
    ids=["half", "over", "under", "code", "fatal", "comment", "before", "nan", "mark", "text", "many"],
)
def test_what_fits_no_form(typed: Typed) -> None:
    with pytest.raises(Invalid):
        checked(FORM, typed)


POINTS = st.fixed_dictionaries(
    {
        "greeting": st.sampled_from([0, 10, None]),
        "tone": st.one_of(st.none(), st.integers(0, 30)),
        "farewell": st.sampled_from([0, 10, None]),
    }
)


@given(POINTS, st.booleans())
def test_any_filled_form_has_a_percentage(points: dict[str, int | None], rude: bool) -> None:
    typed = checked(FORM, Typed(points=points, fatal=frozenset({"rude"} if rude else ())))
    if all(value is None for value in points.values()):
        with pytest.raises(Invalid):
            score(FORM, typed)
        return
    found = score(FORM, typed)
    assert 0 <= found.percent <= 100
    assert found.failed is rude
    assert found.passed == (not rude and found.percent >= 80)
    better = {code: one.points for one, code in ((one, one.code) for one in FORM.criteria)}
    raised = {code: better[code] if value is not None else None for code, value in points.items()}
    assert rude or score(FORM, Typed(points=raised)).percent == 100


def test_the_lot_is_the_same_whoever_draws() -> None:
    first = sorted("abcdefgh", key=lambda one: drawn_first("agent", "2026-03-02", one))
    assert first == sorted("hgfedcba", key=lambda one: drawn_first("agent", "2026-03-02", one))
    assert first != sorted("abcdefgh", key=lambda one: drawn_first("other", "2026-03-02", one))
