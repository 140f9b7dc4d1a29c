"""Changes one prompt in the text of a flow and leaves everything else as somebody wrote it."""

import re

import yaml

from kernel.errors import Invalid


def with_recording(text: str, line: int, name: str, recording: str) -> str:
    """Return the text with a prompt's recording named, or with none.

    Args:
        line: where the prompt stands, from 1.
        recording: "" takes it out.

    Raises:
        Invalid: the prompt does not stand on one line.
    """
    lines = text.split("\n")
    found = re.fullmatch(rf"(\s*{re.escape(name)}\s*:\s*)(.*)", lines[line - 1]) if line else None
    refused = Invalid("write the prompt on one line: name: text", field="prompt")
    if found is None:
        raise refused
    try:
        value = yaml.safe_load(found[2])
    except yaml.YAMLError as error:
        raise refused from error
    fields = value if isinstance(value, dict) else {"text": value}
    words = fields.get("text")
    if not isinstance(words, str) or not words:
        raise refused
    fields.pop("recording", None)
    if recording:
        written = _flow({**fields, "recording": recording})
    else:
        written = _flow(fields) if set(fields) != {"text"} else _flow([fields["text"]])[1:-1]
    lines[line - 1] = found[1] + written
    return "\n".join(lines)


def _flow(value: object) -> str:
    return yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False
    ).strip()
