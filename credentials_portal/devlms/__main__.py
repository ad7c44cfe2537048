import argparse
import json
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from credentials_portal import devlms
from credentials_portal.devremote import Call


@dataclass
class LoggingLms(devlms.StandInLms):
    """It writes each call to `log`, a line each, and keeps none: long runs would fill the memory."""

    log: IO[str] | None = None

    def note(self, call: Call) -> None:
        if self.log and not call.path.startswith(devlms.TOKEN_PATH):
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            body = json.dumps(call.body, ensure_ascii=False)
            self.log.write(f"{at} {call.method} {call.path} {call.status} {body}\n")
            self.log.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="credentials_portal.devlms", description=devlms.__doc__)
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--log", type=Path, help="a file to which each call is appended")
    options = parser.parse_args()
    with (
        _opened(options.log) if options.log else nullcontext() as log,
        LoggingLms(port=options.port, log=log) as lms,
    ):
        sys.stdout.write(f"The stand-in LMS is at {lms.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


def _opened(path: Path) -> IO[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("a", encoding="utf-8")


if __name__ == "__main__":
    main()
