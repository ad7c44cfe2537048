#!/usr/bin/env python
"""Run a command of the portal; one that may need the database finds the embedded server started."""

import os
import sys

from django.core.management import execute_from_command_line

from credentials_portal import devdb

DATABASE_FREE_COMMANDS = {"help", "version", "collectstatic", "compilemessages", "makemessages"}
DATABASE_FREE_OPTIONS = {"--help", "-h", "--version"}


def needs_database(arguments: list[str]) -> bool:
    """Whether a command line may touch the database: a command that is not known to leave it alone may."""
    if not arguments or arguments[0] in DATABASE_FREE_COMMANDS:
        return False
    return not DATABASE_FREE_OPTIONS.intersection(arguments)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "credentials_portal.settings")
    if needs_database(sys.argv[1:]):
        try:
            devdb.start()
        except devdb.DevdbError as error:
            sys.exit(str(error))
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
