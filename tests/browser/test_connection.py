"""The server goes away, comes back, forgets, refuses: the page says so, and ends up with every event once."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import PROXY, OpenWindow, Window
from tests.browser.stage.play import Director, Said, Thread, open_trace
from tests.browser.stage.stage import Stage
from tests.support.running_dashboard import RunningDashboard, running_dashboard

from modular_agents.proxy.errors import StoreUnavailable
from modular_agents.proxy.model.status import Trouble

pytestmark = pytest.mark.browser

WORDS = [f"word{number:02d} " for number in range(40)]
REFUSED = "net::ERR_CONNECTION_REFUSED"


def begin(stage: Stage, late_ms: float = 0) -> Director:
    """Ask for a call that says forty words, one each 100 ms, and began a while ago."""
    director = Director(stage, time.time() * 1000 - late_ms)
    open_trace(stage, "talk", "Count", director.begin_ms)
    thread = Thread(director, "talk", "a", None).hears("Count")
    thread.turn(0, Said("".join(WORDS), wait_ms=100, ms=100 * len(WORDS)))
    director.play_until(0)
    return director


def test_a_restarted_server_is_caught_up_with_without_gap_or_double(
    open_window: OpenWindow, stage: Stage, tmp_path: Path, built_page: Path
) -> None:
    director = begin(stage)
    with running_dashboard(tmp_path, stage, built_page) as first:
        port, links = first.port, first.link()
        window = open_window(first.host, links)
        window.forgiven += [REFUSED, "WebSocket connection", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET"]
        page = window.goto("/traces/talk")
        director.play_until(1200)
        expect(page.get_by_role("tabpanel")).to_contain_text("word07")
    expect(page.locator(".state.warn", has_text="reconnecting")).to_be_visible()
    director.play_until(2600)
    with running_dashboard(tmp_path, stage, built_page, port):
        expect(page.locator(".state", has_text="live")).to_be_visible()
        director.play_until(3000)
        expect(page.get_by_role("tabpanel")).to_contain_text("word20")
        seen = page.get_by_role("tabpanel").inner_text()
        assert "".join(WORDS).startswith(seen.split("\n")[0].strip()[:-1])
        director.play_until(10_000)
        expect(page.locator(".detail .badge")).to_have_text("completed")
        expect(page.get_by_role("tabpanel")).to_contain_text("".join(WORDS).strip())


def test_events_that_are_gone_make_the_page_begin_anew(window: Window, stage: Stage) -> None:
    director = begin(stage)
    cut = []
    window.page.route_web_socket("**/ws?**", lambda socket: cut.append(socket) or socket.connect_to_server())
    page = window.goto("/traces/talk")
    expect(page.locator(".state", has_text="live")).to_be_visible()
    director.play_until(1000)
    expect(page.get_by_role("tabpanel")).to_contain_text("word05")
    cut[-1].close()
    director.play_until(10_000)
    stage.forget_events()
    expect(page.locator(".detail .badge")).to_have_text("completed")
    expect(page.get_by_role("tabpanel")).to_contain_text("".join(WORDS).strip())
    expect(page.locator(".state", has_text="live")).to_be_visible()


def test_late_news_are_said_to_be_late_until_there_are_no_more(window: Window, stage: Stage) -> None:
    director = begin(stage, late_ms=8_000)
    page = window.goto("/traces/talk")
    expect(page.locator(".state", has_text="live")).to_be_visible()
    director.play_until(1000)
    expect(page.locator(".state.warn", has_text="behind by")).to_be_visible()
    expect(page.locator(".state", has_text="live")).to_be_visible()


def test_a_store_that_is_away_says_so_and_is_read_when_it_is_back(window: Window, stage: Stage) -> None:
    begin(stage)
    stage.failure = StoreUnavailable("The database is locked by another program.")
    window.forgiven += ["503"]
    page = window.goto("/traces/talk")
    expect(page.get_by_role("alert").first).to_contain_text("locked by another program")
    expect(page.get_by_role("alert").first).to_contain_text("Nothing is lost")
    stage.failure = None
    expect(page.get_by_role("option", name="Count")).to_be_visible()
    expect(page.locator("h1")).to_have_text("Count")


def test_a_trace_that_is_not_here(window: Window) -> None:
    window.forgiven += ["404"]
    page = window.goto("/traces/nothing")
    expect(page.get_by_role("alert")).to_contain_text("There is no trace 'nothing'.")
    expect(page.get_by_role("alert")).to_contain_text("retention")


def test_a_trace_that_leaves_while_it_is_open(window: Window, stage: Stage) -> None:
    window.forgiven.append("/tools")  # they may be asked for in the moment before the page is told that the trace went
    begin(stage)
    page = window.goto("/traces/talk?view=table")
    expect(page.locator(".call-row[data-call]")).to_have_count(1)
    open_trace(stage, "heir", "The whole", time.time() * 1000)
    stage.remove_trace("talk", merged_into="heir")
    expect(page.get_by_role("heading", name="This trace became part of another.")).to_be_visible()
    page.get_by_role("button", name="Open the other trace").click()
    expect(page.locator("h1")).to_have_text("The whole")


def test_an_expired_cookie_says_what_to_do(window: Window) -> None:
    window.forgiven += ["401", "403", "WebSocket connection"]
    page = window.goto("/")
    expect(page.locator(".state", has_text="live")).to_be_visible()
    page.context.clear_cookies()
    expect(page.get_by_role("alert")).to_contain_text("link")


def test_a_call_is_found_by_its_id_alone(window: Window, stage: Stage) -> None:
    begin(stage)
    call = next(iter(stage.calls["talk"]))
    page = window.goto(f"/calls/{call}")
    expect(page).to_have_url(f"http://{window.host}/traces/talk?call={call}")
    expect(page.locator("h1")).to_have_text("Count")


def test_losses_are_shown_only_when_there_are_any(window: Window, dashboard: RunningDashboard) -> None:
    page = window.goto("/")
    expect(page.locator(".state", has_text="live")).to_be_visible()
    assert page.get_by_text("dropped").count() == 0
    assert page.get_by_text("does not work").count() == 0
    worse = {"records_dropped": 12, "journal_degraded": True, "troubles": (Trouble("recorder", "<b>the</b> schema is newer"),)}
    fields = {name: getattr(PROXY, name) for name in PROXY.__slots__} | worse
    dashboard.proxy[0] = type(PROXY)(**fields)
    expect(page.get_by_text("12 records dropped")).to_be_visible()
    expect(page.get_by_text("journal degraded")).to_be_visible()
    expect(page.get_by_text("recorder does not work")).to_have_attribute("title", "<b>the</b> schema is newer")
