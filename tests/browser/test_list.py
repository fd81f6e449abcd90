"""The list of traces: live, searched, and as long as it gets."""

import re
import time

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Window
from tests.browser.stage.play import Director, Said, Thread, open_trace
from tests.browser.stage.scenes import history, many_traces
from tests.browser.stage.stage import Stage

pytestmark = pytest.mark.browser


def say(stage: Stage, trace_id: str) -> None:
    director = Director(stage, time.time() * 1000)
    open_trace(stage, trace_id, f"Task {trace_id}", director.begin_ms)
    Thread(director, trace_id, trace_id, None).hears("x").turn(0, Said("y"))
    director.play()


def texts(page: Page) -> list[str]:
    return page.locator(".trace-title").all_inner_texts()


def test_new_rows_wait_while_the_reader_is_further_down(window: Window, stage: Stage) -> None:
    many_traces(stage, 300, time.time() * 1000)
    page = window.goto("/")
    expect(page.locator(".trace-item").first).to_contain_text("Task number 0")
    say(stage, "one")
    expect(page.locator(".trace-item").first).to_contain_text("Task one")
    rows = page.locator(".trace-rows")
    rows.evaluate("element => { element.scrollTop = 3000; }")
    expect(page.locator(".trace-item", has_text="Task number 60")).to_be_visible()
    before = rows.evaluate("element => element.scrollTop")
    say(stage, "two")
    say(stage, "three")
    waiting = page.get_by_role("button", name="2 new")
    expect(waiting).to_be_visible()
    assert rows.evaluate("element => element.scrollTop") == before
    waiting.click()
    expect(page.locator(".trace-item").first).to_contain_text("Task three")
    expect(waiting).to_have_count(0)


def test_a_hundred_thousand_rows(window: Window, stage: Stage) -> None:
    many_traces(stage, 100_000, time.time() * 1000)
    page = window.goto("/")
    rows = page.locator(".trace-rows")
    expect(page.locator(".list-stats")).to_contain_text("100+ traces")
    # Every page of rows is fetched by scrolling to the end of those that are there.
    page.evaluate(
        """async () => {
             const rows = document.querySelector('.trace-rows');
             const space = rows.querySelector('.rows-space');
             const end = performance.now() + 400_000;
             while (space.offsetHeight < 100_000 * 52 && performance.now() < end) {
               rows.scrollTop = rows.scrollHeight;
               await new Promise(requestAnimationFrame);
             }
           }"""
    )
    expect(page.locator(".list-stats")).to_contain_text("100,000 traces")
    rows.evaluate("element => { element.scrollTop = 2_600_000; }")
    expect(page.locator(".trace-item", has_text="Task number 50000")).to_be_visible()
    assert page.locator(".trace-item").count() < 60
    say(stage, "late")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()


def test_search_narrows_counts_and_stands_in_the_address(window: Window, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    page = window.goto("/")
    expect(page.locator(".trace-item")).to_have_count(5)
    page.keyboard.press("/")
    field = page.get_by_role("textbox", name="Search traces")
    expect(field).to_be_focused()
    field.fill("incident")
    expect(page.locator(".trace-item")).to_have_count(1)
    expect(page.locator(".list-stats")).to_contain_text("1 trace")
    expect(page).to_have_url(f"http://{window.host}/?q=incident")
    say(stage, "new")
    expect(page.get_by_role("button", name="1 new · search again")).to_be_visible()

    field.fill("has:error since:1d")
    expect(page.locator(".trace-item")).to_have_count(2)
    field.fill("status:running")
    expect(page.get_by_text("No trace matches this search.")).to_be_visible()
    field.fill("model:llama3.3:70b")
    expect(page.locator(".trace-item")).to_contain_text("local model")
    field.fill("cost:5")
    expect(page.locator(".complaint")).to_contain_text("cost:>0.50")
    page.keyboard.press("Escape")
    expect(page.locator(".trace-item")).to_have_count(6)


def test_a_shared_address_searches(window: Window, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    page = window.goto("/?q=payments")
    expect(page.get_by_role("textbox", name="Search traces")).to_have_value("payments")
    expect(page.locator(".trace-item")).to_have_count(1)


def test_a_trace_that_was_found_shows_where_and_opens_there(window: Window, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    page = window.goto("/")
    page.get_by_role("textbox", name="Search traces").fill("attempt 29")
    item = page.locator(".trace-item", has=page.locator(".trace-found"))
    expect(item.locator("mark")).to_have_text(re.compile("attempt 29", re.IGNORECASE))
    item.click()
    expect(page).to_have_url(re.compile(r"[?&]call="))
    expect(page.get_by_role("region", name="Call")).to_be_visible()


def test_unpriced_is_never_free_and_errors_are_counted(window: Window, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    page = window.goto("/")
    local = page.get_by_role("option", name="Classify 3 tickets")
    expect(local).to_contain_text("unpriced")
    expect(local).not_to_contain_text("$0")
    expect(page.get_by_role("option", name="Summarise the incident")).to_contain_text("2 errors")
