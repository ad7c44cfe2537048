from django.core.management import CommandParser
from django.utils.translation import gettext as _

from credentials_portal.accounts.models import User
from credentials_portal.accounts.services import retire_user
from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.errors import NotFoundError
from credentials_portal.core.retries import retry_conflicts


class Command(OperatorCommand):
    help = "Erase a person's data in every app, for good; what they did stays, without a name."
    personal_options = frozenset({"person"})

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("person", help="Username or e-mail address.")
        parser.add_argument("--reason", required=True, help="Kept with the run; name no person.")

    def run(self, run: CommandRun) -> Summary:
        user = User.objects.by_login(run.options["person"]).first()
        if user is None:
            raise NotFoundError(_("There is no user of this name or address."))
        is_due = not user.is_retired
        if is_due and not run.dry_run:
            is_due = retry_conflicts(retire_user)(
                user=user, at=run.at, actor=run.actor, reason=run.reason, cause=run.cause
            )
        return Summary({"retired": int(is_due), "already_retired": int(not is_due)})
