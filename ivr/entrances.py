"""Flows into which a customer may be sent in the middle of a call: all in force but those after a queue."""

from ivr.repository import FlowRepository
from ivr.service import AFTER_QUEUE, DELIVERED, delivered


async def entrances(flows: FlowRepository) -> dict[str, str]:
    """Return name → title of the flows, as callers hear them now."""
    texts = {name: delivered(name) for name in DELIVERED}
    texts |= {name: text for name, (_, text) in (await flows.active()).items()}
    return {
        name: _title(text) or name for name, text in sorted(texts.items()) if not name.startswith(AFTER_QUEUE)
    }


def _title(text: str) -> str:
    """Return what a flow is called; its text was proven when it was published."""
    for line in text.splitlines():
        if line.startswith("title:"):
            return line.partition(":")[2].split(" #")[0].strip().strip("\"'")[:80]
    return ""
