"""Bedrock invoke with bodies that only Bedrock has: Titan, Llama, Mistral's and DeepSeek's prompts, Cohere, Jurassic.

`POST /model/MODEL/invoke` and `/invoke-with-response-stream`; `request` reads a request, `answer` folds an answer. Bodies that
are another format's are read by that (see `wire.bedrock`).
Source: docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html.
"""

from modular_agents.proxy.wire.formats.invoke.answer import InvokeFold
from modular_agents.proxy.wire.formats.invoke.request import NAME, read_request
from modular_agents.proxy.wire.reading import Format

FORMAT = Format(NAME, read_request, InvokeFold)
