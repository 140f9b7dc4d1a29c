"""What a person at the terminal sees: steps with progress, and one line when something is wrong."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from kernel.errors import HuifangError

console = Console(stderr=False, highlight=False)
errors = Console(stderr=True, highlight=False)


def fail(message: str) -> int:
    """Print what went wrong; return the exit status."""
    errors.print(f"[bold red]✗[/] {escape(message)}", soft_wrap=True)
    return 1


def done(message: str) -> None:
    """Print a finished step."""
    console.print(f"[green]✓[/] {escape(message)}", soft_wrap=True)


@contextmanager
def step(title: str) -> Iterator["Step"]:
    """Show a step that is under way, with a bar once its size is known; print it when it has ended."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not sys.stdout.isatty(),
    ) as progress:
        current = Step(progress, progress.add_task(title, total=None), title)
        if not sys.stdout.isatty():
            console.print(f"… {title}")
        yield current
    done(current.result or title)


class Step:
    """A step under way."""

    def __init__(self, progress: Progress, task: TaskID, title: str) -> None:
        self._progress = progress
        self._task = task
        self._title = title
        self.result = ""

    def show(self, name: str, finished: int, total: int) -> None:
        """Show that ``finished`` of ``total`` of the part ``name`` are done."""
        self._progress.update(
            self._task, description=f"{self._title}: {name}", completed=finished, total=total or None
        )


def one_line(error: BaseException) -> str:
    """Return an error as the line a person gets."""
    if isinstance(error, BaseExceptionGroup):
        return one_line(error.exceptions[0])
    if isinstance(error, HuifangError):
        return error.message
    if isinstance(error, OSError) and error.strerror:
        place = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror}{place}"
    if isinstance(error, SQLAlchemyError):
        # The text of SQLAlchemy's own goes on with the statement and an address to read about it.
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        said = (str(cause).splitlines() or [type(error).__name__])[0]
        return f"the database cannot be used ({said}): check HUIFANG_DATABASE_URL"
    return f"{type(error).__name__}: {error}"
