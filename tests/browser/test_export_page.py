"""The exported page from a disk, offline: it shows the trace, is searched, folds, obeys the theme; hostile text stays text."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.support.stored import given, message, put_all, tool_use

from modular_agents.proxy.export import html_page
from modular_agents.proxy.export.source import Source, Wanted
from modular_agents.proxy.model.trace import EdgeType
from modular_agents.proxy.store.memory import MemoryStore

pytestmark = pytest.mark.browser

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    store = MemoryStore()
    first = given(1, agent="boss", messages=(message("user", "Find the needle"),), system=(message("system", "Be brief"),), task="Find it")
    inner = given(3, agent="hand", thread="th-2", parent=first, edge=EdgeType.DELEGATION, messages=(message("user", HOSTILE),))
    put_all(store, first.finished(tool_use("delegate", {"to": "hand"}), usd=0.25), inner.finished(f"Hay {HOSTILE}"))
    path = tmp_path / "run.html"
    path.write_bytes(b"".join(html_page.write(Source(store.reader(), Wanted()))))
    return path


@pytest.fixture
def contexts(browser: Browser) -> Iterator[list[BrowserContext]]:
    made: list[BrowserContext] = []
    yield made
    for context in made:
        context.close()


def opened(browser: Browser, contexts: list[BrowserContext], file: Path, *, script: bool = True, dark: bool = False) -> Page:
    context = browser.new_context(offline=True, java_script_enabled=script, color_scheme="dark" if dark else "light")
    contexts.append(context)
    page = context.new_page()
    page.goto(file.as_uri())
    return page


def test_it_shows_the_trace_offline_and_complains_of_nothing(browser: Browser, contexts: list[BrowserContext], file: Path) -> None:
    context = browser.new_context(offline=True)
    contexts.append(context)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    expect(page.get_by_role("heading", level=1)).to_have_text("Find it")
    expect(page.locator("nav .name")).to_have_text(["boss", "hand"])
    expect(page.locator(".lanes a")).to_have_count(2)
    page.get_by_role("button", name="Unfold all").click()
    expect(page.locator(".answer", has_text="Hay")).to_contain_text("<img src=x onerror=")
    expect(page).to_have_title("Trace tr-1")
    assert said == []
    assert asked == [file.as_uri()]


def test_it_is_searched_and_a_bar_opens_its_call(browser: Browser, contexts: list[BrowserContext], file: Path) -> None:
    page = opened(browser, contexts, file)
    page.keyboard.press("/")
    page.keyboard.type("needle")
    expect(page.locator("#told")).to_have_text("1 of 2 calls")
    expect(page.locator("details.turn:visible")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("details.turn:visible")).to_have_count(2)
    page.locator(".lanes a").last.click()
    expect(page.locator("details.turn[open]")).to_have_count(1)
    expect(page.locator("details.turn[open]")).to_contain_text("Hay")


def test_it_reads_without_a_script_and_in_the_dark(browser: Browser, contexts: list[BrowserContext], file: Path) -> None:
    page = opened(browser, contexts, file, script=False)
    expect(page.get_by_role("button")).to_have_count(0)
    page.locator("details.turn > summary").first.click()
    expect(page.locator("details.turn[open] > .inside > .message").first).to_contain_text("Find the needle")
    grounds = []
    for dark in (False, True):
        page = opened(browser, contexts, file, dark=dark)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.get_by_role("button", name="Light or dark").click()
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] == grounds[3] != grounds[1] == grounds[2]
