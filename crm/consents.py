"""Consents with their proof (PIPL, domain.md §6.4): given, withdrawn, never overwritten."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm import people_reads
from crm.domain.freeze import ConsentBasis, ConsentPurpose, check_basis
from crm.domain.lines import choice, one_line
from crm.events_people import ConsentWithdrawn
from crm.office import Office, customer_for_change
from crm.people_tables import ConsentRow
from crm.people_views import ConsentView
from kernel.access import Actor, Permission
from kernel.errors import Conflict, Invalid, NotFound
from kernel.ids import is_ulid, new_ulid
from kernel.outbox import add_fact

MAX_EVIDENCE = 400
MAX_VERSION = 40
LONGEST_AGO = timedelta(days=3660)


class Consents:
    """Writes consents down."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def give(
        self,
        actor: Actor,
        customer_id: str,
        *,
        purpose: str,
        basis: str,
        evidence: str,
        text_version: str,
        given_at: datetime | None = None,
    ) -> ConsentView:
        """Write down that the customer agreed.

        Args:
            evidence: the call and its second, or the paper's scan.
            text_version: of the wording that the customer agreed to.

        Raises:
            Forbidden: the role writes no customers.
            NotFound: no such customer.
            Conflict: a consent for the purpose holds already.
            Invalid: a field is missing, or the basis is no ground for the purpose.
        """
        async with self._office.database.transaction() as session:
            return await self.give_in(
                session,
                actor,
                customer_id,
                purpose=purpose,
                basis=basis,
                evidence=evidence,
                text_version=text_version,
                given_at=given_at,
            )

    async def give_in(
        self,
        session: AsyncSession,
        actor: Actor,
        customer_id: str,
        *,
        purpose: str,
        basis: str,
        evidence: str,
        text_version: str,
        given_at: datetime | None = None,
    ) -> ConsentView:
        """Do :meth:`give` in the caller's transaction."""
        actor.need(Permission.CUSTOMERS_EDIT)
        office, now = self._office, self._office.now()
        wanted = choice(ConsentPurpose, purpose, field="purpose")
        ground = choice(ConsentBasis, basis, field="basis")
        check_basis(wanted, ground)
        proof = one_line(evidence, field="evidence", limit=MAX_EVIDENCE)
        version = one_line(text_version, field="text_version", limit=MAX_VERSION)
        at = given_at or now
        if at > now or at < now - LONGEST_AGO:
            raise Invalid("not in the future, and at most ten years ago", field="given_at")
        customer = await customer_for_change(session, customer_id, None)
        holding = select(ConsentRow.id).where(
            ConsentRow.customer_id == customer.id,
            ConsentRow.purpose == wanted.value,
            ConsentRow.withdrawn_at.is_(None),
        )
        if (await session.execute(holding)).first() is not None:
            raise Conflict("this consent holds already", field="purpose")
        row = ConsentRow(
            id=new_ulid(),
            customer_id=customer.id,
            purpose=wanted.value,
            basis=ground.value,
            given_at=at,
            evidence=proof,
            text_version=version,
            recorded_by=actor.name,
        )
        session.add(row)
        customer.updated_at, customer.updated_by = now, actor.name
        await session.flush()
        await office.journal.note(
            session,
            actor,
            "consent_given",
            entity="customer",
            entity_id=customer.id,
            after={"consent_id": row.id, "purpose": row.purpose, "text_version": version},
        )
        return people_reads.consent_view(row)

    async def withdraw(self, actor: Actor, consent_id: str, *, evidence: str) -> ConsentView:
        """Write down that the customer withdrew; it holds at once.

        One way and once: whoever comes second is refused and told so, nothing is overwritten.

        Raises:
            Forbidden: the role writes no customers.
            NotFound: no such consent.
            Conflict: it was withdrawn already.
            Invalid: no evidence.
        """
        actor.need(Permission.CUSTOMERS_EDIT)
        office = self._office
        proof = one_line(evidence, field="evidence", limit=MAX_EVIDENCE)
        async with office.database.transaction() as session:
            owner = select(ConsentRow.customer_id).where(ConsentRow.id == consent_id)
            whose = (await session.execute(owner)).scalar_one_or_none() if is_ulid(consent_id) else None
            if whose is None:
                raise NotFound("no such consent", field="consent_id")
            # The customer first, as everywhere: two changes never wait for each other.
            customer = await customer_for_change(session, whose, None)
            query = select(ConsentRow).where(ConsentRow.id == consent_id).with_for_update()
            row = (await session.execute(query)).scalar_one()
            if row.withdrawn_at is not None:
                raise Conflict("it was withdrawn already", field="consent_id")
            row.withdrawn_at, row.withdrawn_by = office.now(), actor.name
            row.withdrawn_evidence = proof
            customer.updated_at, customer.updated_by = office.now(), actor.name
            await session.flush()
            add_fact(
                session,
                ConsentWithdrawn(
                    at=office.now(), customer_id=row.customer_id, consent_id=row.id, purpose=row.purpose
                ),
            )
            await office.journal.note(
                session,
                actor,
                "consent_withdrawn",
                entity="customer",
                entity_id=row.customer_id,
                after={"consent_id": row.id, "purpose": row.purpose},
            )
            return people_reads.consent_view(row)
