"""A recording is named in the text of a flow; the rest stays as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.domain.rewriting import with_recording
from kernel.errors import Invalid
from tests.unit.ivr.flows import ENDS, HEAD, MENU, load, problems

TEXT = HEAD + MENU + ENDS
NAME = "r0123456789abcde"


def line_of(text: str, start: str) -> int:
    return next(at for at, line in enumerate(text.split("\n"), 1) if line.strip().startswith(start))


@pytest.mark.parametrize(
    "written",
    [
        "hello: 您好。",
        'hello: "您好。"',
        "hello: {text: 您好。, voice: en}",
        "hello: '您好：''是'' 1'",
        "hello: {text: 您好。, recording: r0000000000000}",
    ],
    ids=["plain", "quoted", "voice", "apostrophes", "again"],
)
def test_named_and_taken_out(written: str) -> None:
    text = TEXT.replace("hello: 您好。", written).replace("r0000000000000", "r00000000000000a")
    line = line_of(text, "hello:")
    made = with_recording(text, line, "hello", NAME)
    before, after = load(text).prompts["hello"], load(made).prompts["hello"]
    assert (after.recording, after.text, after.voice) == (NAME, before.text, before.voice)
    assert [one for at, one in enumerate(made.split("\n"), 1) if at != line] == [
        one for at, one in enumerate(text.split("\n"), 1) if at != line
    ]
    without = load(with_recording(made, line, "hello", "")).prompts["hello"]
    assert (without.recording, without.text, without.voice) == ("", before.text, before.voice)


PRINTED = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="{}\u2028\u2029\ufeff")


@given(st.text(PRINTED, max_size=80))
def test_any_text_stays_what_it_is(words: str) -> None:
    quoted = '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"'
    text = TEXT.replace("hello: 您好。", f"hello: {quoted}")
    if problems(text):
        return
    line = line_of(text, "hello:")
    for name in (NAME, ""):
        made = load(with_recording(text, line, "hello", name)).prompts["hello"]
        assert (made.text, made.recording) == (load(text).prompts["hello"].text, name)


@pytest.mark.parametrize("written", ["hello:\n    您好。", "hello: >\n    您好。"], ids=["below", "folded"])
def test_more_than_a_line_is_refused(written: str) -> None:
    text = TEXT.replace("hello: 您好。", written)
    with pytest.raises(Invalid, match="one line"):
        with_recording(text, line_of(text, "hello:"), "hello", NAME)


def test_a_prompt_with_variables_has_no_recording() -> None:
    text = TEXT.replace(
        "hello: 您好。", f'hello: {{text: "您好{{caller_number:digits}}", recording: {NAME}}}'
    )
    assert any("has variables" in one for one in problems(text))
    text = TEXT.replace("hello: 您好。", "hello: {text: 好, recording: ../x}")
    assert any("page of flows" in one for one in problems(text))
