"""Small flows for the tests of the domain."""

import importlib.resources

from ivr.domain.flow import Flow
from ivr.domain.problems import FlowInvalid
from ivr.domain.validate import load_flow

QUEUES = frozenset({"complaint", "repair", "service"})

HEAD = """\
flow: test
start: menu
fallback: {queue: service}
hours:
  office: {mon-fri: [08:30-12:00, 13:30-18:00], holidays: closed}
prompts:
  hello: 您好。
  ask: 投诉请按1。
nodes:
"""
MENU = """\
  menu:
    kind: menu
    say: ask
    keys: {"1": {to: complaint, label: 投诉}, "2": bye}
"""
ENDS = """\
  complaint: {kind: queue, queue: complaint}
  bye: {kind: hangup, say: hello}
"""


def load(text: str) -> Flow:
    return load_flow(text, source="test.yaml", queues=QUEUES)


def problems(text: str | bytes) -> list[str]:
    """Return the mistakes found in ``text``, none when it is sound."""
    try:
        load_flow(text, source="test.yaml", queues=QUEUES)
    except FlowInvalid as error:
        return [problem.describe("test.yaml") for problem in error.problems]
    return []


def hotline() -> Flow:
    """Return the delivered hotline."""
    text = importlib.resources.files("ivr.flows").joinpath("hotline.yaml").read_bytes()
    return load_flow(text, source="hotline", queues=QUEUES)
