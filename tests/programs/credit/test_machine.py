"""Any order of what learners, staff, institutions, mail servers and time do to requests."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from credentials_portal.core import outbox
from credentials_portal.core.errors import DomainError
from credentials_portal.core.history import rows_without_true_history
from credentials_portal.core.models import OutboxBreaker, OutboxMessage
from credentials_portal.core.models.outbox import STUCK
from credentials_portal.core.outbox import Verdict
from programs.enums import CreditAnswer
from programs.models import Pathway, SharedProgramRecord, UserCreditPathway
from programs.services import award_program_certificates, revoke_program_certificates
from programs.services.credit import (
    RequestNotOpenError,
    TooManyRequestsError,
    answer_request,
    withdraw_request,
)
from programs.services.sharing import share_record
from tests.core.outbox.mail_server import MailServer
from tests.letters.mails import arrived, part
from tests.programs.credit.asking import (
    CREDIT_REQUEST,
    CREDIT_WITHDRAWAL,
    RECORD_MAIL,
    ask,
    ask_as_staff,
    by_at,
    certify,
    program_of_one_course,
)
from tests.programs.factories import AT, LearnerFactory, pathway_of

PEOPLE = st.integers(0, 1)
PATHWAYS = st.integers(0, 1)
CHOSEN = st.integers(0, 3)
"""A request by its place among all, the newest first."""

SERVER = st.sampled_from(["250 OK", "250 OK", "451 later", "550 never", "lost"])
WAITS = st.sampled_from(
    [timedelta(seconds=30), timedelta(minutes=3), timedelta(hours=20), timedelta(days=9)]
)
QUOTA = 5
COOLDOWN = timedelta(days=7)
NEXT = {
    "queued": {"sent", "failed", "withdrawn"},
    "sent": {"withdrawn"},
    "failed": {"sent", "queued"},
    "withdrawn": set[str](),
}


class Requests(RuleBasedStateMachine):
    """Two learners, a program, and two pathways of which the second has a cool-down."""

    server: MailServer

    @initialize()
    def start(self) -> None:
        OutboxMessage.objects.all().delete()
        OutboxBreaker.objects.all().delete()
        self.server.received.clear()
        self.now = AT
        self.program = program_of_one_course()
        self.people = LearnerFactory.create_batch(2)
        self.staff = LearnerFactory.create()
        self.pathways = [
            pathway_of(self.program, email="a@one.example"),
            pathway_of(self.program, email="b@two.example", cooldown_days=COOLDOWN.days),
        ]
        self.own_links = [
            share_record(user=person, program=self.program, by=by_at(self.now)).link
            for person in self.people
        ]
        self.known: dict[int, tuple[Any, ...]] = {}
        self.tried_again: Counter[int] = Counter()
        self.changed_at: dict[int, datetime] = {}
        self.answers = 0

    def requests(self) -> Any:
        requests = UserCreditPathway.objects.filter(program=self.program)
        return requests.select_related("shared_record").order_by("-pk")

    def history(self) -> Any:
        return UserCreditPathway.history.filter(program=self.program)

    def chosen(self, place: int) -> Any:
        return self.requests()[place : place + 1].first()

    # --- What happens ------------------------------------------------------------------------

    @rule(by=WAITS)
    def wait(self, by: timedelta) -> None:
        self.now += by

    @rule(person=PEOPLE, pathway=PATHWAYS)
    def ask(self, person: int, pathway: int) -> None:
        expected = self.expected(person, self.pathways[pathway])
        refused_until = None
        try:
            outcome: bool | str = ask(
                self.people[person], self.program, self.pathways[pathway], at=self.now
            ).is_new
        except TooManyRequestsError as refusal:
            outcome, refused_until = "too many", refusal.next_allowed_at
        assert outcome == expected
        if refused_until:
            assert refused_until > self.now
            assert self.would_be_new(person, pathway, at=refused_until)

    def expected(self, person: int, pathway: Pathway) -> bool | str:
        theirs = [one for one in self.requests() if one.user_id == self.people[person].pk]
        standing = [
            one
            for one in theirs
            if one.pathway_id == pathway.pk and one.status in ("queued", "sent")
        ]
        if standing and self.now - standing[0].requested_at < timedelta(seconds=120):
            return False
        month = [
            one
            for one in theirs
            if one.status != "failed" and self.now - one.requested_at < timedelta(days=30)
        ]
        is_cool = pathway.cooldown_days and any(
            self.now - one.requested_at < COOLDOWN for one in standing[:1]
        )
        has_changed = standing and self.changed_at.get(person, AT) > standing[0].requested_at
        if len(month) >= QUOTA or (is_cool and not has_changed):
            return "too many"
        return True

    def would_be_new(self, person: int, pathway: int, *, at: datetime) -> bool:
        """Whether a request of then is made; it is undone."""
        with transaction.atomic():
            is_new = ask(self.people[person], self.program, self.pathways[pathway], at=at).is_new
            transaction.set_rollback(True)
        return is_new

    @rule(person=PEOPLE, pathway=PATHWAYS)
    def ask_as_staff(self, person: int, pathway: int) -> None:
        how = {"staff": self.staff, "at": self.now}
        ask_as_staff(self.people[person], self.program, self.pathways[pathway], **how)  # type: ignore[arg-type]  # of its keywords

    @rule(server=SERVER)
    def deliver(self, server: str) -> None:
        self.server.answers["DATA"] = server
        outbox.deliver_due(clock=lambda: self.now)

    @rule(place=CHOSEN)
    def withdraw(self, place: int) -> None:
        request = self.chosen(place)
        if request:
            with suppress(RequestNotOpenError):
                withdraw_request(request_uuid=request.uuid, by=by_at(self.now))

    @rule(place=CHOSEN, answer=st.sampled_from(CreditAnswer))
    def answer(self, place: int, answer: CreditAnswer) -> None:
        request = self.chosen(place)
        # Who answers has the link.
        if request and request.shared_record.uuid.hex in self.told_institutions():
            with suppress(RequestNotOpenError):
                answered = answer_request(
                    request_uuid=request.uuid, answer=answer, note="", by=by_at(self.now)
                )
                self.answers += answered.answer != request.answer

    @rule(person=PEOPLE)
    def complete(self, person: int) -> None:
        learner = self.people[person]
        if not learner.program_certificates.exists():
            self.now += timedelta(seconds=1)
            certify(learner, self.program, at=self.now)
            award_program_certificates(program=self.program, by=by_at(self.now))
            self.changed_at[person] = self.now

    @rule(person=PEOPLE)
    def lose_the_certificate(self, person: int) -> None:
        learner = self.people[person]
        self.now += timedelta(seconds=1)
        with suppress(DomainError):
            if revoke_program_certificates(
                program=self.program, user_ids=[learner.pk], reason="x", by=by_at(self.now)
            ):
                self.changed_at[person] = self.now

    @rule(verdict=st.sampled_from(Verdict))
    def settle(self, verdict: Verdict) -> None:
        stuck = OutboxMessage.objects.filter(kind=CREDIT_REQUEST, status__in=STUCK).first()
        if stuck is None or (stuck.status == "dead" and verdict == Verdict.MARK_DONE):
            return
        if verdict == Verdict.TRY_AGAIN:
            self.tried_again[stuck.payload["request"]] += 1
        outbox.settle([stuck.pk], verdict=verdict, actor=self.staff, reason="x", at=self.now)

    # --- What is always true -----------------------------------------------------------------

    def has_begun(self) -> bool:
        return hasattr(self, "answers")

    @invariant()
    def no_request_vanishes_or_becomes_another(self) -> None:
        if not self.has_begun():
            return
        stored = {
            one.pk: (
                one.user_id,
                one.pathway_id,
                one.program_id,
                one.number,
                one.requested_at,
                one.shared_record_id,
                one.was_completed,
            )
            for one in self.requests()
        }
        assert self.known.items() <= stored.items()
        self.known = stored
        numbers = Counter((user, pathway) for user, pathway, *_rest in stored.values())
        for (user, pathway), count in numbers.items():
            found = sorted(row[3] for row in stored.values() if row[:2] == (user, pathway))
            assert found == list(range(1, count + 1))

    @invariant()
    def each_change_is_legal_and_kept(self) -> None:
        if not self.has_begun():
            return
        passed = self.history().order_by("id", "history_id").values_list("id", "status")
        for _request, versions in groupby(passed, key=itemgetter(0)):
            statuses = [status for _id, status in versions]
            assert statuses[0] == "queued"
            for before, after in pairwise(statuses):
                assert after == before or after in NEXT[before]
        assert rows_without_true_history(UserCreditPathway) == 0
        assert rows_without_true_history(SharedProgramRecord) == 0

    @invariant()
    def a_link_is_dead_if_and_only_if_its_request_was_withdrawn(self) -> None:
        if not self.has_begun():
            return
        for request in self.requests():
            assert (request.shared_record.revoked_at is not None) == (request.status == "withdrawn")
        own = SharedProgramRecord.objects.filter(pk__in=[link.pk for link in self.own_links])
        assert own.live(self.now).count() == 2

    @invariant()
    def institutions_get_each_request_once_and_nothing_else(self) -> None:
        if not self.has_begun():
            return
        mails = Counter(self.told_institutions())
        for request in self.requests():
            count = mails.pop(request.shared_record.uuid.hex, 0)
            assert count <= 1 + self.tried_again[request.pk]
            if request.sent_at:
                assert count >= 1
        withdrawn = self.requests().filter(status="withdrawn", sent_at__isnull=False)
        notices = OutboxMessage.objects.filter(kind=CREDIT_WITHDRAWAL)
        assert set(notices.values_list("payload__request", flat=True)) == set(
            withdrawn.values_list("pk", flat=True)
        )
        assert sum(mails.values()) <= len(notices)

    def told_institutions(self) -> Iterator[str]:
        """The link of each request that arrived, and a word for each withdrawal."""
        for mail in arrived(self.server):
            if not mail["To"].endswith("@example.org"):
                link = re.search(r"/shared/([0-9a-f]{32})/\n", part(mail, "plain"))
                yield link[1] if link else "withdrawal"

    @invariant()
    def each_request_has_one_message_and_each_answer_one_mail(self) -> None:
        if not self.has_begun():
            return
        messages = OutboxMessage.objects.filter(kind=CREDIT_REQUEST)
        assert sorted(messages.values_list("payload__request", flat=True)) == sorted(
            self.requests().values_list("pk", flat=True)
        )
        to_learners = OutboxMessage.objects.filter(kind=RECORD_MAIL)
        told = Counter(to_learners.values_list("payload__notice", flat=True))
        assert told["request_answered"] == self.answers
        were_sent = self.history().filter(status="sent").values("id").distinct()
        assert told["request_sent"] == were_sent.count()
        incomplete = self.requests().filter(was_completed=False).values("user_id").distinct()
        assert told["program_completed"] <= incomplete.count()


@pytest.mark.django_db
def test_requests_mails_and_links_add_up_in_any_history(
    mail_server: MailServer, settings: Any
) -> None:
    settings.CREDIT_REQUESTS_PER_MONTH = QUOTA
    Requests.server = mail_server
    run_state_machine_as_test(Requests, settings=EXAMPLES)


EXAMPLES = settings(
    max_examples=300 if os.environ.get("FULL") else 12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
