"""A stand-in for the Discovery service, for tests: a real HTTP server that gives its lists in pages.

with StandInLms() as lms, StandInCatalog(lms=lms) as catalog:
    catalog.tables["organizations"] = [{"uuid": ..., "key": "EX", "name": "Example University"}]
    catalog.fail(500, path="/programs/")
    ... settings.CATALOG_BASE_URL = catalog.base_url ...
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from credentials_portal.devlms import StandInLms
from credentials_portal.devremote import Reply, StandIn

ROOT = "/api/v1"
TABLES = ("organizations", "courses", "programs", "pathways")


@dataclass
class StandInCatalog(StandIn):
    """It takes the tokens of `lms`; without one it serves everybody.

    `tables` are its lists; `answers` are what it says instead, by a part of the path.
    """

    lms: StandInLms | None = field(default=None, kw_only=True)
    tables: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in TABLES})
    answers: dict[str, Any] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return f"{self.url}{ROOT}/"

    def is_authorized(self, token: str) -> bool:
        return self.lms is None or token in self.lms.tokens

    def page(self, path: str, _body: Any) -> Reply:
        """A page as Django REST framework gives it, with the link to the next one."""
        for words, answer in self.answers.items():
            if words in path:
                return 200, answer
        address = urlsplit(path)
        table = address.path.removeprefix(ROOT).strip("/")
        if table not in self.tables:
            return 404, {"detail": "Not found."}
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        items = self.tables[table]
        number, size = int(asked.get("page", 1)), int(asked.get("page_size", 20))
        end = number * size
        following = f"{self.url}{address.path}?{urlencode({**asked, 'page': number + 1})}"
        return 200, {
            "count": len(items),
            "next": following if end < len(items) else None,
            "previous": None,
            "results": items[end - size : end],
        }

    routes = {("GET", ROOT): page}
