"""Prices equal the providers' documented arithmetic, and the catalogue's own."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices.types import Usage as CatalogueUsage

from modular_agents.proxy.model.call import Call, Message, Part, Status, Usage, UsageSource
from modular_agents.proxy.model.exchange import Hints
from modular_agents.proxy.pricing.bill import Bill, bill_of
from modular_agents.proxy.pricing.catalogue import MAX_REMEMBERED, VERSION, Catalogue, installed
from modular_agents.proxy.pricing.price import price, price_bill

CASES: list[dict[str, object]] = json.loads((Path(__file__).parent / "worked_cases.json").read_text("utf-8"))
COUNTS = ("input_total", "cache_read", "cache_write_5m", "cache_write_1h", "output_total", "reasoning")
NOON_NS = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()) * 1_000_000_000


def usage_of(case: dict[str, object]) -> Usage:
    return Usage(UsageSource.REPORTED, **{name: case[name] for name in COUNTS if name in case})  # type: ignore[arg-type]


def bill(**case: object) -> Bill:
    day = case.get("at")
    at_ns = int(datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()) * 1_000_000_000 if day else NOON_NS
    extras = case.get("extras", {})
    assert isinstance(extras, dict)
    return Bill(str(case["provider"]), (str(case["model"]),), usage_of(case), at_ns, case.get("tier"), extras=extras)  # type: ignore[arg-type]


@pytest.fixture(autouse=True, scope="module")
def _loaded() -> None:
    installed()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_worked_case(case: dict[str, object]) -> None:
    cost = price_bill(bill(**case))
    if case["sum"] is None:
        assert cost.usd is None
        assert cost.why.startswith("unpriced: ")
        return
    assert isinstance(case["sum"], list)
    tokens = sum((Decimal(count) * Decimal(str(per_million)) for count, per_million in case["sum"]), Decimal(0))
    assert cost.usd == pytest.approx(float(tokens / 1_000_000 + Decimal(str(case.get("fees_usd", 0)))), rel=1e-12)
    assert cost.why


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 30
    assert all(case["source"] for case in CASES)


CALL = Call(
    call_id="c", status=Status.COMPLETED, started_ns=NOON_NS, provider="openai", upstream="openai", format="openai.chat", operation="chat",
    method="POST", path="/v1/chat/completions", client="", connection_id="", hints=Hints(), request_headers=(), model="gpt-4o-mini",
    usage=Usage(UsageSource.REPORTED, 1000, output_total=100), http_status=200,
)  # fmt: skip
LIST_PRICE = 0.00021


def test_the_answers_model_comes_first_then_the_requests() -> None:
    assert price(CALL).usd == pytest.approx(LIST_PRICE)
    dated = price(replace(CALL, model="gpt-4o", model_response="gpt-4o-mini-2024-07-18"))
    assert (dated.usd, dated.model) == (pytest.approx(LIST_PRICE), "openai/gpt-4o-mini")
    assert price(replace(CALL, model_response="a-name-of-its-own")).usd == pytest.approx(LIST_PRICE)


def test_an_alias_prices_what_nobody_knows() -> None:
    odd = replace(CALL, model="our-small", provider="companygateway")
    assert price(odd).usd is None
    assert price(odd, {"our-small": "openai/gpt-4o-mini"}).usd == pytest.approx(LIST_PRICE)
    assert price(odd, {"our-small": "gpt-4o-mini"}).usd == pytest.approx(LIST_PRICE)
    assert price(odd, {"our-small": "also-unknown"}).usd is None
    assert "alias of openai/gpt-4o-mini" in price(odd, {"our-small": "openai/gpt-4o-mini"}).why


def test_provenance_is_told() -> None:
    cost = price(CALL)
    assert (cost.catalogue, cost.tier) == (VERSION, "standard")
    assert "estimated" in price(replace(CALL, usage=replace(CALL.usage, source=UsageSource.ESTIMATED))).why
    assert "cut" in price(replace(CALL, usage=replace(CALL.usage, source=UsageSource.PARTIAL))).why
    assert "no separate price for scale" in price(replace(CALL, service_tier="scale")).why
    assert "companygateway is not in the catalogue" in price(replace(CALL, provider="companygateway")).why


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"operation": "models", "method": "GET"}, "models"),
        ({"operation": "count_tokens"}, "count_tokens"),
        ({"method": "HEAD", "operation": "other"}, "HEAD"),
        ({"status": Status.FAILED, "http_status": 429}, "429"),
    ],
)
def test_what_is_known_to_be_free_costs_nothing_and_says_why(changed: dict[str, object], word: str) -> None:
    cost = price(replace(CALL, usage=Usage(), **changed))  # type: ignore[arg-type]
    assert cost.usd == 0
    assert word in cost.why


def test_what_is_not_known_is_never_zero() -> None:
    assert price(replace(CALL, usage=Usage())).usd is None
    assert price(replace(CALL, usage=Usage(), status=Status.CANCELLED)).usd is None
    assert price(replace(CALL, model=None)).usd is None
    assert price(replace(CALL, usage=Usage(), method="GET", answers=(Message("assistant", (), b"", b""),))).usd is None


def test_fees_are_read_from_usage_and_answer() -> None:
    raw = b'{"input_tokens":6039,"output_tokens":931,"server_tool_use":{"web_search_requests":2}}'
    claude = replace(CALL, provider="claude", model="claude-sonnet-4-5", usage=Usage(UsageSource.REPORTED, 6039, output_total=931, raw=raw))
    assert price(claude).usd == pytest.approx((6039 * 3 + 931 * 15) / 1e6 + 0.02)
    searched = Message("assistant", (Part("server_tool_use", name="web_search_call"),) * 2, b"", b"")
    assert price(replace(CALL, answers=(searched,))).usd == pytest.approx(LIST_PRICE + 0.02)


def test_a_price_the_provider_says_is_believed() -> None:
    said = replace(CALL, provider="openrouter", usage=replace(CALL.usage, raw=b'{"prompt_tokens":1000,"cost":0.0042}'))
    assert (price(said).usd, price(said).catalogue) == (0.0042, "openrouter")
    ticks = replace(CALL, provider="xai", usage=replace(CALL.usage, raw=b'{"prompt_tokens":1000,"cost_in_usd_ticks":232856000}'))
    assert price(ticks).usd == pytest.approx(0.0232856)
    for raw in (b'{"cost":-1}', b'{"cost":"1"}', b'{"cost":true}', b'["cost"]', b'{"cost', b'{"cost":null}'):
        assert price(replace(said, model="openai/gpt-4o-mini", usage=replace(CALL.usage, raw=raw))).catalogue == VERSION


def test_modalities_are_read_from_usage() -> None:
    details = (
        b'{"promptTokensDetails":[{"modality":"TEXT","tokenCount":1},{"modality":"AUDIO","tokenCount":5},7],'
        b'"prompt_tokens_details":{"audio_tokens":3}}'
    )
    assert bill_of(replace(CALL, usage=replace(CALL.usage, raw=details))).extras == {"input_audio_tokens": 8}
    for raw in (b"[]", b"{", b'{"server_tool_use":3,"promptTokensDetails":[null]}', b'{"promptTokensDetails":3}', b"\xff"):
        assert bill_of(replace(CALL, usage=replace(CALL.usage, raw=raw))).extras == {}


def test_counts_that_contradict_each_other_still_give_a_price() -> None:
    odd = bill(provider="gemini", model="gemini-2.5-flash", input_total=10, output_total=1, extras={"input_audio_tokens": 50})
    assert price_bill(odd).usd == pytest.approx((10 * 0.3 + 2.5) / 1e6)


def test_the_memory_of_names_is_bounded() -> None:
    catalogue = Catalogue(installed()._snapshot)
    for number in range(MAX_REMEMBERED + 2):
        catalogue.find("anthropic", str(number))
    assert len(catalogue._found) <= MAX_REMEMBERED


def test_our_arithmetic_is_the_catalogues() -> None:
    """Every model of three big providers, with every kind of token, in every tier."""
    catalogue = installed()
    counts = {"input_total": 250_000, "cache_read": 1000, "cache_write_5m": 200, "cache_write_1h": 30, "output_total": 700, "reasoning": 60}
    theirs = CatalogueUsage(
        input_tokens=250_000, cache_read_tokens=1000, cache_write_tokens=230, cache_write_5m_tokens=200, cache_write_1h_tokens=30,
        output_tokens=700, output_reasoning_tokens=60,
    )  # fmt: skip
    compared = 0
    for provider in ("anthropic", "openai", "google", "openrouter"):
        for model in catalogue._snapshot.find_provider(None, provider, None).models[:150]:
            for tier in (None, "batch", "flex", "priority", "fast"):
                found = catalogue.find(provider, model.id)
                if found is None or found.model is not model or "input_mtok" not in catalogue.price(found, NOON_NS, tier).__dict__:
                    continue
                ours = price_bill(bill(provider=provider, model=model.id, tier=tier, **counts))
                assert ours.usd == pytest.approx(
                    float(catalogue.price(found, NOON_NS, tier).calc_price(theirs)["total_price"]), rel=1e-12
                ), model.id
                compared += 1
    assert compared > 500


def test_claude_on_bedrock_is_priced_by_the_requests_name_which_alone_says_where() -> None:
    served = replace(CALL, provider="bedrock", format="anthropic.messages", model_response="claude-sonnet-4-5-20250929")
    name = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    world, region = (price(replace(served, model=f"{where}.{name}")).usd for where in ("global", "us"))
    assert (world, region) == (pytest.approx(0.0045), pytest.approx(0.00495))
