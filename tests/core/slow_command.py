"""A command to interrupt: three batches, each of which waits for a line on stdin."""

import sys

from django.core.management import CommandParser

from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary


class Command(OperatorCommand):
    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--failed", type=int, default=0)

    def run(self, run: CommandRun) -> Summary:
        done = 0
        for _batch in run.batches(range(3), total=3):
            self.stdout.write("batch")
            self.stdout.flush()
            sys.stdin.readline()
            done += 1
        return Summary({"done": done}, failed=run.options["failed"])
