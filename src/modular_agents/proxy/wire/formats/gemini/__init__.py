"""Gemini: `POST …/models/MODEL:generateContent` and `:streamGenerateContent`, on Google AI, Vertex AI and Code Assist.

`contents` reads contents, `request` a request, `answer` folds an answer.
Source: ai.google.dev/api/generate-content; cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference.
"""

from modular_agents.proxy.wire.formats.gemini.answer import GenerateFold
from modular_agents.proxy.wire.formats.gemini.request import NAME, read_request
from modular_agents.proxy.wire.reading import Format

FORMAT = Format(NAME, read_request, GenerateFold, streams_arrays=True)
