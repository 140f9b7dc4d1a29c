"""Speech as the settings want it: commands, the doctor, readiness."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import cli
from app.doctor import Level
from app.doctor.speech import check_speech
from app.doctor_inputs import doctor_inputs
from app.settings import Settings, load_settings
from app.speech_part import build_recognition, models_dir, readiness
from kernel.errors import ConfigurationError
from speech.model_store import LIST

pytestmark = pytest.mark.integration


def settings(folder: Path, **speech: object) -> Settings:
    return load_settings({}, data_dir=folder, speech=speech)


def pretend(folder: Path, name: str) -> Path:
    """Put a model in place that has no files."""
    place = folder / "models" / name
    place.mkdir(parents=True)
    (place / LIST).write_text(json.dumps({"files": {}}), encoding="utf-8")
    return place


def command(folder: Path, *words: str) -> tuple[int, str]:
    environment = {"HUIFANG_DATA_DIR": str(folder), "COLUMNS": "200"}
    result = CliRunner().invoke(cli, ["speech", *words], env=environment)
    return result.exit_code, result.output


def test_the_list_says_what_is_installed_and_who_listens(tmp_path: Path) -> None:
    status, output = command(tmp_path, "list")
    assert status == 0
    assert "zh: no model for the language 'zh' is installed: run «huifang speech install" in output

    pretend(tmp_path, "whisper-base")
    (pretend(tmp_path, "vosk-ko") / LIST).write_text("{", encoding="utf-8")
    _, output = command(tmp_path, "list")
    rows = {line.split()[0]: line for line in output.splitlines() if line.strip()}
    assert "installed" in rows["whisper-base"]
    assert "damaged" in rows["vosk-ko"]
    assert "zh: live text whisper-base, after the call whisper-base" in output


def test_commands_end_in_one_line_when_something_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "wrong.zip").write_bytes(b"x")
    for words, says in (
        (("install", "whisper-bse"), "did you mean whisper-base?"),
        (("install", "vosk-small-cn", "--from", str(tmp_path / "wrong.zip")), "is not among the files given"),
        (("check", "whisper-base"), "the model whisper-base is not installed"),
        (("remove", "nothing"), "no model is called 'nothing'"),
    ):
        status, output = command(tmp_path, *words)
        assert (status, says in output) == (1, True), output
        assert "Traceback" not in output
    assert command(tmp_path, "check") == (0, "✓ no model is installed\n")
    pretend(tmp_path, "vosk-ko")
    assert command(tmp_path, "check")[0] == 0
    assert "✓ vosk-ko is removed" in command(tmp_path, "remove", "vosk-ko")[1]
    assert "was not installed" in command(tmp_path, "remove", "vosk-ko")[1]


async def test_the_doctor_tells_of_models(tmp_path: Path) -> None:
    given = settings(tmp_path, languages=("zh", "fr"))
    zh, fr = await check_speech(doctor_inputs(given))
    assert (zh.level, fr.level) == (Level.WARNING, Level.WARNING)
    assert zh.mend.startswith("run «huifang speech install vosk-small-cn»")
    assert fr.mend

    (pretend(tmp_path, "vosk-small-cn") / LIST).write_text("{", encoding="utf-8")
    pretend(tmp_path, "whisper-base")
    damaged, fr, well = await check_speech(doctor_inputs(given))
    assert (damaged.level, damaged.mend) == (Level.ERROR, "run «huifang speech install vosk-small-cn»")
    assert (well.level, well.message) == (Level.OK, "zh: live whisper-base, after the call whisper-base")

    (off,) = await check_speech(doctor_inputs(settings(tmp_path, enabled=False)))
    assert (off.level, "switched off" in off.message) == (Level.OK, True)


async def test_readiness_tells_and_never_refuses(tmp_path: Path) -> None:
    assert await readiness(build_recognition(settings(tmp_path)))() == {"state": "no model"}
    assert await readiness(build_recognition(settings(tmp_path, enabled=False)))() == {"state": "off"}

    (pretend(tmp_path, "whisper-base") / "model.bin").touch()
    recognition = build_recognition(settings(tmp_path))
    assert (await readiness(recognition)())["state"] == "ready"
    await recognition._warm("zh")
    told = await readiness(recognition)()
    assert told["state"] == "trouble"
    assert "config.json is missing: this is no model for Whisper" in told["says"]
    await recognition.aclose()


def test_settings_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for wrong, says in (
        ({"engine": "siri"}, "no engine: there are vosk, whisper"),
        ({"languages": ("chinese",)}, "no code of a language"),
        ({"memory_mb": 1}, "speech.memory_mb"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            settings(tmp_path, **wrong)
    assert models_dir(settings(tmp_path)) == tmp_path / "models"
    assert models_dir(settings(tmp_path, models_dir="/srv/models")) == Path("/srv/models")
