"""The doctor, as the administrators' page asks for it."""

from app.doctor import run_checks
from app.doctor_inputs import doctor_inputs
from app.settings import Settings
from web.doctor_wire import Examined


async def examine(settings: Settings) -> list[Examined]:
    """Look at the installation as ``huifang doctor`` does; changes nothing."""
    findings = await run_checks(doctor_inputs(settings))
    return [Examined(one.name, one.level.value, one.message, one.mend) for one in findings]
