"""Tokens of a call whose provider did not count them: a rough figure, always marked as estimated.

How: four characters of ASCII prose or code are a token (the providers' own rule of thumb); beyond ASCII 2.8 UTF-8 bytes are
(Latin with accents and Cyrillic take about 2.5, a CJK character of 3 bytes about one token). Each message costs 4 tokens of
framing; a tool definition is its JSON. Pictures and sounds are left out.
Source: help.openai.com, "What are tokens and how to count them?".
"""

from collections.abc import Sequence

from modular_agents.proxy.model.call import Message, Usage, UsageSource

ASCII_CHARS_PER_TOKEN = 4.0
OTHER_BYTES_PER_TOKEN = 2.8
TOKENS_PER_MESSAGE = 4


def text_tokens(text: str) -> float:
    """Return about how many tokens a text is."""
    if text.isascii():
        return len(text) / ASCII_CHARS_PER_TOKEN
    plain = len(text.encode("ascii", "ignore"))
    return plain / ASCII_CHARS_PER_TOKEN + (len(text.encode("utf-8", "replace")) - plain) / OTHER_BYTES_PER_TOKEN


def _message_tokens(message: Message) -> float:
    return sum(text_tokens(part.text) + text_tokens(part.arguments or "") + text_tokens(part.name or "") for part in message.parts)


def answer_tokens(answers: Sequence[Message]) -> int:
    """Return about how many tokens an answer has so far."""
    return round(sum(_message_tokens(answer) for answer in answers))


def estimate(messages: Sequence[Message], tools: Sequence[bytes], answers: Sequence[Message]) -> Usage:
    """Return the estimated usage of a call: what it sent and what it got so far."""
    sent = (
        sum(_message_tokens(message) + TOKENS_PER_MESSAGE for message in messages)
        + sum(len(tool) for tool in tools) / ASCII_CHARS_PER_TOKEN
    )
    thought = sum(text_tokens(part.text) for answer in answers for part in answer.parts if part.kind == "thinking")
    total = round(sent)
    return Usage(
        source=UsageSource.ESTIMATED,
        input_total=total,
        input_uncached=total,
        output_total=answer_tokens(answers),
        reasoning=round(thought) if thought else None,
    )
