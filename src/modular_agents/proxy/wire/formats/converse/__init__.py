"""Bedrock Converse: `POST /model/MODEL/converse` and `/converse-stream`.

`content` reads messages, `request` a request, `answer` folds an answer.
Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html.
"""

from modular_agents.proxy.wire.formats.converse.answer import ConverseFold
from modular_agents.proxy.wire.formats.converse.request import NAME, read_request
from modular_agents.proxy.wire.reading import Format

FORMAT = Format(NAME, read_request, ConverseFold)
