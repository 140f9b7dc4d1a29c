"""Builds the services of repairs and of cases' files, which share a store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from crm.attachments import Attachments
from crm.cases import CaseRegister
from crm.deposit_rules import DepositRules
from crm.deposits import Deposits
from crm.domain.warranty_terms import Terms
from crm.file_store import FileStore
from crm.journal import Journal
from crm.limits import LimitBook
from crm.repair_read import RepairReader
from crm.repair_store import RepairStore
from crm.repair_work import RepairWork
from crm.repairs import Repairs
from crm.search_feed import SearchFeed
from crm.settlement_read import CostReader
from crm.settlements import Settlements
from crm.warranties import Warranties
from kernel.clock import Clock
from kernel.db import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairServices:
    """The services."""

    store: RepairStore
    repairs: Repairs
    work: RepairWork
    reader: RepairReader
    settlements: Settlements
    costs: CostReader
    deposits: Deposits
    deposit_rules: DepositRules
    attachments: Attachments
    warranties: Warranties

    @classmethod
    def build(
        cls,
        database: Database,
        clock: Clock,
        *,
        register: CaseRegister,
        journal: Journal,
        limits: LimitBook,
        feed: SearchFeed,
        zone: ZoneInfo,
        files: Path,
        terms: Terms | None = None,
    ) -> Self:
        """Build them.

        Args:
            files: the folder of photos and scans.
            feed: knows what repairs add to it.
            terms: what a home is warranted for, and how long.
        """
        store = RepairStore(database, clock, register=register, journal=journal, limits=limits, feed=feed)
        reader = RepairReader(database, clock, register=register, limits=limits, zone=zone)
        attachments = Attachments(database, clock, cases=register, journal=journal, store=FileStore(files))
        deposits = Deposits(database, clock, journal, zone=zone)
        costs = CostReader(database)
        return cls(
            store=store,
            repairs=Repairs(store, reader),
            work=RepairWork(store, reader, attachments),
            reader=reader,
            settlements=Settlements(store, costs, deposits, zone=zone),
            costs=costs,
            deposits=deposits,
            deposit_rules=DepositRules(database, clock, journal, deposits, zone=zone),
            attachments=attachments,
            warranties=Warranties(database, clock, journal, zone=zone, terms=terms),
        )
