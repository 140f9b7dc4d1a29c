"""Which dispositions agents are offered, and which trees cannot be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.domain.disposition import MAX_DISPOSITIONS, Disposition, DispositionTree, Flaw, Need


def one(code: str, **values: object) -> Disposition:
    return replace(Disposition(code=code, label_zh=code, label_en=code), **values)  # type: ignore[arg-type]


COMPLAINT = one("complaint", queues=frozenset({"complaint", "service"}), needs=frozenset({Need.NOTES}))
LEAK = one("leak", parent="complaint", position=2, needs=frozenset({Need.FOLLOW_UP}))
NOISE = one("noise", parent="complaint", position=1, queues=frozenset({"service", "repair"}))
OTHER = one("other", position=9)
TREE = DispositionTree((LEAK, OTHER, NOISE, COMPLAINT))


def test_the_order_is_the_groups_then_what_is_in_them() -> None:
    assert [(item.code, depth) for item, depth in TREE.walk()] == [
        ("complaint", 0),
        ("noise", 1),
        ("leak", 1),
        ("other", 0),
    ]


@pytest.mark.parametrize(
    ("queue", "offered"),
    [
        ("complaint", {"leak", "other"}),
        ("service", {"leak", "noise", "other"}),
        ("repair", {"other"}),
        ("", {"other"}),
    ],
    ids=["complaint", "service", "repair", "none"],
)
def test_a_group_limits_what_is_in_it(queue: str, offered: set[str]) -> None:
    assert {item.code for item, _ in TREE.walk() if TREE.offered(item.code, queue)} == offered


def test_what_a_group_wants_its_leaves_want() -> None:
    assert TREE.needs("leak") == {Need.NOTES, Need.FOLLOW_UP}
    assert TREE.needs("noise") == {Need.NOTES}
    assert TREE.needs("nothing such") == frozenset()


def test_a_retired_group_takes_its_leaves_along() -> None:
    tree = DispositionTree((replace(COMPLAINT, active=False), LEAK, OTHER))
    assert not tree.offered("leak", "complaint")


def test_a_group_whose_leaves_are_all_retired_is_picked_itself() -> None:
    tree = DispositionTree((COMPLAINT, replace(LEAK, active=False), OTHER))
    assert tree.offered("complaint", "complaint")


@pytest.mark.parametrize(
    ("changed", "rest", "flaw"),
    [
        (one("a", parent="gone"), (OTHER,), Flaw.NO_PARENT),
        (one("a", parent="a"), (OTHER,), Flaw.CIRCLE),
        (one("a", parent="b"), (one("b", parent="a"), OTHER), Flaw.CIRCLE),
        (
            one("d", parent="c"),
            (one("c", parent="b"), one("b", parent="a"), one("a"), OTHER),
            Flaw.TOO_DEEP,
        ),
        (replace(COMPLAINT, active=False), (LEAK, OTHER), Flaw.GROUP_IN_USE),
        (replace(OTHER, active=False), (COMPLAINT,), Flaw.NOTHING_LEFT),
        (one("a"), tuple(one(f"x{n}") for n in range(MAX_DISPOSITIONS)), Flaw.TOO_MANY),
        (one("a"), (), None),
        (one("c", parent="b"), (one("b", parent="a"), one("a")), None),
    ],
    ids=[
        "no-parent",
        "itself",
        "circle",
        "deep",
        "group-in-use",
        "nothing-left",
        "many",
        "one",
        "three-deep",
    ],
)
def test_a_tree_that_cannot_be(
    changed: Disposition, rest: tuple[Disposition, ...], flaw: Flaw | None
) -> None:
    assert DispositionTree((changed, *rest)).flaw(changed.code, ("complaint", "repair")) is flaw


CODES = st.sampled_from("abcdef")
ITEMS = st.lists(
    st.builds(
        Disposition,
        code=CODES,
        label_zh=st.just("x"),
        label_en=st.just("x"),
        parent=st.one_of(st.just(""), CODES),
        queues=st.frozensets(st.sampled_from(["q1", "q2"])),
        needs=st.frozensets(st.sampled_from(Need)),
        position=st.integers(0, 3),
        active=st.booleans(),
    ),
    unique_by=lambda item: item.code,
    min_size=1,
)


@given(ITEMS, st.sampled_from(["", "q1", "q2", "gone"]))
def test_whatever_stands_in_the_table_ends_and_offers_only_leaves_in_use(
    items: list[Disposition], queue: str
) -> None:
    tree = DispositionTree(items)
    walked = [item.code for item, _ in tree.walk()]
    assert len(walked) <= len(set(walked)) * 4
    for item in items:
        assert len(tree.path(item.code)) <= MAX_DISPOSITIONS + 1
        if tree.offered(item.code, queue):
            assert item.active
            assert not tree.is_group(item.code)
            assert not item.queues or queue in item.queues
    if tree.flaw(items[0].code, ("q1", "q2")) is None:
        assert any(tree.offered(item.code, "q1") for item in items)
