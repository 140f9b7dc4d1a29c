"""Commands about crews' quality deposits."""

from app.command_line import group, run, settings
from app.console import done

deposits = group("Crews' quality deposits.")


@deposits.command("post")
def deposits_post() -> None:
    """Withhold and release what the rules ask for; again, it does nothing."""
    from app.deposits import post_due

    posted = run(post_due(settings()))
    done(
        f"withheld {posted.withheld_sum} of {posted.withheld} projects, "
        f"released {posted.released_sum} of {posted.released}"
    )
