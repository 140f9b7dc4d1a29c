"""Whether an espeak-ng reads Chinese: told from the phonemes it makes, not from its version."""

from app.runtime.command import run
from app.runtime.tool import Tool

DEADLINE_SECONDS = 10
GREETING = "您好"
# nín hǎo in espeak-ng's phonemes; one that cannot read the characters says "Chinese letter" for each.
GREETING_PHONEMES = "ni35nX'Au214"


async def reads_chinese(espeak: Tool) -> bool:
    """Return whether the voice ``cmn`` turns characters into Mandarin.

    Raises:
        OSError: it cannot be started.
        TimeoutError: it did not end in time.
    """
    command = espeak.command("-v", "cmn", "-q", "-x", GREETING)
    said = await run(command, env=espeak.env(), deadline_seconds=DEADLINE_SECONDS)
    return said.output.strip().startswith(GREETING_PHONEMES)
