"""A real browser on a real dashboard. Every test fails that leaves a console error or a breach of the security policy behind."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright
from tests.browser.stage.stage import Stage
from tests.support.repository import ROOT
from tests.support.running_dashboard import RunningDashboard, running_dashboard

from modular_agents.proxy.dashboard.page import STATIC
from modular_agents.proxy.model.status import ProxyStatus

PATIENCE_MS = 15_000
"""Before a test gives up on something it waits for; a loaded machine is slow, not broken."""
PROXY = ProxyStatus(
    running=True,
    url="http://127.0.0.1:8123",
    dashboard_url=None,
    pid=1,
    worker_pids=(2,),
    recorder_pid=3,
    dashboard_pid=4,
    started_at=None,
    version="0.1.0",
    calls=0,
    calls_open=0,
    journal_lag_bytes=0,
    journal_degraded=False,
    records_dropped=0,
)


@dataclass
class Window:
    """A page, and what it complained of."""

    page: Page
    host: str
    complaints: list[str] = field(default_factory=list)
    forgiven: list[str] = field(default_factory=list)
    """Words of complaints that the test brings about itself, as a failed request in a test of failed requests."""

    def goto(self, path: str) -> Page:
        """Open an address of the dashboard and wait until the page stands."""
        self.page.goto(f"http://{self.host}{path}")
        expect(self.page.locator("#app > *").first).to_be_visible()
        return self.page

    def unforgiven(self) -> list[str]:
        return [each for each in self.complaints if not any(word in each for word in self.forgiven)]


@pytest.fixture(scope="session")
def built_page() -> Path:
    """Build the page when it is missing or old."""
    subprocess.run([sys.executable, ROOT / "tools" / "build_web.py"], check=True)
    return STATIC


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for each file: while it lives its driver runs a loop in this thread, and `asyncio.run` of other tests would fail."""
    path = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    assert path is not None, "These tests need Debian's chromium: sh tools/system_packages.sh chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def dashboard(tmp_path: Path, stage: Stage, built_page: Path) -> Iterator[RunningDashboard]:
    with running_dashboard(tmp_path, stage, built_page) as running:
        running.proxy[0] = PROXY
        yield running


OpenWindow = Callable[..., Window]


@pytest.fixture
def open_window(browser: Browser) -> Iterator[OpenWindow]:
    """Return a function that opens a window on a host, let in by a link; its arguments are those of a browser context."""
    contexts: list[BrowserContext] = []
    windows: list[Window] = []

    def opened(host: str, link: str, **options: object) -> Window:
        context = browser.new_context(**({"viewport": {"width": 1440, "height": 900}} | options))  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        window = Window(context.new_page(), host)
        windows.append(window)
        window.page.on("console", lambda said: window.complaints.append(_told(said)) if said.type in {"error", "warning"} else None)
        window.page.on("pageerror", lambda error: window.complaints.append(f"exception: {error}"))
        window.page.add_init_script(
            "document.addEventListener('securitypolicyviolation',"
            " (breach) => console.error('policy: ' + breach.violatedDirective + ' ' + breach.blockedURI))"
        )
        window.page.goto(f"http://{host}/login?token={link}")
        return window

    yield opened
    for window in windows:
        assert window.unforgiven() == []
    for context in contexts:
        context.close()


def _told(said: ConsoleMessage) -> str:
    return f"{said.type}: {said.text} ({said.location.get('url', '')})"


@pytest.fixture
def window(open_window: OpenWindow, dashboard: RunningDashboard) -> Window:
    """Return a window on the stage's dashboard, at its start."""
    return open_window(dashboard.host, dashboard.link())


@pytest.fixture
def page(window: Window) -> Page:
    return window.page


expect.set_options(timeout=PATIENCE_MS)
