"""Ollama's own API: `POST /api/chat` and `/api/generate`, answered whole or in newline-delimited JSON (its default).

`entries` reads messages, `request` a request, `answer` folds an answer. Source: docs.ollama.com/api.
"""

from modular_agents.proxy.wire.formats.ollama.answer import OllamaFold
from modular_agents.proxy.wire.formats.ollama.request import NAME, read_request
from modular_agents.proxy.wire.reading import Format

FORMAT = Format(NAME, read_request, OllamaFold)
