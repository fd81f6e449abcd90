"""Tools that ran between calls: in the graph, on the timeline and in the list; what was asked, what came back, how long it took."""

import time

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.browser.conftest import Window
from tests.browser.stage.play import Director, Said, Thread, open_trace
from tests.browser.stage.scenes import history, run
from tests.browser.stage.stage import Stage

pytestmark = pytest.mark.browser
TIMES = "\u00d7"


@pytest.fixture
def unfolded(window: Window, stage: Stage) -> Page:
    director = Director(stage, time.time() * 1000 - 60_000)
    run(director)
    director.play()
    page = window.goto("/traces/run-7f3a?open=*")
    expect(page.locator(".node-call")).to_have_count(17)
    return page


def hexagon(page: Page, name: str) -> Locator:
    return page.locator(".node-tool", has_text=name)


def pane(page: Page) -> Locator:
    return page.get_by_role("region", name="Tool", exact=True)


def test_a_hexagon_says_how_long_and_opens_what_was_asked_and_came_back(unfolded: Page) -> None:
    expect(hexagon(unfolded, "list_files")).to_contain_text("350 ms")
    hexagon(unfolded, "list_files").locator(".shape").click()
    shown = pane(unfolded)
    expect(shown.get_by_role("heading", name="list_files")).to_be_visible()
    expect(shown).to_contain_text("returned")
    expect(shown).to_contain_text("350 ms")
    expect(shown.locator(".json")).to_contain_text('"path": "."')
    expect(shown.locator(".tool-result")).to_contain_text("config.py")
    assert "tool=0" in unfolded.url
    expect(unfolded.locator(".node-tool.is-selected")).to_have_count(1)
    unfolded.reload()
    expect(pane(unfolded).locator(".tool-result")).to_contain_text("config.py")


def test_the_tools_of_one_answer_stand_beside_each_other(unfolded: Page) -> None:
    hexagon(unfolded, "list_files").locator(".shape").click()
    beside = pane(unfolded).get_by_role("navigation", name="Tools of the same answer")
    expect(beside.get_by_role("button")).to_have_count(2)
    beside.get_by_role("button", name="read_file").click()
    expect(pane(unfolded).locator(".tool-result")).to_contain_text("class Router")
    unfolded.keyboard.press("[")
    expect(pane(unfolded).get_by_role("heading", name="list_files")).to_be_visible()
    pane(unfolded).get_by_role("button", name="call …").first.click()
    expect(unfolded.get_by_role("region", name="Call")).to_contain_text("I look at the layout first.")
    unfolded.go_back()
    expect(pane(unfolded)).to_be_visible()


def test_a_failure_is_opened_first_and_looks_like_one(unfolded: Page) -> None:
    failed = hexagon(unfolded, "run_tests").first
    expect(failed.locator(".badge-is-failed")).to_be_visible()
    expect(failed.locator("title").first).to_have_text("tool run_tests: failed after 900 ms")
    failed.locator(".shape").click()
    expect(pane(unfolded).get_by_role("heading", name="Result: an error")).to_be_visible()
    expect(pane(unfolded).locator(".tool-result.is-error")).to_contain_text("7 passed, 1 failed")


def test_an_answer_says_what_became_of_each_tool(unfolded: Page) -> None:
    unfolded.locator(".node-call .shape").first.click()
    fates = unfolded.get_by_role("region", name="Call").locator(".tool-fate")
    expect(fates).to_have_count(2)
    expect(fates.first).to_have_text("returned after 350 ms")
    fates.nth(1).get_by_role("button").click()
    expect(pane(unfolded).get_by_role("heading", name="read_file")).to_be_visible()


def test_an_agents_tools_are_summed(unfolded: Page) -> None:
    unfolded.locator(".node-agent", has_text="api").locator("circle.shape").click()
    totals = unfolded.get_by_role("region", name="Agent").locator(".tool-totals")
    expect(totals.locator("tr", has_text="edit_file")).to_contain_text("2 runs")
    expect(totals.locator("tr", has_text="run_tests")).to_contain_text("1 failed")


def test_the_timeline_shows_what_ran_between_calls(unfolded: Page) -> None:
    unfolded.keyboard.press("2")
    runs = unfolded.locator(".bar-run")
    expect(runs).to_have_count(10)
    long = runs.filter(has_text=f"delegate {TIMES}4")
    expect(long.locator(".bar-tools-name")).to_have_text(f"delegate {TIMES}4")
    expect(runs.filter(has_text="run_tests").first.locator("title")).to_have_text(
        f"edit_file {TIMES}2, run_tests: 1 of 3 failed after 900 ms"
    )
    long.click()
    expect(pane(unfolded).get_by_role("heading", name="delegate")).to_be_visible()
    expect(unfolded.locator(".bar-run.is-selected")).to_have_count(1)


def test_keys_reach_a_tool(unfolded: Page) -> None:
    graph = unfolded.locator(".graph-svg")
    graph.focus()
    for _ in range(2):
        graph.press("ArrowDown")
    graph.press("Shift+ArrowDown")
    expect(unfolded.locator(".node-tool.is-selected")).to_have_count(1)
    graph.press("ArrowRight")
    expect(pane(unfolded).get_by_role("heading", name="read_file")).to_be_visible()
    graph.press("ArrowUp")
    expect(unfolded.locator(".node-call.is-selected")).to_have_count(1)
    expect(pane(unfolded)).to_have_count(0)


def test_the_list_names_tools_and_opens_them(unfolded: Page) -> None:
    unfolded.get_by_role("button", name="As a list").click()
    tools = unfolded.locator(".outline-tool")
    expect(tools.filter(has_text="run_tests").first).to_contain_text("failed after 900 ms")
    tools.filter(has_text="list_files").click()
    expect(pane(unfolded).locator(".tool-result")).to_contain_text("config.py")


def test_the_table_marks_what_failed(unfolded: Page) -> None:
    unfolded.keyboard.press("4")
    chips = unfolded.locator(".tool-chip")
    expect(chips.filter(has_text="run_tests").first).to_have_class("tool-chip is-failed")
    expect(chips.filter(has_text="run_tests").first).to_have_attribute("title", "failed after 900 ms")
    expect(chips.filter(has_text="list_files")).to_have_class("tool-chip")


def test_a_tool_runs_until_its_result_comes(window: Window, stage: Stage) -> None:
    director = Director(stage, time.time() * 1000)
    run(director, "live")
    director.play_until(10_500)
    page = window.goto("/traces/live?open=live-root")
    expect(hexagon(page, "delegate")).to_contain_text("running")
    hexagon(page, "delegate").locator(".shape").click()
    expect(pane(page)).to_contain_text("It has not come back yet.")
    director.play_until(60_000)
    expect(pane(page).locator(".tool-result")).to_contain_text("api: done")
    expect(hexagon(page, "delegate")).not_to_contain_text("running")


def test_a_result_that_never_came(window: Window, stage: Stage) -> None:
    director = Director(stage, time.time() * 1000 - 60_000)
    open_trace(stage, "lost", "Look it up", director.begin_ms)
    agent = Thread(director, "lost", "lost-a", "seeker", tools=()).hears("Look it up.")
    _, end = agent.turn(0, Said("", tools=(("search", {"for": "it"}), ("search", {"for": "more"}))))
    agent.hears("Never mind, answer without it.").turn(end + 500, Said("Then I guess."))
    director.play()
    page = window.goto("/traces/lost")
    expect(hexagon(page, f"search {TIMES}2").locator(".is-unseen")).to_be_visible()
    expect(hexagon(page, f"search {TIMES}2")).to_contain_text("no result")
    expect(page.locator(".wire-request")).to_have_count(1)
    hexagon(page, f"search {TIMES}2").locator(".shape").click()
    expect(pane(page)).to_contain_text("No request in this conversation brought a result of it.")
    page.keyboard.press("2")
    expect(page.locator(".bar-call").first).to_be_visible()
    expect(page.locator(".bar-run")).to_have_count(0)


def test_hostile_tools_stay_text(window: Window, stage: Stage) -> None:
    history(stage, time.time() * 1000)
    page = window.goto(f"/traces/{'%3Cb%3Eid%3C%2Fb%3E'}?open=*")
    page.locator(".node-tool .shape").click()
    expect(pane(page).get_by_role("heading", name="Result: an error")).to_be_visible()
    expect(pane(page)).to_contain_text("<script>window.pwned = 1</script>")
    expect(pane(page).get_by_role("heading", name="<svg onload=window.pwned=1>")).to_be_visible()
    page.keyboard.press("2")
    expect(page.locator(".bar-run").first).to_be_visible()
    assert page.evaluate("window.pwned") is None


def test_a_tool_that_is_not_there(window: Window, unfolded: Page, stage: Stage) -> None:
    call = next(row for row in stage.calls["run-7f3a"].values() if row.tool_names)
    page = window.goto(f"/traces/run-7f3a?call={call.call_id}&tool=99")
    expect(pane(page)).to_contain_text("this one is not among them")
    window.forgiven.append("404")
    page = window.goto("/traces/run-7f3a?call=nowhere&tool=0")
    expect(pane(page)).to_contain_text("There is no call 'nowhere'.")
    assert unfolded is page
