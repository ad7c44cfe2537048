"""The demo institution: what it had in its old system, moved into the portal.

It goes the way of every institution that moves in (docs/operations.md): the catalog, learners
and grades first, while the programs are not published; then the letters and their texts; then
publication. So the queue is empty at the end, and nothing but a plan touches the letters that were
false before.
"""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import Group
from django.db import connection, transaction
from oauth2_provider.models import Application

from credentials_portal.accounts.models import User
from credentials_portal.core.errors import ConflictError
from credentials_portal.core.history import Attribution, save_with_history
from credentials_portal.web.demo.catalog import CATALOG, NOT_YET, Program
from credentials_portal.web.demo.entitlements import sell_courses
from credentials_portal.web.demo.learners import DEMO_LEARNER, Cohort, Learner, cohort
from credentials_portal.web.demo.licenses import sell_licenses
from credentials_portal.web.demo.records import (
    ask_institutions,
    award_completed,
    certify,
    open_pathways,
    share,
)
from credentials_portal.web.demo.requests import ask_customer
from credentials_portal.web.demo.texts import publish_texts
from letters.enums import RunKind
from letters.services import import_letters, new_run, revalidate_page
from programs.enums import ProgramStatus
from programs.selectors import program_by_identifier
from programs.services import enroll_in_programs
from programs.services.micromasters import MicroMastersImport

PASSWORD = "portal-demo"  # noqa: S105 - public, as the demo is
REGISTRAR, ADMINISTRATOR, SERVICE = "registrar", "admin", "demo-service"
CUSTOMERS_ADMINISTRATOR = "customer"
LOGINS = {
    DEMO_LEARNER: "a learner: two letters, one program under way, a license to activate, four courses,"
    " a request that was declined, credit that was granted",
    REGISTRAR: "staff: programs, letters and what they rest on",
    ADMINISTRATOR: "the administrator: everything",
    CUSTOMERS_ADMINISTRATOR: "looks after a customer's seats and requests: /customers/harbour-logistics/",
}


def is_seeded() -> bool:
    return bool(User.objects.filter(email=f"{DEMO_LEARNER}@example.org").exists())


@transaction.atomic
def seed_demo(*, at: datetime) -> bool:
    """Make the demo institution, once; False when it is there already.

    Raises `ConflictError`, and leaves nothing, where it does not fit into what the database holds.
    """
    if is_seeded():
        return False
    by = Attribution(at=at, reason="Moved in from the old system.", cause="command:seed_demo")
    everybody = cohort()
    _load_records(everybody, by=by)
    open_pathways(by=by)
    certify(everybody.learners[0], by=by)
    _enroll(everybody.enrolled_in_empty_program, NOT_YET, by=by)
    _work_off_queue(by=by)
    _import_letters(everybody.learners, by=by)
    publish_texts(by=by)
    _set_status(ProgramStatus.ACTIVE, by=by)
    award_completed(by=by)
    _work_off_queue(by=by)
    demo_learner = _let_sign_in()
    administrator = User.objects.get(username=CUSTOMERS_ADMINISTRATOR)
    sell_licenses(
        [learner.username for learner in everybody.learners],
        administrator=administrator,
        by=by,
    )
    ask_customer(administrator, by=by)
    sell_courses(demo_learner, by=by)
    share(demo_learner, by=by)
    ask_institutions(demo_learner, by=by)
    _let_a_service_call()
    with connection.cursor() as cursor:
        # By its figures of empty tables the planner chooses loops that take minutes.
        cursor.execute("ANALYZE")
    return True


def _load_records(everybody: Cohort, *, by: Attribution) -> None:
    micromasters = MicroMastersImport(by=by)
    for index, program in enumerate(CATALOG):
        micromasters.load_program(index, program.as_record())
    _set_status(ProgramStatus.UNPUBLISHED, by=by)
    for learners in (everybody.learners, (everybody.corrected,)):
        records = [learner.as_record() for learner in learners]
        for batch in micromasters.learner_batches(records):
            micromasters.load_learners(batch)
    for one in micromasters.rejected:
        raise ConflictError(
            f"The demo does not fit into this database ({one.file}[{one.index}]: {one.reason})."
        )


def _set_status(status: ProgramStatus, *, by: Attribution) -> None:
    for each in CATALOG:
        program = program_by_identifier(str(each.uuid))
        program.status = status
        save_with_history(program, by=by)


def _enroll(learners: Iterable[Learner], program: Program, *, by: Attribution) -> None:
    usernames = [learner.username for learner in learners]
    ids = User.objects.filter(username__in=usernames).values_list("pk", flat=True)
    program_row = program_by_identifier(str(program.uuid))
    enroll_in_programs(user_ids=list(ids), program=program_row, by=by)


def _work_off_queue(*, by: Attribution) -> None:
    """What queued learners changes no letter: nobody has one yet, or it stays as it is."""
    run = new_run(RunKind.REVALIDATE, by=by)
    while revalidate_page(size=1_000, run=run, by=by).outcomes:
        pass


def _import_letters(learners: Iterable[Learner], *, by: Attribution) -> None:
    records = [record for learner in learners for record in learner.letter_records()]
    tally = import_letters(list(enumerate(records)), by=by)
    for place, error in tally.errors:
        raise ConflictError(f"The demo does not fit into this database (letter {place}: {error}).")


def _let_sign_in() -> User:
    """Returns the demo's learner."""
    learner: User = User.objects.get(username=DEMO_LEARNER)
    learner.set_password(PASSWORD)
    learner.save()
    registrar = User.objects.create_user(
        REGISTRAR, password=PASSWORD, full_name="Rosalind Okafor", is_staff=True
    )
    registrar.groups.add(Group.objects.get(name="Registrars"))
    User.objects.create_superuser(ADMINISTRATOR, password=PASSWORD, full_name="Ada Venkataraman")
    User.objects.create_user(
        CUSTOMERS_ADMINISTRATOR,
        f"{CUSTOMERS_ADMINISTRATOR}@harbour-logistics.example",
        PASSWORD,
        full_name="Ingrid Castellanos",
    )
    return learner


def _let_a_service_call() -> None:
    """A service acts as a user of its own, who cannot sign in, with that user's permissions."""
    service = User.objects.create_user(SERVICE, full_name="The student information system")
    service.groups.add(Group.objects.get(name="Registrars"))
    Application.objects.create(
        name="Demo: the student information system",
        user=service,
        client_id=SERVICE,
        client_secret=PASSWORD,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_CLIENT_CREDENTIALS,
    )
