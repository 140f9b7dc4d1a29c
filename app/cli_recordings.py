"""``huifang recordings``."""

import typer

from app.command_line import group, run, settings
from app.console import console

recordings = group("Recordings of calls.")


@recordings.command("check")
def check() -> None:
    """Compare recordings with their files, both ways, as the centre does every night; nothing is deleted.

    Ends with 1 where files are gone, or belong to no call.
    """
    from app.recording_part import check_recordings

    well, lines = run(check_recordings(settings()))
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not well:
        raise typer.Exit(1)
