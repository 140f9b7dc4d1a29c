"""From the YAML of a flow file to a :class:`~ivr.domain.flow.Flow`, with every mistake of form named.

Whether the graph makes sense is :mod:`ivr.domain.validate`'s question.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from ivr.domain.flow import (
    KEYS,
    LOOKUPS,
    CallbackRequest,
    Choice,
    Collect,
    DigitFormat,
    Fallback,
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
    Voice,
    Voicemail,
)
from ivr.domain.languages import DEFAULT, LANGUAGES, Language
from ivr.domain.opening import read_schedule
from ivr.domain.parse_wishes import confirm_prompt, confirmations, read_wish, wishes_of
from ivr.domain.problems import Problem
from ivr.domain.reading import fields_of
from ivr.domain.text import BadTemplate, Literal, Template, parse_template
from kernel.business_time import OpeningHours
from kernel.yaml_fields import Fields
from kernel.yaml_tree import Table, Tree, Value

MAX_NODES = 300
MAX_PROMPTS = 500

NAME = re.compile(r"[a-z][a-z0-9_-]{0,47}")
RECORDING = re.compile(r"r[0-9a-f]{15}")
"""A letter first: digits alone would be read as a number."""
VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,47}")
_UNSPOKEN = Template((Literal("…"),))


def parse_flow(tree: Tree, constants: Mapping[str, str], problems: list[Problem]) -> Flow:
    """Read the whole file; mistakes go to ``problems``, and where there are any the flow is unusable."""
    top = fields_of(tree, problems, "the flow")
    name = top.required("flow")
    if name and not NAME.fullmatch(name):
        top.complain(top.line_of("flow"), f"“{name}” is no name: small letters, digits, - and _, at most 48")
    own = {key: value for key, _, value in _texts(top.fields("constants", "constant"))}
    # The company's own name and number, given by the settings, win over what a file says.
    known = {**own, **constants}
    schedules = _schedules(top)
    language = LANGUAGES[top.choice("language", set(LANGUAGES), DEFAULT) or DEFAULT]
    prompts = _prompts(top, known, language)
    nodes = _nodes(top, problems)
    voice = top.fields("voice")
    flow = Flow(
        name=name,
        title=top.text("title", name),
        start=top.required("start", "the name of a node"),
        fallback=_fallback(top),
        nodes=nodes,
        prompts=prompts | confirmations(nodes, prompts),
        schedules=schedules,
        voice=Voice(
            name=voice.text("name", language.voice),
            speed=voice.number("speed", Voice().speed, low=80, high=400),
        ),
        language=language.code,
        longest=timedelta(minutes=top.number("longest_minutes", 8, low=1, high=60)),
    )
    voice.done()
    top.done()
    return flow


def _texts(fields: Fields) -> list[tuple[str, int, str]]:
    found: list[tuple[str, int, str]] = []
    for name, line, value in fields.items():
        if isinstance(value, Value) and not value.empty:
            found.append((name, line, value.text))
        else:
            fields.complain(line, f"{name} must be a text")
    return found


def _schedules(top: Fields) -> dict[str, OpeningHours]:
    found: dict[str, OpeningHours] = {}
    hours = top.fields("hours", "schedule")
    for name, line, value in hours.items():
        if not isinstance(value, Table):
            hours.complain(line, f"schedule {name} must be a mapping of days to hours")
            continue
        found[name] = read_schedule(hours.nested(value, f"schedule {name}"))
    return found


def _prompts(top: Fields, constants: Mapping[str, str], language: Language) -> dict[str, Prompt]:
    found = {
        name: Prompt(name=name, text=text, template=parse_template(text, {}))
        for name, text in language.stock.items()
    }
    prompts = top.fields("prompts", "prompt")
    texts = _prompt_texts(prompts)
    if len(texts) > MAX_PROMPTS:
        prompts.complain(prompts.line, f"more than {MAX_PROMPTS} prompts")
    for name, line, text, voice, recording in texts:
        template = _UNSPOKEN
        if not VARIABLE.fullmatch(name):
            prompts.complain(line, f"“{name}” is no name for a prompt: small letters, digits and _")
        try:
            template = parse_template(text, constants)
        except BadTemplate as error:
            prompts.complain(line, f"prompt “{name}”: {error}")
        made = Prompt(name=name, text=text, template=template, line=line, voice=voice, recording=recording)
        if recording and not made.recordable:
            prompts.complain(line, f"prompt “{name}” has variables: a recording cannot stand for it")
        found[name] = made
    return found


def _prompt_texts(prompts: Fields) -> list[tuple[str, int, str, Voice | None, str]]:
    """Read a text, or one with a voice of its own or a recording: ``{text: Press 9, voice: en}``."""
    found: list[tuple[str, int, str, Voice | None, str]] = []
    for name, line, value in prompts.items():
        if isinstance(value, Value) and not value.empty:
            found.append((name, line, value.text, None, ""))
        elif isinstance(value, Table):
            fields = prompts.nested(value, f"prompt {name}")
            text, voice, recording = fields.required("text"), fields.text("voice"), fields.text("recording")
            if recording and not RECORDING.fullmatch(recording):
                fields.complain(
                    fields.line_of("recording"), "recording is a name that the page of flows gives"
                )
            if not voice and not recording:
                fields.complain(line, "voice is missing: write the text alone where it has none of its own")
            fields.done()
            found.append((name, line, text, Voice(name=voice) if voice else None, recording))
        else:
            prompts.complain(line, f"{name} must be a text")
    return found


def _fallback(top: Fields) -> Fallback:
    tree = top.tree("fallback")
    if tree is None:
        top.complain(top.line, "fallback is missing: say which queue takes over when anything fails")
        return Fallback(queue=None)
    if isinstance(tree, Value) and tree.text == "hangup":
        return Fallback(queue=None, say=("stock_goodbye",))
    fields = top.fields("fallback")
    made = Fallback(queue=fields.required("queue") or None, say=fields.words("say", ("stock_transfer",)))
    fields.done()
    return made


def _nodes(top: Fields, problems: list[Problem]) -> dict[str, Node]:
    nodes = top.fields("nodes", "node")
    found: dict[str, Node] = {}
    for name, line, value in nodes.items():
        if not NAME.fullmatch(name):
            nodes.complain(line, f"“{name}” is no name for a node: small letters, digits, - and _")
        fields = fields_of(value, problems, "the node", name)
        kind = fields.required("kind")
        reader = _READERS.get(kind)
        if reader is None:
            if kind:
                known = ", ".join(_READERS)
                fields.complain(fields.line_of("kind"), f"there is no node kind “{kind}”; it knows {known}")
            # Named all the same, so that ways to it are not reported as well.
            found[name] = Hangup(id=name, line=line)
            continue
        found[name] = reader(fields, name, line)
        fields.done()
    if len(found) > MAX_NODES:
        nodes.complain(nodes.line, f"more than {MAX_NODES} nodes")
    if not found:
        top.complain(top.line, "nodes is missing or empty")
    return found


def _spoken(fields: Fields) -> tuple[str, ...]:
    say = fields.words("say")
    if not say:
        fields.complain(fields.line, "say is missing: name the prompt to speak")
    return say


def _target(fields: Fields, name: str) -> str:
    return fields.required(name, "the name of a node")


def _play(fields: Fields, name: str, line: int) -> Node:
    return Play(
        id=name,
        line=line,
        say=_spoken(fields),
        next=_target(fields, "next"),
        barge_in=fields.flag("barge_in", False),
    )


def _menu(fields: Fields, name: str, line: int) -> Node:
    keys: dict[str, Choice] = {}
    table = fields.fields("keys", "key")
    for key, at, value in table.items():
        if len(key) != 1 or key not in KEYS:
            table.complain(at, f"“{key}” is no telephone key: 0-9, * or # (in quotes)")
            continue
        keys[key] = _choice(table, name, key, at, value)
    if not keys:
        fields.complain(table.line, "the menu has no keys")
    return Menu(
        id=name,
        line=line,
        say=_spoken(fields),
        keys=keys,
        invite=fields.words("invite"),
        wishes=wishes_of(keys, fields),
        barge_in=fields.flag("barge_in", True),
        wait=fields.seconds("wait_seconds", timedelta(seconds=5)),
        retries=fields.number("retries", 2, low=0, high=5),
        wrong=fields.words("wrong", ("stock_wrong",)),
        silence=fields.words("silence", ("stock_silence",)),
        failed=fields.optional("failed"),
    )


def _choice(table: Fields, node: str, key: str, line: int, value: Tree) -> Choice:
    if isinstance(value, Value):
        if value.empty:
            table.complain(line, f"key {key} leads nowhere")
        return Choice(None if value.text == "repeat" else value.text, "")
    fields = table.nested(value, f"key {key}")
    to, label, identity = _target(fields, "to"), fields.text("label"), fields.flag("identity", False)
    wish = read_wish(fields, key, label=label, identity=identity)
    fields.done()
    return Choice(
        None if to == "repeat" else to,
        label,
        identity=identity,
        wish=wish,
        confirm=confirm_prompt(node, key) if wish is not None else "",
    )


def _collect(fields: Fields, name: str, line: int) -> Node:
    into = fields.required("into", "the name of a variable")
    if into and not VARIABLE.fullmatch(into):
        fields.complain(fields.line_of("into"), f"“{into}” is no name for a variable")
    low = fields.number("min_digits", 1, low=1, high=32)
    high = fields.number("max_digits", 20, low=1, high=32)
    if low > high:
        fields.complain(fields.line_of("min_digits"), "min_digits is larger than max_digits")
    return Collect(
        id=name,
        line=line,
        say=_spoken(fields),
        into=into,
        next=_target(fields, "next"),
        min_digits=low,
        max_digits=high,
        format=DigitFormat(fields.choice("format", set(DigitFormat), DigitFormat.DIGITS)),
        barge_in=fields.flag("barge_in", True),
        wait=fields.seconds("wait_seconds", timedelta(seconds=6)),
        retries=fields.number("retries", 2, low=0, high=5),
        wrong=fields.words("wrong", ("stock_wrong",)),
        silence=fields.words("silence", ("stock_silence",)),
        failed=fields.optional("failed"),
    )


def _hours(fields: Fields, name: str, line: int) -> Node:
    closed = _target(fields, "closed")
    return Hours(
        id=name,
        line=line,
        schedule=fields.required("schedule"),
        open=_target(fields, "open"),
        closed=closed,
        holiday=fields.text("holiday", closed),
    )


def _set(fields: Fields, name: str, line: int) -> Node:
    table = fields.fields("values", "variable")
    values = {key: text for key, _, text in _texts(table)}
    for key in values:
        if not VARIABLE.fullmatch(key):
            table.complain(table.line_of(key), f"“{key}” is no name for a variable")
    if not values:
        fields.complain(fields.line, "values is missing: name a variable and its value")
    return SetVariables(id=name, line=line, values=values, next=_target(fields, "next"))


def _switch(fields: Fields, name: str, line: int) -> Node:
    return Switch(
        id=name,
        line=line,
        on=fields.required("on", "the name of a variable"),
        cases={value: to for value, _, to in _texts(fields.fields("cases", "case"))},
        otherwise=_target(fields, "otherwise"),
    )


def _lookup(fields: Fields, name: str, line: int) -> Node:
    ask = fields.required("ask")
    kind = LOOKUPS.get(ask)
    outcomes: dict[str, str] = {}
    if kind is None:
        if ask:
            fields.complain(fields.line_of("ask"), f"cannot ask for “{ask}”; it knows {', '.join(LOOKUPS)}")
        for _ in fields.items():
            continue
        return Lookup(id=name, line=line, ask=ask, outcomes={})
    usual = fields.optional("next")
    for outcome in kind.outcomes:
        to = fields.optional(outcome) or usual
        if to is None:
            fields.complain(line, f"outcome {outcome} leads nowhere: give {outcome} or next")
        else:
            outcomes[outcome] = to
    failed = fields.optional("failed")
    if failed is not None:
        outcomes["failed"] = failed
    return Lookup(id=name, line=line, ask=ask, outcomes=outcomes)


def _callback(fields: Fields, name: str, line: int) -> Node:
    return CallbackRequest(
        id=name,
        line=line,
        say=fields.words("say"),
        phone=fields.required("phone", "the name of a variable"),
        place=fields.flag("place", False),
        reason=fields.text("reason", "requested by the caller"),
        next=_target(fields, "next"),
        failed=fields.optional("failed"),
    )


def _voicemail(fields: Fields, name: str, line: int) -> Node:
    return Voicemail(
        id=name,
        line=line,
        say=_spoken(fields),
        next=_target(fields, "next"),
        barge_in=fields.flag("barge_in", True),
        wait=fields.seconds("silence_seconds", timedelta(seconds=4)),
        limit=timedelta(seconds=fields.number("limit_seconds", 120, low=5, high=300)),
        retries=fields.number("retries", 1, low=0, high=5),
        silence=fields.words("silence"),
        failed=fields.optional("failed"),
    )


def _queue(fields: Fields, name: str, line: int) -> Node:
    timeout = fields.number("timeout_seconds", 0, low=0, high=3600)
    return Queue(
        id=name,
        line=line,
        say=fields.words("say"),
        queue=fields.required("queue"),
        timeout=timedelta(seconds=timeout) if timeout else None,
        priority=fields.number("priority", 0, low=0, high=20),
        label=fields.text("label"),
    )


def _other_flow(fields: Fields, name: str, line: int) -> Node:
    flow = fields.required("flow", "the name of a flow")
    if flow and not VARIABLE.fullmatch(flow):
        fields.complain(fields.line_of("flow"), f"“{flow}” is no name that a call can go to: a-z, 0-9 and _")
    return OtherFlow(id=name, line=line, say=fields.words("say"), flow=flow)


def _resume(fields: Fields, name: str, line: int) -> Node:
    return Resume(id=name, line=line, say=fields.words("say"))


def _hangup(fields: Fields, name: str, line: int) -> Node:
    return Hangup(id=name, line=line, say=fields.words("say"))


_READERS: Mapping[str, Callable[[Fields, str, int], Node]] = {
    "play": _play,
    "menu": _menu,
    "collect": _collect,
    "hours": _hours,
    "set": _set,
    "switch": _switch,
    "lookup": _lookup,
    "callback_request": _callback,
    "voicemail": _voicemail,
    "queue": _queue,
    "flow": _other_flow,
    "hangup": _hangup,
    "resume": _resume,
}
