from django.contrib.auth import get_user_model
from django.core.management import CommandParser

from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import Attribution
from programs import selectors, services
from programs.enums import ProgramStatus
from programs.models import Program
from programs.selectors import REQUIREMENTS_DEFINED, CertificateChanges


class Command(OperatorCommand):
    help = (
        "Award computed program certificates to learners who completed an active program, and"
        " revoke those of learners who no longer do. Certificates from the LMS or an import stay"
        " as they are. The cap holds for the revocations of each program and of all together."
        " With --program, a program without requirements is refused once what it must lose is"
        " revoked."
    )
    scheduled = True
    withdraws = True
    default_max_changes = 50
    report_columns = ("program", "username", "change")

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--program", metavar="ID", help="A uuid or primary key. Default: all.")

    def run(self, run: CommandRun) -> Summary:
        programs = _programs(run.options["program"])
        defined = selectors.programs_with_requirements([p.pk for p in programs], at=run.at)
        plans = [
            (program, selectors.certificate_changes(program=program, at=run.at))
            for program in programs
        ]
        _check_cap(run, [changes for _program, changes in plans])

        awarded = revoked = 0
        for program, planned in run.batches(plans, total=len(plans)):
            changes = planned if run.dry_run else _award(program, run)
            _report(run, program, changes)
            awarded += len(changes.to_award)
            revoked += len(changes.to_revoke)

        undefined = len(programs) - len(defined)
        return Summary(
            {
                "programs": len(programs),
                "awarded": awarded,
                "revoked": revoked,
                "programs_not_awarded": {REQUIREMENTS_DEFINED: undefined},
            },
            refused=f"{REQUIREMENTS_DEFINED}: the program has no requirements to complete."
            if undefined and run.options["program"]
            else None,
        )


def _programs(identifier: str | None) -> list[Program]:
    if identifier:
        return [selectors.program_by_identifier(identifier)]
    return list(Program.objects.filter(status=ProgramStatus.ACTIVE).order_by("pk"))


def _check_cap(run: CommandRun, plans: list[CertificateChanges]) -> None:
    if run.cap is None:
        return
    for changes in plans:
        run.cap.check(len(changes.to_revoke), of=changes.held)
    run.cap.check(
        sum(len(changes.to_revoke) for changes in plans), of=sum(changes.held for changes in plans)
    )


def _award(program: Program, run: CommandRun) -> CertificateChanges:
    by = Attribution(at=run.at, actor=run.actor, reason=run.reason, cause=run.cause)
    return services.award_program_certificates(program=program, by=by, cap=run.cap)


def _report(run: CommandRun, program: Program, changes: CertificateChanges) -> None:
    for change, user_ids in (("awarded", changes.to_award), ("revoked", changes.to_revoke)):
        usernames = get_user_model().objects.filter(pk__in=user_ids).order_by("pk")
        for username in usernames.values_list("username", flat=True):
            run.report.row(program=program.uuid, username=username, change=change)
