"""``huifang speech``: the models that turn speech into text and text into speech."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from app.command_line import group, run, settings
from app.console import Step, console, done, fail, step
from app.settings import Settings

if TYPE_CHECKING:
    from speech.fetch import Progress
    from speech.model_store import ModelStore, Standing

speech = group("Models of speech: fetched, checked, removed.")

Name = Annotated[str, typer.Argument(help="Name of a model; «huifang speech list» shows them.")]


@speech.command("list")
def list_models() -> None:
    """Show every model: installed or not, language, size, and which one listens to which language."""
    chosen = settings()
    store = _store(chosen)
    table = Table(box=None, pad_edge=False)
    for column in ("model", "engine", "languages", "size", "state", ""):
        table.add_column(column, overflow="fold")
    for one in store.standings():
        table.add_row(
            one.entry.name,
            one.entry.engine,
            ", ".join(one.entry.languages),
            f"{max(one.size >> 20, 1)} MB" if one.size else "",
            _state(one),
            one.wrong or one.entry.says,
        )
    console.print(table)
    for line in _choices(chosen):
        console.print(line, markup=False, soft_wrap=True)


@speech.command("install")
def install(
    names: Annotated[list[str], typer.Argument(help="Names of models.")],
    source: Annotated[
        list[Path] | None,
        typer.Option("--from", help="A file of the model, or a folder with its files; fetches nothing."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder of the models, in place of the settings' own.")
    ] = None,
) -> None:
    """Fetch models and prove every byte; one that was broken off goes on, one that is damaged is replaced."""
    store = _store(settings(), to)
    for name in names:
        with step(f"installing {name}") as shown:
            new = run(store.install(name, source or (), _shown(shown)))
            shown.result = f"{name} is installed" if new else f"{name} is installed already, and whole"


@speech.command("check")
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Names; all that are installed.")] = None,
) -> None:
    """Read every byte of installed models and compare it with what was installed; status 1 if one differs."""
    from kernel.errors import HuifangError
    from speech.model_store import State

    store = _store(settings())
    wanted = names or [one.entry.name for one in store.standings() if one.state is not State.AVAILABLE]
    if not wanted:
        done("no model is installed")
    wrong = 0
    for name in wanted:
        try:
            with step(f"checking {name}") as shown:
                files = run(store.check(name, _shown(shown)))
                shown.result = f"{name}: {files} files, all as installed"
        except HuifangError as error:
            wrong += fail(error.message)
    if wrong:
        raise typer.Exit(1)


@speech.command("remove")
def remove(name: Name) -> None:
    """Take a model away, with what was fetched of it."""
    if run(_store(settings()).remove(name)):
        done(f"{name} is removed")
    else:
        done(f"{name} was not installed")


def _store(chosen: Settings, folder: Path | None = None) -> "ModelStore":
    from app.speech_part import model_store
    from speech.model_store import ModelStore

    return ModelStore(folder.expanduser().resolve()) if folder else model_store(chosen)


def _shown(shown: Step) -> "Progress":
    return shown.show


def _state(one: "Standing") -> str:
    return {"installed": "[green]installed[/]", "damaged": "[red]damaged[/]"}.get(one.state.value, "")


def _choices(chosen: Settings) -> list[str]:
    """Say which model is taken for which language."""
    from app.speech_part import build_recognition
    from speech.ports import ModelMissing

    recognition = build_recognition(chosen)
    lines = []
    for language in sorted({*chosen.speech.languages, *recognition.languages}):
        try:
            live = recognition.entry(language).name
            later = recognition.entry(language, background=True).name
        except ModelMissing as error:
            lines.append(f"{language}: {error.message}")
        else:
            lines.append(f"{language}: live text {live}, after the call {later}")
    return lines
