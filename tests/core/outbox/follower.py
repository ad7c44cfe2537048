"""`deliver_outbox --follow` as a process of its own: python -m tests.core.outbox.follower DATABASE"""

import sys

import django


def main(database: str) -> None:
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from credentials_portal.core import outbox
    from credentials_portal.core.outbox import OutboxKind, Outcome

    connection.settings_dict["NAME"] = database
    outbox.register(
        OutboxKind(
            name="test.local",
            deliver=lambda batch, at: {message.pk: Outcome.done() for message in batch},
        )
    )
    call_command("deliver_outbox", "--follow", "--format=json")


if __name__ == "__main__":
    main(sys.argv[1])
