"""What a model, a tool, a header or an id says stays text, wherever it is shown."""

import time

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Window
from tests.browser.stage.scenes import history
from tests.browser.stage.stage import Stage

pytestmark = pytest.mark.browser

ADDRESS = "/traces/%3Cb%3Eid%3C%2Fb%3E"


def harmless(page: Page) -> None:
    assert page.evaluate("window.pwned") is None
    assert page.locator("#app script, #app iframe, #app [onerror], #app [onload], #app b b").count() == 0
    assert page.evaluate("[...document.querySelectorAll('#app a')].map(a => a.protocol).filter(p => !/^https?:$/.test(p))") == []
    assert page.evaluate("[...document.querySelectorAll('#app img')].map(i => i.src).filter(s => !s.startsWith('data:image/'))") == []


@pytest.mark.parametrize("view", ["graph&open=*", "timeline", "conversation", "table"])
@pytest.mark.parametrize("tab", ["answer", "request", "diff", "raw"])
def test_hostile_text_stays_text(window: Window, stage: Stage, view: str, tab: str) -> None:
    history(stage, time.time() * 1000)
    call = max(stage.calls["<b>id</b>"])
    asked: list[str] = []
    window.page.on("request", lambda request: asked.append(request.url))
    page = window.goto(f"{ADDRESS}?view={view}&call={call}&tab={tab}")
    expect(page.get_by_role("tabpanel")).to_be_visible()
    expect(page.locator("h1")).to_contain_text("<script>window.pwned = 1</script>")
    harmless(page)
    assert [url for url in asked if window.host not in url] == []


def test_what_would_hide_or_reorder_is_shown(window: Window, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    call = max(stage.calls["<b>id</b>"])
    page = window.goto(f"{ADDRESS}?view=table&call={call}")
    answer = page.get_by_role("tabpanel")
    expect(answer).to_contain_text("⟨U+001B⟩[31mred")
    expect(answer).to_contain_text("⟨U+202E⟩gnp.exe")
    expect(answer).to_contain_text("[click](javascript:window.pwned=1)")


def test_a_binary_body_is_shown_as_hex(window: Window, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    call = max(stage.calls["<b>id</b>"])
    page = window.goto(f"{ADDRESS}?view=table&call={call}&tab=raw")
    expect(page.locator(".raw-body.hex")).to_contain_text("00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f")
    expect(page.locator(".raw-body.hex")).to_contain_text("more")
