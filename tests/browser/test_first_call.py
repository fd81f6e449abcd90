"""A newcomer opens the page, follows its two lines, and sees the first call arrive while it is being answered."""

import time

import pytest
from playwright.sync_api import expect
from tests.browser.conftest import Window
from tests.browser.stage.play import Director, Said, Thread, open_trace
from tests.browser.stage.stage import Stage

pytestmark = pytest.mark.browser

ANSWER = "The limiter stands in front of the router, so a refused request costs nothing. " * 3


def test_an_empty_page_says_how_to_begin(window: Window) -> None:
    page = window.goto("/")
    expect(page.get_by_role("heading", name="Waiting for the first call")).to_be_visible()
    expect(page.get_by_text("export ANTHROPIC_BASE_URL=http://127.0.0.1:8123", exact=True)).to_be_visible()
    expect(page.get_by_text("export OPENAI_BASE_URL=http://127.0.0.1:8123/v1", exact=True)).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy export OPENAI_BASE_URL").click()
    assert page.evaluate("navigator.clipboard.readText()") == "export OPENAI_BASE_URL=http://127.0.0.1:8123/v1"


def test_a_call_appears_grows_and_ends_without_a_reload(window: Window, stage: Stage) -> None:
    page = window.goto("/")
    expect(page.locator(".state", has_text="live")).to_be_visible()
    page.evaluate("window.isSamePage = true")
    director = Director(stage, time.time() * 1000)
    open_trace(stage, "first", "Say why", director.begin_ms)
    Thread(director, "first", "a", "orchestrator").hears("Say why").turn(0, Said(ANSWER, wait_ms=100, ms=1000))

    director.play_until(0)
    row = page.get_by_role("option", name="Say why")
    expect(row).to_be_visible()
    row.click()
    expect(page.locator(".waiting-line")).to_contain_text("waiting for the provider")

    director.play_until(500)
    answer = page.get_by_role("tabpanel", name="Answer")
    expect(answer).to_contain_text("The limiter stands")
    half = answer.inner_text()
    director.play_until(900)
    expect(answer.locator(".waiting-line")).to_have_text("streaming")
    page.wait_for_function("before => document.querySelector('#tab-panel').innerText.length > before", arg=len(half))

    director.play_until(2000)
    expect(page.locator(".detail .badge")).to_have_text("completed")
    expect(answer).to_contain_text(ANSWER.strip())
    expect(answer.locator(".waiting-line")).to_have_count(0)
    expect(page.locator(".facts")).to_contain_text("1.10 s")
    expect(row).to_contain_text("1 call")
    assert page.evaluate("window.isSamePage")


def test_the_empty_page_turns_into_the_list_when_a_call_comes(window: Window, stage: Stage) -> None:
    page = window.goto("/")
    expect(page.get_by_text("No traces yet.")).to_be_visible()
    director = Director(stage, time.time() * 1000)
    open_trace(stage, "first", "Say why", director.begin_ms)
    Thread(director, "first", "a", "orchestrator").hears("Say why").turn(0, Said(ANSWER))
    director.play_until(0)
    expect(page.get_by_role("heading", name="Running now")).to_be_visible()
    expect(page.locator(".running-row")).to_contain_text("1 open call")
