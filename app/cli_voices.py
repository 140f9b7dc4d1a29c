"""``huifang voices``: the audio of prompts that comes with the program."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.command_line import group, run, settings
from app.console import Step, console, done, fail, step
from app.settings import Settings

if TYPE_CHECKING:
    from ivr.prompts.stock_build import Built

UNHURRIED = timedelta(minutes=10)

voices = group("The voice of the program's own prompts.")

Model = Annotated[
    Path | None, typer.Option("--model", help="Kokoro's weights; by default those that are installed.")
]


@voices.command("build")
def build(
    model: Model = None,
    again: Annotated[bool, typer.Option("--again", help="Make all of them anew.")] = False,
) -> None:
    """Speak every delivered text that has no audio, and write the manifest; may be broken off and goes on."""
    with step("speaking the program's prompts") as shown:
        built = run(_build(settings(), model, again, shown))
        shown.result = f"{built.made} made, {built.kept} were there, {built.dropped} dropped"


@voices.command("check")
def check() -> None:
    """Compare texts, manifest and files; status 1 when they differ."""
    from app.stock_texts import stock_texts
    from ivr.prompts.stock import Stock, StockDamaged

    try:
        stock = Stock.read()
    except StockDamaged as error:
        raise typer.Exit(fail(str(error))) from None
    problems = stock.problems(stock_texts())
    for line in problems:
        console.print(line, markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(fail(f"{len(problems)} problems: run «huifang voices build»"))
    minutes = sum(clip.seconds for clip in stock) / 60
    done(f"{len(stock)} prompts, {minutes:.1f} minutes, all as the manifest says")


async def _build(chosen: Settings, model: Path | None, again: bool, shown: Step) -> "Built":
    from app.stock_texts import stock_texts
    from app.voice import kokoro_voice
    from ivr.prompts.stock import FOLDER
    from ivr.prompts.stock_build import build

    voice = await kokoro_voice(chosen, model=model, timeout=UNHURRIED)
    try:
        return await build(
            FOLDER,
            stock_texts(),
            voice,
            again=again,
            progress=lambda text, ready, total: shown.show(text[:30], ready, total),
        )
    finally:
        await voice.close()
