"""Campaigns over a database for tests."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from callback_campaigns.campaign_figures import CampaignFigures
from callback_campaigns.campaign_results import CampaignResults
from callback_campaigns.campaigns import CampaignBook, CampaignView, Lines
from callback_campaigns.contact_lists import ContactLists
from callback_campaigns.domain.campaign import Trunk
from callback_campaigns.rule_files import shipped_dialling, shipped_plan
from kernel.access import Role
from kernel.bus import Bus
from kernel.clock import FakeClock
from kernel.db import Database
from telephony.agent_tables import QueueRow
from tests.support.callback_centre import CallbackCentre, make_centre
from tests.support.people import actor

SUPERVISOR = actor(Role.SUPERVISOR, name="王主管")
LINES = Lines(
    trunks={"main": Trunk(name="main", lines=30, caller_ids=("01065558800",))},
    carriers=frozenset({"own", "tencent"}),
)


@dataclass
class CampaignCentre:
    """The services of campaigns."""

    centre: CallbackCentre
    bus: Bus
    book: CampaignBook
    figures: CampaignFigures
    results: CampaignResults
    lists: ContactLists

    def fields(self, **changes: Any) -> dict[str, Any]:
        """Return what a campaign is written with: by the system, about the start of work, for a week."""
        today = self.centre.desk.office.today()
        known: dict[str, Any] = {
            "name": "开工回访",
            "mode": "ivr",
            "kinds": ["KG"],
            "trunk": "main",
            "carrier": "own",
            "caller_id": "01065558800",
            "starts_on": today,
            "ends_on": today + timedelta(days=6),
        }
        return known | changes

    async def made(self, **changes: Any) -> CampaignView:
        """Return a new draft."""
        return await self.book.create(SUPERVISOR, self.fields(**changes))

    async def started(self, **changes: Any) -> CampaignView:
        """Return a new campaign that runs."""
        draft = await self.made(**changes)
        return await self.book.start(SUPERVISOR, draft.campaign.campaign_id, expected=draft.version)


async def make_campaigns(database: Database, clock: FakeClock) -> CampaignCentre:
    """Return the services over a database, which gets a queue."""
    async with database.transaction() as session:
        session.add(QueueRow(name="service", label_zh="客服", label_en="Service"))
    centre, bus = make_centre(database, clock), Bus()
    office, plan, dialling = centre.desk.office, shipped_plan(), shipped_dialling()
    book = CampaignBook(office, LINES, bus)
    return CampaignCentre(
        centre,
        bus,
        book,
        CampaignFigures(office, book, centre.tasks, plan, dialling),
        CampaignResults(office, book),
        ContactLists(office, centre.tasks, plan, centre.desk.do_not_call),
    )
