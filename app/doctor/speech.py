"""What the doctor asks of speech recognition: libraries, models, and who listens to which language."""

import importlib.util
from collections.abc import Sequence

from app.doctor.findings import Finding
from app.doctor.inputs import DoctorInputs
from speech.engines import ENGINES
from speech.model_store import State
from speech.ports import ModelMissing

NAME = "speech"


async def check_speech(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether every language of the calls has a whole model and an engine to run it. Loads nothing."""
    recognition, store = inputs.recognition, inputs.models
    if recognition is None or store is None or not recognition.enabled:
        return [Finding.good(NAME, "switched off (speech.enabled); calls have no text")]
    findings = [
        Finding.error(
            NAME, one.wrong.partition(": run «")[0], f"run «huifang speech install {one.entry.name}»"
        )
        for one in store.standings()
        if one.state is State.DAMAGED
    ]
    lines = []
    for language in inputs.languages:
        try:
            live = recognition.entry(language)
            later = recognition.entry(language, background=True)
        except ModelMissing as error:
            said, _, mend = error.message.partition(": ")
            findings.append(
                Finding.warning(NAME, f"{said}; its calls have no text", mend or "see speech.engine")
            )
            continue
        for entry in {live.name: live, later.name: later}.values():
            library = ENGINES[entry.engine].library
            if importlib.util.find_spec(library) is None:
                findings.append(
                    Finding.error(
                        NAME, f"{entry.name} needs the Python package {library}", "install the product again"
                    )
                )
        lines.append(f"{language}: live {live.name}, after the call {later.name}")
    if lines:
        findings.append(Finding.good(NAME, "; ".join(lines)))
    return findings
