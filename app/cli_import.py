"""The command that imports customers and projects from a file."""

from pathlib import Path
from typing import Annotated

import typer

from app.command_line import run, settings
from app.console import console, done, fail, step
from app.settings import Settings
from app.store import open_store
from crm.domain.import_columns import PROBLEMS
from crm.importing.report_file import report_csv, report_xlsx
from crm.importing.service import Importer, ImportReport, Options
from crm.importing.sheet import MAX_BYTES
from crm.journal import Journal
from crm.office import Office
from crm.search_whole import whole_feed
from kernel.access import Actor
from kernel.audit import AuditLog
from kernel.clock import SystemClock
from kernel.errors import Invalid

SHOWN = 20


def import_file(
    file: Annotated[Path, typer.Argument(help="CSV (UTF-8 or GB18030) or .xlsx, one customer a row.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    good_rows_only: Annotated[
        bool, typer.Option("--good-rows-only", help="Import the rows that are good though others are not.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="The file goes over what is written down differently.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write the report here: .csv or .xlsx.")] = None,
) -> None:
    """Import customers and projects; the same file again changes nothing."""
    options = Options(good_rows_only=good_rows_only, overwrite=overwrite)
    outcome: ImportReport = run(_import(settings(), file, options, dry_run=dry_run))
    if report is not None:
        write = report_xlsx if report.suffix.lower() == ".xlsx" else report_csv
        report.write_bytes(write(outcome.problems))
    for problem in outcome.problems[:SHOWN]:
        what, mend = PROBLEMS[problem.code]
        value = f" «{problem.value}»" if problem.value else ""
        line = f"row {problem.row}, {problem.column}{value}: {what}; {mend}"
        console.print(line, markup=False, soft_wrap=True)
    left = len(outcome.problems) - SHOWN
    if left > 0:
        console.print(f"… and {left} more: see them with --report FILE", markup=False)
    if outcome.stops and not outcome.written and not (dry_run and good_rows_only):
        raise typer.Exit(fail(f"{outcome.bad} of {outcome.rows} rows are wrong; nothing was imported"))
    verb = "imported" if outcome.written else "would be imported"
    done(
        f"{outcome.good} of {outcome.rows} rows {verb}: {outcome.new_customers} new customers, "
        f"{outcome.new_projects} new projects, {outcome.changed_customers + outcome.changed_projects} "
        f"filled in, {outcome.unchanged} unchanged"
    )


async def _import(chosen: Settings, file: Path, options: Options, *, dry_run: bool) -> ImportReport:
    content = _read(file)
    async with open_store(chosen) as database:
        clock = SystemClock()
        office = Office(
            database=database,
            clock=clock,
            journal=Journal(AuditLog(database, clock)),
            zone=chosen.zone,
            default_area=chosen.centre.default_area,
            search=whole_feed(),
        )
        importer = Importer(office)
        work = importer.check if dry_run else importer.run
        with step(f"import {file.name}") as current:
            return await work(Actor.system("huifang import"), content, file.name, options, current.show)


def _read(file: Path) -> bytes:
    """Return the file's content. Raises Invalid."""
    if not file.is_file():
        raise Invalid(f"{file}: no such file", field="file")
    if file.stat().st_size > MAX_BYTES:
        raise Invalid(f"{file}: larger than {MAX_BYTES // 1024 // 1024} MB: split it", field="file")
    return file.read_bytes()
