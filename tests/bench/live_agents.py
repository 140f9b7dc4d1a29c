"""Twenty agents on a real Asterisk, and the dialler that keeps them busy: progressive, power, predictive.

The whole service with its database, the real manager interface, dialplan and queue; customers and agents are
telephones that speak SIP and send audio. Talks last 8 s and forms 2 s on average, so that minutes are as
hours: 45 % of those who are called answer after 2 s, 20 % refuse, the others let it ring for 6 s. Each mode
begins cold: nothing is known of the centre, the account of abandoned calls is empty. `simulator` is what the
simulator makes of the same people (the same list, drawn by the same code) in the same time.

Abandoned: whoever answers and hears no agent's voice within two seconds. It is counted by the customers'
telephones, in the database, and as the campaign's page was shown it. `occupancy`: talking and writing, by the
agents' telephones and pages.

Then the last campaign is disturbed. The manager interface falls silent while Asterisk goes on: nobody is
dialled on a stale picture. All but three agents take a break, fewer than the campaign's least number:
nobody is dialled ahead of them. No agent's telephone answers any more though all ring: the account is used
up, the campaign falls back to one call for each free agent, and then calls nobody.
"""

import asyncio
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from callback_campaigns.domain.campaign import Campaign, CampaignMode
from callback_campaigns.domain.refusal import RefusalCode
from callback_campaigns.pacing import Policy
from callback_campaigns.pacing.simulation.centre import Centre
from callback_campaigns.pacing.terms import Reason
from tests.bench.apart import busy_percent, machine_ticks, percentile, resident_mb
from tests.bench.report import at_least, at_most, report
from tests.support.live_agents import LiveAgents, Spell, live_agents, simulated

AGENTS = int(os.environ.get("BENCH_LIVE_AGENTS", "20"))
SECONDS = {CampaignMode.PROGRESSIVE: 45.0, CampaignMode.POWER: 75.0, CampaignMode.PREDICTIVE: 100.0}
LIMIT_SECONDS = 1_200
"""Seven minutes; others may be using the machine."""
LEAST = 4
SHAPE = Centre(
    agents=AGENTS,
    talk_mean=8.0,
    wrap_mean=2.0,
    ring_mean=2.0,
    ring_limit=6.0,
    answer_ratio=0.45,
    machine_ratio=0.0,
    refused_ratio=0.2,
    swing=0.0,
    screening=0.15,
    pause_ratio=0.0,
    beat=0.2,
    seed=3,
)
STALE_SECONDS = 5.0
"""As the setting `dialler.stale_seconds` has it."""
SILENT_SECONDS = 15.0
FEW_SECONDS = 10.0
DEAF_SECONDS = 40.0
AGAIN_SECONDS = 30.0
WARM_SECONDS = 90.0


def tell(what: str) -> None:
    """Say how far it is."""
    print(f"live_agents: {what}", file=sys.stderr, flush=True)


async def within(seconds: float, is_so: Callable[[], bool]) -> bool:
    """Wait for something, but not for ever: what does not come is a figure, too."""
    until = time.monotonic() + seconds
    while not is_so() and time.monotonic() < until:
        await asyncio.sleep(0.1)
    return is_so()


async def fall_silent(live: LiveAgents) -> dict[str, float]:
    """Freeze the manager interface for a while; count who is dialled on a picture that is stale."""
    began = live.loop_time
    live.proxy.freeze()
    await asyncio.sleep(SILENT_SECONDS)
    ended = live.loop_time
    live.proxy.thaw()
    late = [one for one in live.town.calls if began + STALE_SECONDS + 1.0 < one.at < ended]
    before = len(live.town.calls)
    await within(AGAIN_SECONDS, lambda: len(live.town.calls) > before)
    return {
        "dialled_on_a_stale_picture_count": len(late),
        "dials_again_after_seconds": live.loop_time - ended,
    }


async def few_agents(live: LiveAgents, campaign: Campaign) -> dict[str, float]:
    """Send all but three agents into a break; count who is dialled ahead of those three."""
    desk, away = live.centre.service.desk, live.agent_ids[LEAST - 1 :]
    for agent_id in away:
        await desk.pause(agent_id, "break")
    there = AGENTS - len(away)
    # What rings already was dialled for those who were there.
    await asyncio.sleep(SHAPE.ring_limit + 2.0)
    since = live.loop_time
    await asyncio.sleep(FEW_SECONDS)
    began = [one.at for one in live.town.calls if one.at > since]
    ahead = max((_ringing(live, at) - there for at in began), default=0)
    for agent_id in away:
        await desk.unpause(agent_id)
    return {
        "dialled_for_few_agents_count": len(began),
        "ahead_of_few_agents_count": max(0, ahead),
        "few_agents_pulses_count": live.decisions(campaign).count(Reason.FEW_AGENTS.value),
    }


def _ringing(live: LiveAgents, at: float) -> int:
    """Return how many telephones rang just after a moment."""
    return sum(
        one.at <= at
        and (one.answered_at is None or one.answered_at > at)
        and (one.ended_at is None or one.ended_at > at)
        for one in live.town.calls
    )


async def deaf_telephones(live: LiveAgents, campaign: Campaign) -> dict[str, float]:
    """Let no agent's telephone answer until the account of abandoned calls is overdrawn."""
    before, began = len(live.decisions(campaign)), live.loop_time
    answered = sum(one.answered_at is not None for one in live.town.calls)
    live.people.deaf = True

    def said(reason: str) -> bool:
        return reason in live.decisions(campaign)[before:]

    try:
        await within(DEAF_SECONDS, lambda: said(RefusalCode.ABANDONMENT.value))
        stopped_after = live.loop_time - began
        await asyncio.sleep(SHAPE.ring_limit)
        since = live.loop_time
        await asyncio.sleep(5.0)
        return {
            "budget_fall_back_seen_count": sum(
                one == Reason.BUDGET_USED.value for one in live.decisions(campaign)[before:]
            ),
            "stopped_after_seconds": stopped_after,
            "answered_in_vain_count": sum(one.answered_at is not None for one in live.town.calls) - answered,
            "dialled_after_the_stop_count": sum(one.at > since for one in live.town.calls),
        }
    finally:
        live.people.deaf = False


def figures_of(spell: Spell) -> dict[str, float]:
    """Return one mode's figures beside the simulator's."""
    name, same = spell.mode.value, simulated(SHAPE, spell.mode, spell.seconds, LEAST)
    stored = spell.stored_abandoned / spell.stored_live if spell.stored_live else 0.0
    waits = spell.waits or (0.0,)
    return {
        f"{name}_seconds": spell.seconds,
        f"{name}_dials_count": spell.dials,
        f"{name}_live_answers_count": spell.live,
        f"{name}_occupancy_percent": 100 * spell.occupancy,
        f"{name}_simulator_occupancy_percent": 100 * same.occupancy,
        f"{name}_to_simulator_ratio": spell.occupancy / same.occupancy,
        f"{name}_abandoned_at_telephones_percent": 100 * spell.abandonment,
        f"{name}_abandoned_in_database_percent": 100 * stored,
        f"{name}_abandoned_on_page_percent": 100 * spell.shown_share,
        f"{name}_simulator_abandoned_percent": 100 * same.abandonment,
        f"{name}_sides_differ_calls": abs(spell.live - spell.stored_live)
        + abs(spell.abandoned - spell.stored_abandoned),
        f"{name}_answer_to_voice_p50_ms": 1000 * percentile(list(waits), 0.5),
        f"{name}_answer_to_voice_p99_ms": 1000 * percentile(list(waits), 0.99),
    }


async def measure(folder: Path) -> dict[str, Any]:
    """Let each mode dial, then disturb the last one."""
    people = round(sum(SECONDS.values()) * AGENTS / 3) + 40 * AGENTS
    spells: list[Spell] = []
    async with live_agents(folder, SHAPE, people=people, wire=True) as live:
        ticks, cpu, began = machine_ticks(), time.process_time(), time.perf_counter()
        for mode, seconds in SECONDS.items():
            spells.append(await live.spell(mode, seconds, agents_least=LEAST))
            tell(f"{mode.value}: {spells[-1].live} answered, occupancy {spells[-1].occupancy:.2f}")
        busy = busy_percent(ticks, machine_ticks())
        cpu = (time.process_time() - cpu) / (time.perf_counter() - began)
        campaign = await live.start(CampaignMode.PREDICTIVE, agents_least=LEAST)
        ahead = await within(WARM_SECONDS, lambda: Reason.PREDICTIVE.value in live.decisions(campaign))
        tell("it looks ahead" if ahead else "it does not look ahead yet")
        disturbed = await fall_silent(live)
        tell("the manager interface was silent")
        disturbed |= await few_agents(live, campaign)
        tell("few agents were there")
        disturbed |= await deaf_telephones(live, campaign)
        tell("no telephone answered")
        await live.stop(campaign)
        memory = resident_mb(os.getpid())
    figures: dict[str, float] = {"agents_count": AGENTS}
    for spell in spells:
        figures |= figures_of(spell)
    figures |= disturbed
    figures |= {"cpu_percent": 100 * cpu, "memory_mb": memory, "machine_busy_percent": busy}
    cap = 100 * Policy().cap
    shown = [f"{mode.value}_abandoned_at_telephones_percent" for mode in SECONDS]
    ratio = fmean(figures[f"{mode.value}_to_simulator_ratio"] for mode in SECONDS)
    return report(
        "live_agents",
        figures,
        {
            **{name: at_most(figures[name], cap) for name in shown},
            "sides differ, calls": at_most(
                sum(figures[f"{mode.value}_sides_differ_calls"] for mode in SECONDS), 1
            ),
            "occupancy to the simulator's, ratio": at_least(ratio, 0.9),
            "predictive to progressive occupancy, ratio": at_least(
                figures["predictive_occupancy_percent"] / figures["progressive_occupancy_percent"], 1.0
            ),
            "dialled on a stale picture, count": at_most(disturbed["dialled_on_a_stale_picture_count"], 1),
            "ahead of too few agents, count": at_most(disturbed["ahead_of_few_agents_count"], 1),
            "fall-back to progressive seen, count": at_least(disturbed["budget_fall_back_seen_count"], 1),
            "dialled after the stop, count": at_most(disturbed["dialled_after_the_stop_count"], 1),
        },
    )


def run() -> dict[str, Any]:
    """Run the bench."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with TemporaryDirectory(prefix="huifang-bench-") as folder:
        return asyncio.run(measure(Path(folder)))
