"""The audio that comes with the program belongs to its texts."""

import pytest

from app.stock_texts import stock_texts
from ivr.prompts.kokoro import speaker_of
from ivr.prompts.stock import Stock, shipped

pytestmark = pytest.mark.unit


def test_every_delivered_text_has_its_audio_and_no_audio_is_left_over() -> None:
    # Mended by «huifang voices build» (docs/voices.md).
    assert Stock.read().problems(stock_texts()) == []


def test_what_is_heard_first_comes_first_and_nothing_twice() -> None:
    wanted = list(stock_texts())
    assert wanted[0].source.startswith("dialplan")
    assert len({one.key for one in wanted}) == len(wanted) > 250
    for source in (
        "flow hotline",
        "flow after-queue",
        "flow hotline_en",
        "survey",
        "questionnaire KG",
        "questionnaire JG",
    ):
        assert any(one.source.startswith(source) for one in wanted), source


def test_one_person_speaks_each_language() -> None:
    speakers = {(clip.voice.name, clip.speaker) for clip in shipped()}
    assert speakers == {(name, speaker_of(name)) for name in ("cmn", "en")}


def test_nobody_has_to_wait_long() -> None:
    assert all(0.3 < clip.seconds < 30 for clip in shipped())
    assert sum(clip.seconds for clip in shipped()) < 45 * 60
