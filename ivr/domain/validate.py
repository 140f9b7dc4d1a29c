"""Is the flow sound? The graph is proven before anybody can be sent through it."""

from collections.abc import Callable, Collection, Iterable, Mapping

from ivr.domain.flow import (
    CALL_VARIABLES,
    LOOKUPS,
    CallbackRequest,
    Collect,
    Edge,
    Flow,
    Hangup,
    Hours,
    Listening,
    Lookup,
    Node,
    OtherFlow,
    Queue,
    Resume,
    SetVariables,
    Switch,
)
from ivr.domain.parse import parse_flow
from ivr.domain.problems import FlowInvalid, Problem
from ivr.domain.text import Template
from ivr.domain.variables import names_in
from ivr.domain.yaml_tree import read_yaml


def load_flow(
    text: str | bytes,
    *,
    source: str,
    queues: Collection[str],
    constants: Mapping[str, str] | None = None,
) -> Flow:
    """Read and prove a flow file.

    Args:
        text: the file.
        source: its name, for messages.
        queues: queues that exist.
        constants: texts the settings give, such as the company's name.

    Raises:
        FlowInvalid: with every mistake found; mistakes of form hide those of the graph.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise FlowInvalid(source, [Problem(line, None, "the file is not UTF-8")]) from error
    problems: list[Problem] = []
    flow = parse_flow(read_yaml(text, source), constants or {}, problems)
    problems += _references(flow, queues)
    if not problems:
        problems += _graph(flow)
    if problems:
        raise FlowInvalid(source, problems)
    return flow


def _references(flow: Flow, queues: Collection[str]) -> Iterable[Problem]:
    """Names that must exist: nodes, prompts, queues, schedules, variables."""
    if flow.start and flow.start not in flow.nodes:
        yield Problem(0, None, f"start: there is no node “{flow.start}”")
    for name in flow.fallback.say:
        if name not in flow.prompts:
            yield Problem(0, None, f"fallback: there is no prompt “{name}”")
    if flow.fallback.queue is not None and flow.fallback.queue not in queues:
        yield Problem(0, None, f"fallback: {_no_queue(flow.fallback.queue, queues)}")
    variables = CALL_VARIABLES.union(*(_given(node) for node in flow.nodes.values()))
    for node in flow.nodes.values():
        for edge in node.edges():
            if edge.to and edge.to not in flow.nodes:
                yield Problem(node.line, node.id, f"{edge.why} leads to “{edge.to}”, which does not exist")
        for name in dict.fromkeys(node.prompts()):
            if name not in flow.prompts:
                yield Problem(node.line, node.id, f"there is no prompt “{name}”")
        if isinstance(node, Queue) and node.queue and node.queue not in queues:
            yield Problem(node.line, node.id, _no_queue(node.queue, queues))
        if isinstance(node, Hours) and node.schedule and node.schedule not in flow.schedules:
            yield Problem(node.line, node.id, f"there is no schedule “{node.schedule}” under hours")
        for variable in sorted(_used(node) - variables):
            yield Problem(node.line, node.id, f"nothing in the flow gives the variable “{variable}”")
    for prompt in flow.prompts.values():
        for variable in sorted(_spoken(prompt.template) - variables):
            yield Problem(
                prompt.line, None, f"prompt “{prompt.name}”: nothing gives the variable “{variable}”"
            )


def _no_queue(queue: str, queues: Collection[str]) -> str:
    return f"there is no queue “{queue}”; there are {', '.join(sorted(queues)) or 'none'}"


def _given(node: Node) -> frozenset[str]:
    if isinstance(node, Collect):
        return frozenset({node.into})
    if isinstance(node, SetVariables):
        return frozenset(node.values)
    if isinstance(node, Lookup) and node.ask in LOOKUPS:
        return LOOKUPS[node.ask].gives
    return frozenset()


def _used(node: Node) -> frozenset[str]:
    if isinstance(node, Switch):
        return frozenset({node.on}) - {""}
    if isinstance(node, CallbackRequest):
        return frozenset({node.phone}) - {""}
    if isinstance(node, SetVariables):
        return frozenset().union(*(names_in(value) for value in node.values.values()))
    return frozenset()


def _spoken(template: Template) -> frozenset[str]:
    return frozenset(slot.variable for slot in template.slots)


def _graph(flow: Flow) -> Iterable[Problem]:
    reached = _reach(flow.nodes, {flow.start}, lambda edge: True)
    for node in flow.nodes.values():
        if node.id not in reached:
            yield Problem(node.line, node.id, "no way leads here from the start")
    yield from _ends(flow, reached)
    yield from _spinning(flow, reached)
    yield from _personal(flow)


def _reach(nodes: Mapping[str, Node], start: set[str], follow: Callable[[Edge], bool]) -> set[str]:
    reached, todo = set(start), list(start)
    while todo:
        for edge in nodes[todo.pop()].edges():
            if follow(edge) and edge.to not in reached:
                reached.add(edge.to)
                todo.append(edge.to)
    return reached


def _ends(flow: Flow, reached: set[str]) -> Iterable[Problem]:
    """A loop without exit: from some node no key and no patience ever leads to an end."""
    back: dict[str, set[str]] = {name: set() for name in flow.nodes}
    for node in flow.nodes.values():
        for edge in node.edges():
            back[edge.to].add(node.id)
    # A listening node without its own «failed» ends at the fallback.
    ending = {
        node.id
        for node in flow.nodes.values()
        if isinstance(node, Queue | Resume | Hangup | OtherFlow)
        or (isinstance(node, Listening) and node.failed is None)
    }
    todo = list(ending)
    while todo:
        for name in back[todo.pop()] - ending:
            ending.add(name)
            todo.append(name)
    for name in reached - ending:
        node = flow.nodes[name]
        yield Problem(node.line, name, "loop without exit: no way from here ends at a queue or a hang-up")


def _spinning(flow: Flow, reached: set[str]) -> Iterable[Problem]:
    """A loop that needs no caller would run for ever, or speak to nobody."""
    automatic = {name for name in reached if not isinstance(flow.nodes[name], Listening)}
    left = {
        name: {edge.to for edge in flow.nodes[name].edges() if edge.to in automatic} for name in automatic
    }
    # Take away what leads to no loop until only loops, and what leads to them, remain.
    while done := {name for name, targets in left.items() if not targets & left.keys()}:
        for name in done:
            del left[name]
    for name in left:
        if name in _reach(
            {key: flow.nodes[key] for key in left}, _next(flow, name, left), lambda e: e.to in left
        ):
            yield Problem(
                flow.nodes[name].line, name, "loop without exit: it comes back here without asking the caller"
            )


def _next(flow: Flow, name: str, within: Collection[str]) -> set[str]:
    return {edge.to for edge in flow.nodes[name].edges() if edge.to in within}


def _personal(flow: Flow) -> Iterable[Problem]:
    """Personal facts are spoken only behind a key that confirms identity (domain.md §3.0)."""
    personal = _personal_variables(flow)
    open_to_all = _reach(flow.nodes, {flow.start}, lambda edge: not edge.identity)
    for name in open_to_all:
        node = flow.nodes[name]
        for prompt in dict.fromkeys(node.prompts()):
            facts = sorted(_spoken(flow.prompts[prompt].template) & personal)
            if facts:
                message = f"prompt “{prompt}” speaks {', '.join(facts)} before an identity key was pressed"
                yield Problem(node.line, name, message)


def _personal_variables(flow: Flow) -> frozenset[str]:
    """The personal variables and those that ``set`` nodes copy them into."""
    found = frozenset[str]().union(*(kind.personal for kind in LOOKUPS.values()))
    setters = [node for node in flow.nodes.values() if isinstance(node, SetVariables)]
    for _ in range(len(setters) + 1):
        found |= {name for node in setters for name, value in node.values.items() if names_in(value) & found}
    return found
