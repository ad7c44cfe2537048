"""The licenses of the old license-manager, and the links between them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q

from credentials_portal.core.history import update_each_with_history
from credentials_portal.core.rehearsal import Rehearsal
from licenses.enums import LIVE, LicenseStatus
from licenses.models import License, SubscriptionPlan
from licenses.services.importing.holders import HOLDER, Holder, Key, as_text, holder_of
from licenses.services.importing.mending import drafted_license
from licenses.services.importing.rows import (
    LICENSE,
    LINK,
    Outcome,
    Result,
    Row,
    draft_all,
    text_of,
    uuid_from,
    uuid_or_none,
)
from licenses.services.importing.tables import SmallTables
from licenses.services.seats import FREE_SEAT


@dataclass
class Licenses:
    """What is brought of them, of the plans in `tables`.

    `unwritten` is what a dry run notes; `freed` are seats that are given to nobody.
    """

    tables: SmallTables
    unwritten: Rehearsal = field(default_factory=Rehearsal)
    freed: set[UUID] = field(default_factory=set)

    def bring_licenses(self, rows: Sequence[Row]) -> list[Result]:
        here = self._known(row.pk for row in rows)

        def draft(row: Row) -> tuple[License | None, str]:
            uuid = uuid_from(row.pk, "uuid")
            if uuid in here:
                return None, ""
            license, mended = drafted_license(
                row, uuid, self.tables.plan_of(row, "subscription_plan")
            )
            here.add(uuid)
            return license, mended

        drafts, results = draft_all(rows, draft)
        if not self.tables.dry_run:
            _lock_plans(drafts)
        stored = self._give_each_seat_once(drafts)
        freed = {draft.uuid for draft in drafts} & self.freed
        for draft_ in drafts:
            if draft_.uuid in freed:
                vars(draft_).update(FREE_SEAT)
        if not self.tables.dry_run:
            pks = {holder.pk: FREE_SEAT for holder in stored}
            update_each_with_history(License, pks, by=self.tables.by)
        self.tables.create(License, drafts)
        if self.tables.dry_run:
            self.unwritten.note(LICENSE, {str(draft.uuid): "" for draft in drafts})
        told = "the learner has another live license of the plan"
        return [
            *(Result(Row(LICENSE, str(h.uuid), {}), Outcome.FREED, told) for h in stored),
            *(
                Result(result.row, Outcome.FREED, told)
                if result.outcome in {Outcome.IMPORTED, Outcome.MENDED}
                and UUID(result.row.pk) in freed
                else result
                for result in results
            ),
        ]

    def _known(self, uuids: Iterable[str]) -> set[UUID]:
        wanted = {uuid for text in uuids if (uuid := uuid_or_none(text))}
        stored = License.objects.filter(uuid__in=wanted).values_list("uuid", flat=True)
        return {*stored, *self._unwritten(LICENSE, wanted)}

    def _unwritten(self, kind: str, uuids: Iterable[UUID]) -> set[UUID]:
        return set(map(UUID, self.unwritten.noted(kind, map(str, uuids))))

    def _give_each_seat_once(self, drafts: Sequence[License]) -> list[Holder]:
        """Of the live licenses of one learner in a plan keep the activated one, else the newest.

        The others go to `freed`; returned are those of them that were brought earlier. A seat
        that a request took here stays.
        """
        holders = self._holders(drafts)
        drafted = {draft.uuid for draft in drafts}
        earlier: dict[UUID, Holder] = {}
        for draft in drafts:
            if draft.status not in LIVE:
                continue
            newcomer = holder_of(draft, draft.subscription_plan.uuid)
            rivals = {holders[key] for key in newcomer.keys if key in holders}
            if any(rival.rank >= newcomer.rank for rival in rivals):
                self.freed.add(newcomer.uuid)
                continue
            for rival in rivals:
                self.freed.add(rival.uuid)
                if rival.uuid not in drafted:
                    earlier[rival.uuid] = rival
                for key in rival.keys:
                    holders.pop(key, None)
                self.unwritten.forget(HOLDER, map(as_text, rival.keys))
            holders.update(dict.fromkeys(newcomer.keys, newcomer))
        if self.tables.dry_run:
            texts = {as_text(key): holder.as_text() for key, holder in holders.items()}
            self.unwritten.note(HOLDER, texts)
        return list(earlier.values())

    def _holders(self, drafts: Sequence[License]) -> dict[Key, Holder]:
        """Who holds a seat already among those whom these licenses are for."""
        live = [draft for draft in drafts if draft.status in LIVE]
        uuids = {draft.subscription_plan_id: draft.subscription_plan.uuid for draft in live}
        stored = License.objects.live().filter(
            Q(user_email__in={draft.user_email for draft in live if draft.user_email})
            | Q(lms_user_id__in={draft.lms_user_id for draft in live if draft.lms_user_id}),
            subscription_plan__in=[pk for pk in uuids if pk],
        )
        holders: dict[Key, Holder] = {}
        for license in stored:
            holder = holder_of(license, uuids[license.subscription_plan_id])
            if holder.uuid not in self.freed:
                holders.update(dict.fromkeys(holder.keys, holder))
        wanted = [holder_of(draft, draft.subscription_plan.uuid) for draft in live]
        keys = {as_text(key): key for holder in wanted for key in holder.keys}
        for key, text in self.unwritten.noted(HOLDER, keys).items():
            holders[keys[key]] = Holder.of_text(text)
        return holders

    def bring_links(self, rows: Sequence[Row]) -> list[Result]:
        """Link licenses to those that continue them, when all of them are here."""
        wanted = {row.pk: row for row in rows if text_of(row, LINK)}
        named = {*wanted, *(text_of(row, LINK) for row in wanted.values())}
        uuids = {uuid for text in named if (uuid := uuid_or_none(text))}
        stored = License.objects.filter(uuid__in=uuids)
        pks = dict(stored.values_list("uuid", "pk"))
        open_ends = set(
            stored.filter(renewed_to=None)
            .exclude(status=LicenseStatus.UNASSIGNED)
            .values_list("uuid", flat=True)
        )
        continuing = stored.exclude(renewed_from=None).values_list("uuid", flat=True)
        taken = {*continuing, *self._unwritten(LINK, uuids)}
        unwritten = self._unwritten(LICENSE, uuids)
        open_ends |= unwritten
        results, links = [], {}
        for row in wanted.values():
            source, target = uuid_or_none(row.pk), uuid_or_none(text_of(row, LINK))
            if source not in open_ends or source in self.freed:
                continue
            if target is None or (target not in pks and target not in unwritten):
                results.append(Result(row, Outcome.REJECTED, "renewed_to is not here"))
            elif target in taken or target == source:
                results.append(
                    Result(row, Outcome.REJECTED, "renewed_to continues another license")
                )
            else:
                taken.add(target)
                links[source] = target
                results.append(Result(row, Outcome.IMPORTED))
        if self.tables.dry_run:
            self.unwritten.note(LINK, {str(target): "" for target in links.values()})
        else:
            update_each_with_history(
                License,
                {pks[source]: {"renewed_to_id": pks[to]} for source, to in links.items()},
                by=self.tables.by,
            )
        return results


def _lock_plans(drafts: Sequence[License]) -> None:
    pks = {draft.subscription_plan_id for draft in drafts}
    plans = SubscriptionPlan.objects.filter(pk__in=pks).order_by("pk")
    list(plans.select_for_update(no_key=True).values_list("pk"))
