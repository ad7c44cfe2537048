"""A real browser: Debian's chromium. Without one these tests are skipped, or fail in CI."""

import os
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, Literal

import pytest
from django.core.cache import cache
from playwright.sync_api import ConsoleMessage, Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).with_name("axe.min.js")
DESKTOP = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=320, height=640)
SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]

# Playwright's loop runs in this thread, which Django takes for an asynchronous context.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# A busy machine may take longer than the five seconds of Playwright's own.
expect.set_options(timeout=30_000)

Violations = Callable[[Page], list[str]]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    if not CHROMIUM.exists():
        message = f"There is no browser at {CHROMIUM}: install Debian's package chromium."
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    quiet = ["background-networking", "component-update", "sync"]
    arguments = ["--no-first-run", *(f"--disable-{what}" for what in quiet)]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    return browser_type_launch_args | {"executable_path": str(CHROMIUM), "args": arguments}


@pytest.fixture(scope="session")
def base_url(live_server: LiveServer) -> str:
    """What the paths that a test visits are relative to."""
    return str(live_server.url)


@pytest.fixture
def portal(page: Page) -> Iterator[Page]:
    """A browser's page at the home of the running portal.

    Whatever the browser complains about fails the test: a page that breaks its own content
    security policy, a missing file, an error of a script.
    """
    cache.clear()
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # A page that answers 404 on purpose is no complaint.
        if message.location["url"] != page.url:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto("/")
    yield page
    assert complaints == []


@pytest.fixture
def violations() -> Violations:
    """A function that names what axe finds wrong on a page, in each width and colour scheme,
    and where it scrolls sideways."""

    def find(page: Page) -> list[str]:
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = []
        for size, scheme in product((DESKTOP, PHONE), SCHEMES):
            page.set_viewport_size(size)
            # Without motion the new colours are there at once.
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            result = page.evaluate("axe.run()")
            found += [
                f"{size['width']} px, {scheme}: {violation['id']}: {node['html']}"
                for violation in result["violations"]
                for node in violation["nodes"]
            ]
            if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                found.append(f"{size['width']} px: scrolls sideways")
        return found

    return find
