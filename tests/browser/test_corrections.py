"""The graph corrected on the page: an edge is cut, a thread opened by another call, a call sent to another trace; all of it is undone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import PROXY, OpenWindow
from tests.conformance.test_linking import delegating
from tests.support.link_store import record
from tests.support.running_dashboard import running_dashboard
from tests.support.talks import World

from modular_agents.proxy.model.call import Call
from modular_agents.proxy.store.sqlite import SqliteStore

pytestmark = pytest.mark.browser


@pytest.fixture
def calls(tmp_path: Path) -> Iterator[list[Call]]:
    """Two agents that one opened, and an agent of whom nothing is known, in a real database that somebody holds open."""
    store = SqliteStore(tmp_path / "traces.db")
    calls = delegating()
    stray = World(1_000_100.0).talk("You are the Stray Agent.", connection="s").turn("Look after the roses.", "I do.")
    record(store, [*calls, stray])
    yield [*calls, stray]
    store.close()


@pytest.fixture
def page(tmp_path: Path, calls: list[Call], built_page: Path, open_window: OpenWindow) -> Iterator[Page]:
    assert calls
    with running_dashboard(tmp_path, static=built_page, db=tmp_path / "traces.db") as running:
        running.proxy[0] = PROXY
        window = open_window(running.host, running.link())
        window.forgiven += ["400", "/tools"]  # the tools of a trace may be asked for in the moment before the page is told that it went
        yield window.goto("/")


def open_call(page: Page, call: Call, trace: Call) -> None:
    page.goto(f"{page.url.split('/traces')[0].rstrip('/')}/traces/tr-{trace.call_id}?call={call.call_id}")
    expect(page.get_by_role("button", name="Correct …")).to_be_visible()


def test_an_edge_is_cut_and_undone_and_the_graph_follows(page: Page, calls: list[Call]) -> None:
    open_call(page, calls[1], calls[0])
    expect(page.locator(".wire-delegation")).to_have_count(2)
    page.keyboard.press("c")
    expect(page.get_by_role("group", name="Correct the graph")).to_be_visible()
    page.get_by_role("button", name="Cut the delegation").click()
    page.wait_for_url(f"**/traces/tr-{calls[1].call_id}?call={calls[1].call_id}*")  # nothing else ties it to its trace
    expect(page.locator(".correction")).to_contain_text(f"no delegation from {calls[0].call_id}")
    expect(page.locator(".wire-delegation")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url(f"**/traces/tr-{calls[0].call_id}?call={calls[1].call_id}*")
    expect(page.locator(".wire-delegation")).to_have_count(2)
    expect(page.locator(".correction")).to_have_count(0)


def test_a_call_goes_to_another_trace_and_the_reader_with_it(page: Page, calls: list[Call]) -> None:
    stray, lead = calls[-1], calls[0]
    open_call(page, stray, stray)
    page.get_by_role("button", name="Correct …").click()
    page.get_by_label("Who opened it").fill("Test everything")
    page.get_by_role("button", name="Belongs to Test everything").click()
    page.wait_for_url(f"**/traces/tr-{lead.call_id}?call={stray.call_id}*")
    expect(page.locator(".correction")).to_contain_text(f"belongs to the trace tr-{lead.call_id}")
    page.keyboard.press("c")
    page.get_by_label("Who opened it").fill("Lead")
    page.get_by_role("button", name="Opened by Lead").last.click()
    expect(page.locator(".correction")).to_contain_text("opened by lead: Test everything")
    expect(page.locator(".wire-delegation")).to_have_count(3)
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url(f"**/traces/tr-{stray.call_id}?call={stray.call_id}*")


def test_what_cannot_be_is_said_and_nothing_changes(page: Page, calls: list[Call]) -> None:
    open_call(page, calls[1], calls[0])
    page.keyboard.press("c")
    page.get_by_label("Who opened it").fill(calls[-1].call_id)
    page.get_by_role("button", name="Opened by the call").click()
    expect(page.get_by_role("alert")).to_contain_text("began after")
    page.keyboard.press("Escape")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_role("group", name="Correct the graph")).to_have_count(0)
    expect(page.locator(".wire-delegation")).to_have_count(2)
