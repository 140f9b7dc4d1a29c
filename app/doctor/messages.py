"""What the doctor asks of the ways out: the mail server."""

import asyncio
from collections.abc import Sequence

from app.doctor.findings import Finding
from app.doctor.inputs import DoctorInputs


async def check_messages(inputs: DoctorInputs) -> Sequence[Finding]:
    """Whether the channels are set up right, and the mail server takes connections. Nothing is sent."""
    name = "messages"
    if inputs.messages_wrong:
        return [Finding.error(name, inputs.messages_wrong, "correct it; docs/configuration.md explains it")]
    if not inputs.channels:
        said = "no channel is set up (notices.smtp_host and others); notices are shown on the pages only"
        return [Finding.good(name, said)]
    if inputs.mail_server is not None:
        host, port = inputs.mail_server
        try:
            async with asyncio.timeout(inputs.deadline.total_seconds()):
                _, writer = await asyncio.open_connection(host, port)
            writer.close()
        except (OSError, TimeoutError) as error:
            said = f"no mail server answers at {host}:{port} ({type(error).__name__})"
            return [Finding.error(name, said, "start it, or correct notices.smtp_host and smtp_port")]
    shown = ", ".join(inputs.channels)
    return [Finding.good(name, f"{shown}; to try one: «huifang notice test»")]
