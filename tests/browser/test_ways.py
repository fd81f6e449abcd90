"""Addresses, Back, the keyboard alone, both themes, narrow windows."""

import re
import time

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import OpenWindow, Window
from tests.browser.stage.scenes import history
from tests.browser.stage.stage import Stage
from tests.support.running_dashboard import RunningDashboard

pytestmark = pytest.mark.browser

CONTRAST = """() => {
  const shade = (channel) => { const s = channel / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * shade(r) + 0.7152 * shade(g) + 0.0722 * shade(b);
  const read = (text) => { const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number); return { rgb: [r, g, b], a }; };
  const over = (top, below) => top.rgb.map((each, at) => each * top.a + below[at] * (1 - top.a));
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    const mine = read(getComputedStyle(element).backgroundColor);
    return mine.a === 1 ? mine.rgb : over(mine, ground(element.parentElement));
  };
  const poor = [];
  const walker = document.createTreeWalker(document.querySelector('#app'), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest('svg, .sr, option')) continue;
    if (!element.checkVisibility({ opacityProperty: true })) continue;
    const style = getComputedStyle(element);
    const back = ground(element);
    const front = over(read(style.color), back);
    const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) poor.push(`${ratio.toFixed(2)} ${element.className} ${walker.currentNode.data.trim().slice(0, 30)}`);
  }
  return [...new Set(poor)];
}"""


@pytest.fixture
def full(window: Window, stage: Stage) -> Window:
    history(stage, time.time() * 1000)
    return window


def path_of(page: Page) -> str:
    return re.sub(r"^https?://[^/]+", "", page.url)


def test_every_step_has_an_address_and_back_undoes_it(full: Window) -> None:
    page = full.goto("/")
    page.get_by_role("option", name="Add rate limiting").click()
    expect(page.locator(".node-agent").first).to_be_visible()
    page.get_by_role("tab", name="Table").click()
    page.locator(".call-row[data-call]").nth(2).click()
    expect(page.get_by_role("tabpanel")).to_contain_text("I read the service")
    steps = [path_of(page)]
    for _ in range(3):
        page.go_back()
        steps.append(path_of(page))
    assert [re.sub(r"call=\w+", "call=*", step) for step in steps] == [
        "/traces/run-7f3a?call=*&view=table",
        "/traces/run-7f3a?view=table",
        "/traces/run-7f3a",
        "/",
    ]
    expect(page.get_by_role("heading", name="Running now")).to_be_visible()
    for _ in range(3):
        page.go_forward()
    expect(page.get_by_role("tabpanel")).to_contain_text("I read the service")


def test_a_link_opens_the_same_state(full: Window, open_window: OpenWindow, dashboard: RunningDashboard) -> None:
    page = full.goto("/traces/run-7f3a?view=table&tab=request")
    page.locator(".call-row[data-call]").nth(2).click()
    expect(page.get_by_role("tabpanel", name="Request")).to_contain_text("Orchestrator")
    other = open_window(dashboard.host, dashboard.link()).goto(path_of(page))
    expect(other.get_by_role("tabpanel", name="Request")).to_contain_text("Orchestrator")
    expect(other.locator(".call-row.open")).to_have_count(1)


def test_the_whole_way_by_keyboard(full: Window) -> None:
    page = full.goto("/")
    expect(page.locator(".trace-item").first).to_be_visible()
    press = page.keyboard.press
    press("/")
    page.keyboard.type("rate limiting")
    expect(page.locator(".trace-item")).to_have_count(1)
    press("Enter")
    press("Enter")
    expect(page.locator("h1")).to_contain_text("Add rate limiting")
    expect(page.get_by_role("tabpanel"), "the call where the words stand").to_have_count(1)
    press("Escape")
    expect(page.get_by_role("tabpanel")).to_have_count(0)
    press("4")
    press("j")
    press("j")
    press("j")
    expect(page.get_by_role("tabpanel")).to_contain_text("I read the service")
    press("]")
    expect(page.get_by_role("tab", name="Request")).to_have_attribute("aria-selected", "true")
    press("]")
    expect(page.get_by_role("tabpanel", name="Diff")).to_contain_text("The beginning is kept.")
    press("Escape")
    expect(page.get_by_role("tabpanel")).to_have_count(0)
    press("?")
    help_sheet = page.get_by_role("dialog", name="Keyboard help")
    expect(help_sheet).to_contain_text("next trace")
    press("Escape")
    expect(help_sheet).to_have_count(0)
    press("1")
    expect(page.locator(".node-agent").first).to_be_visible()
    press("f")


def test_tab_reaches_everything_and_focus_is_seen(full: Window) -> None:
    page = full.goto("/traces/run-7f3a?view=table")
    expect(page.locator(".call-row[data-call]").first).to_be_visible()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent.slice(0, 20)"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none" or page.evaluate("document.activeElement.matches('.search input, body')")
    assert {"Search traces", "Traces, newest first", "Graph", "Table", "Calls", "Width of the list"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/traces/run-7f3a",
        "/traces/run-7f3a?view=timeline&agent=run-7f3a-store",
        "/traces/run-7f3a?view=conversation",
        "/traces/broken?view=table&tab=raw",
        "/traces/local?view=table",
    ],
)
def test_words_stand_out_from_their_ground(
    open_window: OpenWindow, dashboard: RunningDashboard, stage: Stage, scheme: str, address: str
) -> None:
    history(stage, time.time() * 1000)
    window = open_window(dashboard.host, dashboard.link(), color_scheme=scheme)
    page = window.goto(address)
    expect(page.locator(".trace-item").first).to_be_visible()
    if "view=table" in address:
        page.locator(".call-row[data-call]").first.click()
        expect(page.get_by_role("tabpanel")).to_be_visible()
    page.wait_for_load_state("networkidle")
    # What pulses is measured at rest.
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(CONTRAST) == []


def test_the_theme_follows_the_system_until_one_is_chosen(open_window: OpenWindow, dashboard: RunningDashboard, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    window = open_window(dashboard.host, dashboard.link(), color_scheme="dark")
    page = window.goto("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    assert dark != light
    page.keyboard.press("t")
    page.keyboard.press("t")
    assert page.evaluate(ground) == dark
    page.reload()
    assert page.evaluate(ground) == dark
    page.keyboard.press("t")
    assert page.evaluate(ground) == light


def test_a_narrow_window_shows_one_thing_at_a_time(open_window: OpenWindow, dashboard: RunningDashboard, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    window = open_window(dashboard.host, dashboard.link(), viewport={"width": 420, "height": 800})
    page = window.goto("/")
    expect(page.get_by_role("option", name="Add rate limiting")).to_be_visible()
    page.get_by_role("option", name="Add rate limiting").click()
    expect(page.locator(".trace-item").first).to_be_hidden()
    expect(page.locator("h1")).to_be_visible()
    page.get_by_role("tab", name="Table").click()
    page.locator(".call-row[data-call]").nth(2).click()
    expect(page.get_by_role("tabpanel")).to_contain_text("I read the service")
    page.get_by_role("button", name="Close the detail").click()
    page.get_by_role("link", name="Traces", exact=True).click()
    expect(page.get_by_role("option", name="Add rate limiting")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
