"""Which learners belong to which customer, and the enrollments that rest on licenses."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from credentials_portal.devremote import Reply, StandIn

EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
PATH_OF_CUSTOMER = re.compile(r"/enterprise-customer/([0-9a-f-]{36})/")


@dataclass
class EnterpriseApi(StandIn):
    """`linked` and `unlinked` are addresses by customer, `downgraded` licenses, `revoked` pairs of
    customer and LMS user; all are strings as they came."""

    linked: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    unlinked: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    relinkable: dict[tuple[str, str], bool] = field(default_factory=dict)
    downgraded: set[str] = field(default_factory=set)
    undowngradable: set[str] = field(default_factory=set)
    revoked: set[tuple[str, int]] = field(default_factory=set)
    administrators: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def unlink(self, path: str, body: Any) -> Reply:
        """All or none: an unknown learner is nothing, one malformed address refuses all."""
        emails = body.get("user_emails")
        if not isinstance(emails, list) or not emails:
            return 400, {"user_emails": ["This field is required."]}
        if not all(isinstance(email, str) and EMAIL.fullmatch(email) for email in emails):
            return 400, {"user_emails": ["Enter a valid email address."]}
        customer = _customer(path)
        for email in emails:
            self.linked[customer].discard(email)
            self.unlinked[customer].add(email)
            # The server's own default.
            self.relinkable[customer, email] = body.get("is_relinkable", False)
        return 200, {}

    def expire(self, _path: str, body: Any) -> Reply:
        uuids = body.get("expired_license_uuids")
        if not isinstance(uuids, list) or not uuids:
            return 400, "Parameter expired_license_uuids must be provided"
        self.downgraded |= set(uuids) - self.undowngradable
        if self.undowngradable & set(uuids):
            return 422, "No enrollment for some"
        return 200, None

    def link(self, _path: str, body: Any) -> Reply:
        for one in body:
            self.linked[one["enterprise_customer"]].add(one["user_email"])
            self.unlinked[one["enterprise_customer"]].discard(one["user_email"])
        return 201, body

    def revoke(self, _path: str, body: Any) -> Reply:
        self.revoked.add((body["enterprise_id"], body["user_id"]))
        return 204, None

    def customer(self, path: str, _body: Any) -> Reply:
        uuid = _customer(path)
        return 200, {"uuid": uuid, "name": f"Customer {uuid[:8]}", "slug": f"customer-{uuid[:8]}"}

    def learners(self, path: str, _body: Any) -> Reply:
        """The administrators, two a page."""
        query = parse_qs(urlsplit(path).query)
        found = self.administrators[query["enterprise_customer"][0]]
        page = int(query.get("page", ["1"])[0])
        shown = found[(page - 1) * 2 : page * 2]
        return 200, {
            "count": len(found),
            "next": f"{self.url}/?page={page + 1}" if len(found) > page * 2 else None,
            "previous": None,
            "results": [{"user": {"email": email}} for email in shown],
        }

    routes = {
        ("POST", "/unlink_users/"): unlink,
        ("POST", "/bulk_licensed_enrollments_expiration/"): expire,
        ("POST", "/license_revoke/"): revoke,
        ("POST", "/pending-enterprise-learner/"): link,
        ("GET", "/enterprise-learner/"): learners,
        ("GET", "/enterprise-customer/"): customer,
    }


def _customer(path: str) -> str:
    found = PATH_OF_CUSTOMER.search(path)
    return found[1] if found else ""
