"""`python -m benchmarks [--size S|M]`: measure on a database of its own, print ratios.

A floor is the barest SQL that yields the same result; a ratio of 1.0 means that the portal adds
nothing to it. Times differ from machine to machine, ratios and statement counts hardly do.
"""

import argparse
import os

import django

from credentials_portal import devdb


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--size", choices=["S", "M"], default="S")
    size = parser.parse_args().size

    devdb.start()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "credentials_portal.settings")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    django.setup()

    from benchmarks import (
        entitlements,
        expiry,
        letters,
        pages,
        queue,
        records,
        requests,
        retirement,
        seats,
    )
    from benchmarks.measuring import own_database

    with own_database():
        letters.measure(size)
        pages.measure(size)
        queue.measure(size)
        retirement.measure(size)
        expiry.measure(size)
        seats.measure(size)
        entitlements.measure(size)
        requests.measure(size)
        records.measure(size)


if __name__ == "__main__":
    main()
