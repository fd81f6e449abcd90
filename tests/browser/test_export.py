"""The export menu of a trace: by mouse and by keyboard, to a file on the disk."""

import csv
import io
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Window
from tests.browser.stage.scenes import history
from tests.browser.stage.stage import Stage

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(window: Window, stage: Stage) -> Page:
    history(stage, time.time() * 1000)
    page = window.goto("/traces/run-7f3a?view=table")
    expect(page.get_by_role("button", name="Export")).to_be_visible()
    return page


def test_a_trace_is_downloaded_as_a_table(opened: Page, tmp_path: Path) -> None:
    opened.get_by_role("button", name="Export").click()
    menu = opened.get_by_role("list", name="Export this trace")
    expect(menu.get_by_role("link")).to_have_count(4)
    with opened.expect_download() as told:
        menu.get_by_role("link", name="CSV").click()
    assert told.value.suggested_filename == "anton-run-7f3a.csv"
    told.value.save_as(tmp_path / "calls.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "calls.csv").read_text("utf-8"))))
    assert {row["trace_id"] for row in rows} == {"run-7f3a"}
    expect(menu).to_be_hidden()


def test_escape_closes_the_menu_and_nothing_else(opened: Page) -> None:
    opened.locator(".call-row", has_text="delegate").click()
    expect(opened.get_by_role("region", name="Call")).to_be_visible()
    button = opened.get_by_role("button", name="Export")
    button.click()
    menu = opened.get_by_role("list", name="Export this trace")
    expect(menu).to_be_visible()
    opened.keyboard.press("Tab")
    expect(menu.get_by_role("link").first).to_be_focused()
    opened.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(button).to_be_focused()
    expect(opened.get_by_role("region", name="Call")).to_be_visible()
    button.click()
    expect(menu).to_be_visible()
    opened.get_by_role("tab", name="Graph").click()
    expect(menu).to_be_hidden()
