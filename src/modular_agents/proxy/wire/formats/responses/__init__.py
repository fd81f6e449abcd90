"""OpenAI Responses: `POST …/responses`, answered whole, as typed events, or turn by turn over a WebSocket.

`items` reads input and output items, `request` a request, `answer` folds an answer.
Source: developers.openai.com/api/reference/resources/responses.
"""

from modular_agents.proxy.wire.formats.responses.answer import ResponsesFold
from modular_agents.proxy.wire.formats.responses.request import NAME, read_request
from modular_agents.proxy.wire.reading import Format

FORMAT = Format(NAME, read_request, ResponsesFold)
