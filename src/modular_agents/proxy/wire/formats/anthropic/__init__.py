"""Anthropic Messages: `POST /v1/messages`, answered whole or as typed events.

`blocks` reads content, `request` a request, `answer` folds an answer.
Source: platform.claude.com/docs/en/api/messages and /docs/en/build-with-claude/streaming.
"""

from modular_agents.proxy.wire.formats.anthropic.answer import MessagesFold
from modular_agents.proxy.wire.formats.anthropic.request import NAME, read_request
from modular_agents.proxy.wire.reading import Format

FORMAT = Format(NAME, read_request, MessagesFold)
