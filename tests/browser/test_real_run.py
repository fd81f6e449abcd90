"""The whole product: an official SDK calls through a running proxy, and the page shows the call while it is being answered."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import anthropic
import pytest
from playwright.sync_api import expect
from tests.browser.conftest import OpenWindow
from tests.support.provider_server import ProviderServer
from tests.support.running_proxy import RunningProxy

from modular_agents.proxy.dashboard.access import make_link_token

pytestmark = pytest.mark.browser

ANSWER = "A refused request costs nothing, because the limiter stands in front of the router."


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    with ProviderServer() as started:
        yield started


def ask(url: str, text: str, script: dict[str, object]) -> anthropic.types.Message:
    """Ask as an agent does that knows nothing of us but its base URL."""
    with (
        anthropic.Anthropic(base_url=url, api_key="sk-ant-dummy", max_retries=0) as client,
        client.messages.stream(
            model="claude-opus-4-8",
            max_tokens=200,
            messages=[{"role": "user", "content": text}],
            extra_headers={"x-script": json.dumps(script)},
        ) as stream,
    ):
        return stream.get_final_message()


def test_a_real_call_appears_grows_and_ends(provider: ProviderServer, open_window: OpenWindow, built_page: Path, tmp_path: Path) -> None:
    assert built_page.is_dir()
    with RunningProxy(tmp_path, {"anthropic": provider.url}, dashboard=True) as proxy:
        assert proxy.runtime.dashboard_url is not None
        host = urlsplit(proxy.runtime.dashboard_url).netloc
        window = open_window(host, make_link_token(proxy.paths.links_dir))
        page = window.goto("/")
        expect(page.get_by_text(f"export ANTHROPIC_BASE_URL={proxy.url}", exact=True)).to_be_visible()
        page.evaluate("window.isSamePage = true")

        answers: list[anthropic.types.Message] = []
        script = {"text": ANSWER, "chunks": 8, "stall_at": 6}
        agent = threading.Thread(target=lambda: answers.append(ask(proxy.url, "Why in front of the router?", script)))
        agent.start()
        try:
            row = page.get_by_role("option", name="Why in front of the router?")
            expect(row).to_be_visible()
            row.click()
            expect(page.locator(".detail .badge")).to_have_text("running")
            panel = page.get_by_role("tabpanel", name="Answer")
            expect(panel).to_contain_text("A refused request")
            assert ANSWER not in panel.inner_text()
        finally:
            provider.release()
            agent.join(30)
        expect(page.locator(".detail .badge")).to_have_text("completed")
        expect(panel).to_contain_text(ANSWER)
        assert "".join(block.text for block in answers[0].content if block.type == "text") == ANSWER
        expect(page.locator(".facts")).to_contain_text("$0.")

        page.get_by_role("tab", name="Raw").click()
        raw = page.get_by_role("tabpanel", name="Raw")
        expect(raw).to_contain_text("text/event-stream")
        expect(raw.locator(".chunks tbody tr").first).to_contain_text("ms")
        assert "sk-ant-dummy" not in page.content()

        ask(proxy.url, "And behind it?", {"text": "Then it is too late."})
        expect(page.get_by_role("option", name="And behind it?")).to_be_visible()
        assert page.evaluate("window.isSamePage")
