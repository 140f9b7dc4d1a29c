"""Which model listens to which language, and what is said when none does."""

import json
from pathlib import Path

import pytest

from speech.choice import InstalledRecognition
from speech.engines import ENGINES, ModelUnfit
from speech.model_store import LIST, ModelStore
from speech.pool import PoolLimits
from speech.ports import MAX_PHRASES, ModelMissing, PhrasesInvalid, checked_phrases
from speech.vosk_engine import NOISE_SAMPLES, check_files, quieted

pytestmark = pytest.mark.unit


def recognition(folder: Path, *names: str, engine: str = "", enabled: bool = True) -> InstalledRecognition:
    for name in names:
        (folder / name).mkdir()
        (folder / name / LIST).write_text(json.dumps({"files": {}}), encoding="utf-8")
    return InstalledRecognition(
        ModelStore(folder), PoolLimits(), languages=("zh",), engine=engine, enabled=enabled
    )


def test_live_text_takes_what_streams_and_after_the_call_what_is_accurate(tmp_path: Path) -> None:
    found = recognition(tmp_path, "vosk-small-cn", "whisper-base", "vosk-ko")

    assert found.languages == {"zh", "en", "ko", "ja"}
    assert found.choose("zh").model == "vosk-small-cn"
    assert found.choose("zh", background=True).model == "whisper-base"
    assert found.choose("en").model == "whisper-base"
    assert not found.choose("en").capabilities.streaming
    assert found.choose("zh") is found.choose("zh")


def test_a_setting_chooses_the_engine(tmp_path: Path) -> None:
    found = recognition(tmp_path, "vosk-small-cn", "whisper-base", engine="whisper")

    assert found.choose("zh").model == "whisper-base"
    with pytest.raises(ModelMissing, match="there is no model for the language 'fr'"):
        found.choose("fr")


async def test_nothing_installed_says_what_to_install(tmp_path: Path) -> None:
    found = recognition(tmp_path)
    assert found.languages == frozenset()
    with pytest.raises(ModelMissing) as missing:
        found.choose("zh")
    assert missing.value.message == (
        "no model for the language 'zh' is installed: run «huifang speech install vosk-small-cn» or "
        "«huifang speech install vosk-cn» or «huifang speech install whisper-base»"
    )
    await found._warm("zh")
    assert found.trouble == ""


def test_a_damaged_model_is_not_chosen(tmp_path: Path) -> None:
    found = recognition(tmp_path, "vosk-small-cn", "whisper-base")
    (tmp_path / "vosk-small-cn" / LIST).write_text("{", encoding="utf-8")

    assert found.choose("zh").model == "whisper-base"


def test_switched_off_nothing_is_there(tmp_path: Path) -> None:
    found = recognition(tmp_path, "whisper-base", enabled=False)

    assert found.languages == frozenset()
    with pytest.raises(ModelMissing, match="switched off"):
        found.choose("zh")


def test_every_engine_has_its_module() -> None:
    for kind in ENGINES.values():
        assert (Path(__file__).parents[3] / (kind.module.replace(".", "/") + ".py")).is_file()


def test_phrases_are_checked_before_an_engine_sees_them() -> None:
    assert checked_phrases([" 张工长 ", "张工长", "", "通州"]) == ("张工长", "通州")
    for wrong in (["长" * 41], [f"{n}" for n in range(MAX_PHRASES + 1)], ["a\x00b"], ["a\nb"]):
        with pytest.raises(PhrasesInvalid):
            checked_phrases(wrong)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--sample-frequency=16000\n", "takes sound at 16000 Hz only"),
        ("--num-ceps=40\n", "takes sound at 16000 Hz only"),
        ("--sample-frequency=8000\n", None),
        ("--num-ceps=40 # forty\n--allow-upsample=true\n", None),
    ],
)
def test_a_model_that_would_kill_vosk_is_refused_before(
    tmp_path: Path, options: str, says: str | None
) -> None:
    with pytest.raises(ModelUnfit, match=r"am/final.mdl is missing"):
        check_files(tmp_path)
    for name in ("am", "conf"):
        (tmp_path / name).mkdir()
    (tmp_path / "am/final.mdl").touch()
    (tmp_path / "conf/mfcc.conf").write_text(options, encoding="utf-8")

    if says is None:
        check_files(tmp_path)
    else:
        with pytest.raises(ModelUnfit, match=says):
            check_files(tmp_path)


def test_the_noise_under_the_sound_is_the_same_each_time() -> None:
    silence = bytes(2 * (NOISE_SAMPLES + 100))
    whole = quieted(silence, 0)

    assert whole[2000:4000] == quieted(silence[:2000], 1000)
    assert whole[:200] == whole[2 * NOISE_SAMPLES :]
    assert sum(byte != 0 for byte in whole) > 0
    loud = b"\xff\x7f" * 100 + b"\x00\x80" * 100
    pairs = zip(memoryview(quieted(loud, 5)).cast("h"), memoryview(loud).cast("h"), strict=True)
    assert max(abs(one - other) for one, other in pairs) <= 3
