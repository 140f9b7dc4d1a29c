"""A flow as a picture: boxes and ways with their places, for a template to draw.

Where many ways end at the same last step, each gets an end of its own: the picture stays a tree that can be
read from the top.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from grandalf.graphs import Edge as DrawnEdge
from grandalf.graphs import Graph, Vertex
from grandalf.layouts import SugiyamaLayout

from ivr.domain.engine import FELL_BACK, GONE
from ivr.domain.flow import (
    CallbackRequest,
    Collect,
    Flow,
    Hangup,
    Hours,
    Lookup,
    Menu,
    Node,
    OtherFlow,
    Play,
    Prompt,
    Queue,
    Resume,
    SetVariables,
    Switch,
    Voicemail,
)
from ivr.domain.text import Literal
from ivr.traffic import Way
from web.i18n import N_, gettext

WIDTH, HEIGHT = 156, 62
GAP, ROW = 12, 58
MARGIN = 18
ASIDE = 66
"""How far a way back up goes to the side."""
LINE = 11
"""Characters of Chinese that fit a line of a box; others count half."""
MAX_LABEL = 9

KINDS: Mapping[type[Node], tuple[str, str]] = {
    Play: ("play", N_("播放")),
    Menu: ("menu", N_("按键菜单")),
    Collect: ("collect", N_("输入号码")),
    Hours: ("hours", N_("看时间")),
    SetVariables: ("set", N_("记下")),
    Switch: ("switch", N_("分情况")),
    Lookup: ("lookup", N_("查资料")),
    CallbackRequest: ("callback", N_("登记回电")),
    Voicemail: ("voicemail", N_("留言")),
    Queue: ("queue", N_("进入排队")),
    OtherFlow: ("flow", N_("转到流程")),
    Hangup: ("hangup", N_("结束通话")),
    Resume: ("resume", N_("回到排队")),
}
WHY: Mapping[str, str] = {
    "open": N_("上班"),
    "closed": N_("下班"),
    "holiday": N_("节假日"),
    "failed": N_("不成功"),
    "otherwise": N_("其他"),
    "found": N_("找到"),
    "several": N_("有几位"),
    "none": N_("没有"),
    "next": "",
}
_ENDS = (Queue, OtherFlow, Hangup, Resume)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A node in the picture, its upper left corner in pixels.

    Attributes:
        lines: what stands in it.
        calls: that came here this week; ``None`` for an end that is drawn more than once.
        gone, fell: who hung up here, and who was passed to people because something failed.
    """

    node: str
    kind: str
    word: str
    lines: tuple[str, ...]
    x: int
    y: int
    start: bool
    calls: int
    gone: int
    fell: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A way in the picture.

    Attributes:
        path: for SVG.
        label, x, y: its words and the middle of their place.
        calls: that went it this week.
        weight: 1 to 5, by its share of all calls.
    """

    path: str
    label: str
    x: int
    y: int
    calls: int
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A whole flow, in pixels."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    calls: int


class _Bends:
    """What the layout tells an edge: where it passes."""

    def __init__(self) -> None:
        self.points: tuple[tuple[float, float], ...] = ()

    def setpath(self, points: list[tuple[float, float]]) -> None:
        self.points = tuple(points)


class _View:
    """What the layout asks of a vertex."""

    def __init__(self) -> None:
        self.w, self.h, self.xy = WIDTH, HEIGHT, (0.0, 0.0)


def picture(flow: Flow, traffic: Mapping[Way, int], queues: Mapping[str, str]) -> Picture:
    """Lay out a proven flow; the same flow gives the same picture.

    Args:
        traffic: from :func:`ivr.traffic.traffic_of`.
        queues: name → label.
    """
    ways = _ways(flow)
    into: dict[str, int] = defaultdict(int)
    for _, to in ways:
        into[to] += 1
    often = {name for name, node in flow.nodes.items() if isinstance(node, _ENDS) and into[name] > 1}
    drawn: dict[tuple[str, str], Any] = {}

    def vertex(name: str, source: str) -> Any:
        key = (name, source if name in often else "")
        if key not in drawn:
            drawn[key] = Vertex(name)
            drawn[key].view = _View()
        return drawn[key]

    for name in flow.nodes:
        if name not in often:
            vertex(name, "")
    edges = {(a, b): DrawnEdge(vertex(a, ""), vertex(b, a)) for a, b in ways}
    for edge in edges.values():
        edge.view = _Bends()
    places = _laid_out(drawn, list(edges.values()), vertex(flow.start, ""))
    left = min(x for x, _ in places.values()) - WIDTH / 2 - MARGIN
    top = min(y for _, y in places.values()) - HEIGHT / 2 - MARGIN
    at = {key: (round(x - left), round(y - top)) for key, (x, y) in places.items()}
    came: dict[str, int] = defaultdict(int)
    for (_, to), calls in traffic.items():
        came[to] += calls
    began = traffic.get(("", flow.start), 0)
    boxes = []
    for (name, source), (x, y) in at.items():
        kind, word = KINDS[type(flow.nodes[name])]
        boxes.append(
            Box(
                node=name,
                kind=kind,
                word=gettext(word),
                lines=_in_lines(said_of(flow, flow.nodes[name], queues)),
                x=x - WIDTH // 2,
                y=y - HEIGHT // 2,
                start=name == flow.start,
                calls=traffic.get((source, name), 0) if source else came[name],
                gone=0 if source else traffic.get((name, GONE), 0),
                fell=0 if source else traffic.get((name, FELL_BACK), 0),
            )
        )
    lines = []
    told: dict[str, int] = defaultdict(int)
    for (a, b), words in ways.items():
        bends = [(round(x - left), round(y - top)) for x, y in edges[a, b].view.points[1:-1]]
        passed = [at[a, ""], *bends, at[b, a if b in often else ""]]
        calls = traffic.get((a, b), 0)
        weight = 1 + (round(4 * min(1.0, calls / began)) if began else 0)
        lines.append(_line(passed, words, calls, weight, nth=0 if b in often else told[b]))
        told[b] += 1
    return Picture(
        width=max(x for x, _ in at.values()) + WIDTH // 2 + MARGIN + ASIDE,
        height=max(y for _, y in at.values()) + HEIGHT // 2 + MARGIN,
        boxes=tuple(boxes),
        lines=tuple(lines),
        calls=began,
    )


def _laid_out(drawn: Mapping[tuple[str, str], Any], edges: list[Any], root: Any) -> dict[Any, Any]:
    graph = Graph(list(drawn.values()), edges)
    # A proven flow is of one piece: there is a way from the start to each node.
    layout = SugiyamaLayout(graph.C[0])
    layout.xspace, layout.yspace = GAP, ROW
    layout.init_all(roots=[root], optimize=True)
    layout.draw(8)
    return {key: one.view.xy for key, one in drawn.items()}


def _line(passed: list[tuple[int, int]], words: str, calls: int, weight: int, *, nth: int) -> Line:
    (x1, y1), (x2, y2) = passed[0], passed[-1]
    if y2 > y1:
        down = [(x1, y1 + HEIGHT // 2), *passed[1:-1], (x2, y2 - HEIGHT // 2)]
        path = f"M{down[0][0]} {down[0][1]}"
        for (from_x, from_y), (to_x, to_y) in pairwise(down):
            bend = max(0, (to_y - from_y) // 2)
            path += f"C{from_x} {from_y + bend} {to_x} {to_y - bend} {to_x} {to_y}"
        # Where several ways end at one box, their words stand apart, each near its way.
        aside = max(-46, min(46, round((down[-2][0] - x2) * 0.3)))
        y = down[-1][1] - 12 - 15 * (nth % 3)
        return Line(path=path, label=words, x=x2 + aside, y=y, calls=calls, weight=weight)
    # Back up: along the side, so that it is not taken for a way down.
    side = WIDTH // 2
    path = f"M{x1 + side} {y1}C{x1 + side + ASIDE} {y1} {x2 + side + ASIDE} {y2} {x2 + side} {y2}"
    return Line(path=path, label=words, x=x2 + side + 34, y=y2 - 8, calls=calls, weight=weight)


def _ways(flow: Flow) -> dict[tuple[str, str], str]:
    """From where to where, and the words of it; several ways between two are one."""
    found: dict[tuple[str, str], list[str]] = {}
    for node in flow.nodes.values():
        for to, words in ways_of(node):
            if to != node.id:
                found.setdefault((node.id, to), []).append(words)
    return {
        way: _shortened(gettext("、").join(filter(None, words)), MAX_LABEL) for way, words in found.items()
    }


def ways_of(node: Node) -> Iterator[tuple[str, str]]:
    """Each way out of a node, with what leads there in the reader's words."""
    for edge in node.edges():
        if edge.why.startswith("key ") and isinstance(node, Menu):
            key = edge.why.removeprefix("key ")
            yield edge.to, f"{key} {node.keys[key].label}".strip()
        elif edge.why.startswith("case "):
            yield edge.to, edge.why.removeprefix("case ") or gettext("（空）")
        else:
            yield edge.to, gettext(WHY[edge.why]) if WHY.get(edge.why) else ""


def said_of(flow: Flow, node: Node, queues: Mapping[str, str]) -> str:
    """What a node is about, in a line."""
    match node:
        case Queue():
            return queues.get(node.queue, node.queue)
        case OtherFlow():
            return node.flow
        case Hours():
            return node.schedule
        case Switch():
            return node.on
        case CallbackRequest():
            return node.reason
        case Lookup():
            return gettext("来电是谁") if node.ask == "caller" else gettext("正在办理的事项")
        case SetVariables():
            return "、".join(node.values)
        case _:
            return "".join(shown_text(flow.prompts[name]) for name in node.say)


def shown_text(prompt: Prompt) -> str:
    """A prompt's text with dots for what is known only during a call."""
    return "".join(piece.text if isinstance(piece, Literal) else "…" for piece in prompt.template.pieces)


def _in_lines(text: str) -> tuple[str, ...]:
    """Two lines at most."""
    first = _fitting(text, LINE)
    rest = text[len(first) :].strip()
    return (first, _shortened(rest, LINE)) if rest else (first,)


def _shortened(text: str, most: int) -> str:
    fits = _fitting(text, most)
    return fits if len(fits) == len(text) else _fitting(text, most - 1) + "…"


def _fitting(text: str, most: float) -> str:
    taken = 0.0
    for index, character in enumerate(text):
        taken += 1 if ord(character) > 0x2E7F else 0.55
        if taken > most:
            return text[:index]
    return text
