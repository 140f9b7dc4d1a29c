"""``huifang retention``."""

from typing import Annotated

import typer

from app.command_line import run, settings
from app.console import console


def retention(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what has ended; delete nothing.")
    ] = False,
) -> None:
    """Delete or make anonymous what is not to be kept any more, as the centre does once a day."""
    from app.retention import run_retention

    for line in run(run_retention(settings(), dry_run=dry_run)):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
