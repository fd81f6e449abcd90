"""The graph: who asked whom, folded and unfolded, by mouse and by keyboard, while it grows."""

import time

import pytest
from playwright.sync_api import FloatRect, Page, expect
from tests.browser.conftest import Window
from tests.browser.stage.play import Director
from tests.browser.stage.scenes import run
from tests.browser.stage.stage import Stage

pytestmark = pytest.mark.browser


@pytest.fixture
def graph(window: Window, stage: Stage) -> Page:
    director = Director(stage, time.time() * 1000 - 60_000)
    run(director)
    director.play()
    page = window.goto("/traces/run-7f3a")
    expect(page.locator(".node-agent")).to_have_count(6)
    return page


def node(page: Page, name: str):  # noqa: ANN201 - a locator
    return page.locator(".node-agent", has_text=name)


def still_box(page: Page, name: str) -> FloatRect:
    """Return where an agent stands once it stands still: a fit of the picture moves it."""
    seen = [node(page, name).bounding_box() for _ in range(2)]
    for _ in range(100):
        page.wait_for_timeout(100)
        seen.append(node(page, name).bounding_box())
        if seen[-1] is not None and seen[-1] == seen[-2] == seen[-3]:
            return seen[-1]
    pytest.fail(f"{name} does not come to rest: {seen[-3:]}")


def test_agents_and_who_opened_whom(graph: Page) -> None:
    expect(graph.locator(".shape-root")).to_have_count(1)
    expect(graph.locator(".wire-delegation")).to_have_count(5)
    expect(graph.locator(".wire-delegation.is-unsure")).to_have_count(1)
    expect(graph.locator(".wire-label", has_text="55 %")).to_be_visible()
    expect(graph.get_by_role("button", name="1 helper call")).to_be_visible()


def test_an_edge_says_its_evidence_and_what_came_of_it(graph: Page) -> None:
    hidden = graph.locator("[data-wire^='delegation'][data-wire*='store'] .wire-hit").first
    box = graph.evaluate(
        "path => { const at = path.getPointAtLength(path.getTotalLength() * 0.8); const ctm = path.getScreenCTM();"
        " const p = new DOMPoint(at.x, at.y).matrixTransform(ctm); return [p.x, p.y]; }",
        hidden.element_handle(),
    )
    graph.mouse.move(*box)
    status = graph.locator(".graph-status")
    expect(status).to_contain_text("delegation")
    expect(status).to_contain_text("evidence: tool_use.input, confidence 100 %")
    expect(status).to_contain_text("in all")


def test_the_second_click_of_two_means_what_the_first_was_on(graph: Page) -> None:
    """The first one opens the detail, which takes room: the picture is fitted anew before the second."""
    before = still_box(graph, "store")
    circle = node(graph, "store").locator("circle.shape").bounding_box()
    assert circle is not None
    graph.mouse.move(circle["x"] + circle["width"] / 2, circle["y"] + circle["height"] / 2)
    graph.mouse.down()
    graph.mouse.up()
    expect(graph.locator(".detail")).to_be_visible()
    assert still_box(graph, "store") != before
    graph.mouse.down(click_count=2)
    graph.mouse.up(click_count=2)
    expect(graph.locator(".node-call")).to_have_count(4)
    assert "open=run-7f3a-store" in graph.url


def test_an_agent_unfolds_in_place_and_the_address_knows(graph: Page) -> None:
    node(graph, "store").locator("circle.shape").click()
    expect(graph.locator(".detail")).to_be_visible()  # it takes room: the picture is fitted anew
    before = still_box(graph, "store")
    node(graph, "store").locator("circle.shape").dblclick()
    expect(graph.locator(".node-call")).to_have_count(4)
    after = still_box(graph, "store")
    assert abs(before["x"] - after["x"]) < 40
    assert "open=" in graph.url
    graph.reload()
    expect(graph.locator(".node-call")).to_have_count(4)
    graph.get_by_role("button", name="Calls", exact=True).click()
    expect(graph.locator(".node-call")).to_have_count(17)
    expect(graph.locator(".node-tool", has_text="edit_file")).to_have_count(4)
    expect(graph.locator(".node-tool", has_text="run_tests").locator(".badge-is-failed")).to_have_count(3)
    expect(graph.locator(".node-tool .badge-is-failed")).to_have_count(3)
    graph.get_by_role("button", name="Agents", exact=True).click()
    expect(graph.locator(".node-call")).to_have_count(0)


def test_the_picture_is_fitted_to_what_it_shows_now(graph: Page) -> None:
    """Switching the zoom level and opening the detail fit the present picture, until the reader moves it."""
    inside = """() => {
        const box = document.querySelector('.graph-svg').getBoundingClientRect();
        return [...document.querySelectorAll('.graph-svg .node .shape')].every((shape) => {
          const { left, right, top, bottom } = shape.getBoundingClientRect();
          return left >= box.left && right <= box.right && top >= box.top && bottom <= box.bottom;
        });
    }"""
    graph.get_by_role("button", name="Calls", exact=True).click()
    expect(graph.locator(".node-call")).to_have_count(17)
    graph.wait_for_function(inside)
    graph.locator(".node-call .shape").nth(2).click()
    expect(graph.get_by_role("tabpanel")).to_be_visible()
    graph.wait_for_function(inside)
    graph.keyboard.press("Escape")
    expect(graph.get_by_role("tabpanel")).to_have_count(0)
    graph.wait_for_function(inside)
    graph.get_by_role("button", name="Agents", exact=True).click()
    expect(graph.locator(".node-call")).to_have_count(0)
    graph.wait_for_function(inside)


def test_hovering_lights_the_way_to_the_root(graph: Page) -> None:
    node(graph, "migration").locator("circle.shape").hover()
    expect(graph.locator(".node.is-lit")).to_have_count(3)
    expect(graph.locator(".node.is-dim")).to_have_count(3)


def test_a_click_selects_and_shows_what_an_agent_cost(graph: Page) -> None:
    node(graph, "store").locator("circle.shape").click()
    detail = graph.get_by_role("region", name="Agent")
    expect(detail).to_contain_text("Opened by orchestrator")
    expect(detail).to_contain_text("to hand back 12 tok")
    detail.locator(".call-link").first.click()
    expect(graph.get_by_role("region", name="Call")).to_contain_text("gpt-5.1")


def test_arrows_walk_the_edges_and_enter_unfolds(graph: Page) -> None:
    graph.locator(".graph-svg").focus()
    graph.keyboard.press("ArrowDown")
    expect(graph.locator(".node.is-selected")).to_contain_text("orchestrator")
    graph.keyboard.press("ArrowDown")
    graph.keyboard.press("ArrowRight")
    expect(graph.locator(".node.is-selected")).to_be_visible()
    chosen = graph.locator(".node.is-selected").get_attribute("data-node")
    assert chosen is not None
    graph.keyboard.press("Enter")
    expect(graph.locator(".node-call").first).to_be_visible()
    graph.keyboard.press("ArrowUp")
    expect(graph.locator(".node.is-selected")).to_contain_text("orchestrator")


def test_the_same_as_a_list(graph: Page) -> None:
    graph.get_by_role("button", name="As a list").click()
    outline = graph.get_by_role("list", name="Agents and their calls")
    expect(outline.locator(".outline-agent")).to_have_count(6)
    expect(outline).to_contain_text("opened with 55 % confidence (tool_use.input)")
    outline.locator(".outline-call").nth(1).click()
    expect(graph.get_by_role("tabpanel")).to_contain_text("I read the service")


def test_it_grows_and_keeps_what_is_placed(window: Window, stage: Stage) -> None:
    director = Director(stage, time.time() * 1000)
    run(director, "live")
    director.play_until(9_500)
    page = window.goto("/traces/live?open=live-root")
    expect(page.locator(".node-agent")).to_have_count(5)
    expect(page.locator(".node-agent.is-running")).to_have_count(4)
    page.locator(".graph-svg").hover(position={"x": 20, "y": 400})
    page.mouse.wheel(0, 60)
    root = node(page, "orchestrator").bounding_box()
    director.play_until(16_200)
    expect(node(page, "migration")).to_be_visible()
    assert node(page, "orchestrator").bounding_box() == root
    director.play_until(60_000)
    expect(page.locator(".node.is-running")).to_have_count(0)
    assert node(page, "orchestrator").bounding_box() == root
