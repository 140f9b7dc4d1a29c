"""The picture of a flow: everything is in it, nothing lies on anything else."""

from itertools import combinations

import pytest

from ivr.domain.flow import Flow
from ivr.domain.validate import load_flow
from ivr.service import DELIVERED, delivered
from tests.unit.ivr.flows import ENDS, HEAD, MENU, QUEUES, load
from web.flow_graph import HEIGHT, WIDTH, picture

LABELS = {"service": "客服", "complaint": "投诉", "repair": "报修"}


def flow(name: str) -> Flow:
    return load_flow(delivered(name), source=name, queues=QUEUES, constants={"company": "慧家"})


@pytest.mark.parametrize("name", DELIVERED)
def test_every_node_and_every_way_is_drawn_once_and_apart(name: str) -> None:
    found = flow(name)
    drawn = picture(found, {}, LABELS)
    assert {box.node for box in drawn.boxes} == set(found.nodes)
    pairs = {
        (node.id, edge.to) for node in found.nodes.values() for edge in node.edges() if edge.to != node.id
    }
    assert len(drawn.lines) == len(pairs)
    for one, other in combinations(drawn.boxes, 2):
        assert abs(one.x - other.x) >= WIDTH or abs(one.y - other.y) >= HEIGHT, (one.node, other.node)
    for box in drawn.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + WIDTH <= drawn.width
        assert box.y + HEIGHT <= drawn.height


@pytest.mark.parametrize("name", DELIVERED)
def test_the_same_flow_gives_the_same_picture(name: str) -> None:
    assert picture(flow(name), {}, LABELS) == picture(flow(name), {}, LABELS)


def test_calls_stand_on_their_ways() -> None:
    traffic = {
        ("", "menu"): 10,
        ("menu", "complaint"): 6,
        ("menu", "bye"): 1,
        ("menu", "*gone"): 2,
        ("menu", "*fallback"): 1,
    }
    drawn = picture(load(HEAD + MENU + ENDS), traffic, LABELS)
    boxes = {box.node: box for box in drawn.boxes}
    assert drawn.calls == 10
    assert (boxes["menu"].calls, boxes["menu"].gone, boxes["menu"].fell) == (10, 2, 1)
    assert (boxes["complaint"].calls, boxes["complaint"].lines) == (6, ("投诉",))
    assert {(line.label, line.calls, line.weight) for line in drawn.lines} == {("1 投诉", 6, 3), ("2", 1, 1)}


def test_an_end_of_many_ways_is_drawn_at_each() -> None:
    text = (
        HEAD
        + MENU.replace('"2": bye', '"2": more')
        + ENDS.replace("bye:", "more:").replace(
            "kind: hangup, say: hello", 'kind: menu, say: ask, keys: {"1": complaint}'
        )
    )
    drawn = picture(load(text), {("menu", "complaint"): 3, ("more", "complaint"): 2}, LABELS)
    assert sorted(box.calls for box in drawn.boxes if box.node == "complaint") == [2, 3]


def test_one_node_is_a_picture_too() -> None:
    drawn = picture(
        load(HEAD.replace("start: menu", "start: bye") + "  bye: {kind: hangup, say: hello}\n"), {}, {}
    )
    assert [box.start for box in drawn.boxes] == [True]
    assert drawn.lines == ()
