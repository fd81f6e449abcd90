"""One call: answer, request, diff, raw."""

import re
import time

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Window
from tests.browser.stage.scenes import history
from tests.browser.stage.stage import Stage

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(window: Window, stage: Stage) -> Page:
    """Open the orchestrator's second call in the table."""
    history(stage, time.time() * 1000)
    page = window.goto("/traces/run-7f3a?view=table")
    page.locator(".call-row", has_text="delegate").click()
    expect(page.get_by_role("region", name="Call")).to_contain_text("claude-sonnet-4-5")
    return page


def test_the_answer_with_its_thinking_tables_code_and_tools(opened: Page) -> None:
    answer = opened.get_by_role("tabpanel", name="Answer")
    expect(answer.locator(".part-thinking")).to_contain_text("only entrance")
    expect(answer.get_by_role("heading", name="Plan")).to_be_visible()
    expect(answer.locator("figure.code")).to_contain_text("class TokenBucket")
    expect(answer.locator("table")).to_contain_text("needs a migration")
    expect(answer.locator(".part-tool")).to_have_count(4)
    opened.get_by_role("button", name="Plain text").click()
    expect(answer.locator("pre.plain").last).to_contain_text("## Plan")


def test_the_request_as_it_was_asked(opened: Page) -> None:
    opened.get_by_role("tab", name="Request").click()
    request = opened.get_by_role("tabpanel", name="Request")
    expect(request.locator(".params")).to_contain_text("max_tokens")
    expect(request.locator(".params")).to_contain_text("4096")
    expect(request.locator(".role-system")).to_contain_text("You are the Orchestrator Agent")
    expect(request.locator(".part-tool > summary", has_text="run_tests").first).to_be_visible()
    expect(request.locator(".message")).to_have_count(4)


def test_the_program_that_made_the_call_is_named(opened: Page) -> None:
    process = opened.locator(".detail-caller")
    expect(process).to_contain_text("process 4711")
    expect(process).to_contain_text("python agent.py --fast")
    expect(process).to_have_attribute("title", re.compile("running since .*in /srv/agent", re.DOTALL))


def test_the_diff_names_what_is_new(opened: Page) -> None:
    opened.get_by_role("tab", name="Diff").click()
    diff = opened.get_by_role("tabpanel", name="Diff")
    expect(diff).to_contain_text("The beginning is kept.")
    expect(diff.locator(".diff-same summary")).to_have_text("1 message unchanged")
    expect(diff.locator(".diff-sign").first).to_contain_text("the previous answer, sent back")
    diff.locator(".link").first.click()
    expect(opened.get_by_role("tabpanel", name="Diff")).to_contain_text("first turn of its conversation")


def test_raw_shows_heads_bodies_and_times_and_downloads_exact_bytes(opened: Page, stage: Stage) -> None:
    opened.get_by_role("tab", name="Raw").click()
    raw = opened.get_by_role("tabpanel", name="Raw")
    expect(raw).to_contain_text("X-Api-Key: [redacted 5f1c09ab]")
    expect(raw).to_contain_text("event: content_block_delta")
    expect(raw.locator(".chunks tbody tr").first).to_contain_text("ms")
    with opened.expect_download() as download:
        raw.get_by_role("link", name="Download").first.click()
    call_id = opened.url.split("call=")[1].split("&")[0]
    assert download.value.path().read_bytes() == stage.raws[call_id].request_body
    raw.get_by_role("button", name="Hex").first.click()
    expect(raw.locator(".raw-body.hex").first).to_contain_text("00000000  7b 22 6d")


def test_an_error_says_whose_it_is(window: Window, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    page = window.goto("/traces/broken?view=table")
    page.locator(".call-row", has_text="429").click()
    detail = page.get_by_role("region", name="Call")
    expect(detail.locator(".callout-bad")).to_contain_text("provider: rate_limit_error")
    expect(detail).to_contain_text("No answer: the call failed.")
    page.keyboard.press("j")
    expect(detail.locator(".callout-bad")).to_contain_text("upstream_cut")
    expect(detail.locator(".usage-note")).to_have_text("partial")
    expect(detail).to_contain_text("At 03:12 the primary database")


def test_estimated_unpriced_and_unreadable_say_so(window: Window, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    page = window.goto("/traces/local?view=table")
    page.locator(".call-row", has_text="llama").first.click()
    detail = page.get_by_role("region", name="Call")
    expect(detail.locator(".usage-note")).to_have_text("estimated")
    expect(detail.locator(".facts")).to_contain_text("unpriced")
    page.locator(".call-row", has_text="/v1/images/generations").click()
    expect(detail).to_contain_text("response not understood")
    expect(detail).to_contain_text("no format we read")


def test_the_conversation_turn_by_turn(window: Window, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    page = window.goto("/traces/chat-50?view=conversation")
    chat = page.get_by_role("region", name="Conversation")
    expect(chat).to_contain_text("57 messages repeated from the turn before")
    expect(chat.locator(".message.is-new")).to_have_count(2)
    expect(chat.locator(".message.is-new").last).to_contain_text("Step 30")
    expect(page.locator(".turn[aria-current]")).to_contain_text("30")
    expect(page.locator(".turn[aria-current]")).to_be_in_viewport()
    page.keyboard.press("k")
    expect(chat.locator(".message.is-new").last).to_contain_text("Step 29")
    chat.get_by_role("button", name="Diff").click()
    diff = page.get_by_role("tabpanel", name="Diff")
    expect(diff.locator(".diff-added")).to_have_count(2)
    expect(diff.locator(".cache-report")).to_contain_text("cache")


def test_the_timeline_selects(window: Window, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    page = window.goto("/traces/run-7f3a?view=timeline")
    expect(page.locator(".bar-call")).to_have_count(18)
    expect(page.locator(".bar-is-failed .bar-cross")).to_have_count(1)
    page.locator(".bar-is-failed").click()
    expect(page.get_by_role("region", name="Call")).to_contain_text("overloaded_error")
    page.locator(".lane-name", has_text="migration").click()
    expect(page.get_by_role("region", name="Agent")).to_contain_text("Opened by store")


def test_the_table_sorts_and_lets_columns_be_chosen(window: Window, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    page = window.goto("/traces/run-7f3a?view=table")
    page.get_by_role("columnheader", name="Duration").get_by_role("button").click()
    expect(page.locator(".call-row[data-call]").first).to_contain_text("6.62 s")
    page.get_by_label("Choose columns").click()
    page.get_by_role("checkbox", name="Prompt Beginning").check()
    expect(page.get_by_role("columnheader", name="Prompt")).to_be_visible()
    page.reload()
    expect(page.get_by_role("columnheader", name="Prompt")).to_be_visible()
