"""OpenAI Chat Completions: `POST …/chat/completions`, answered whole or as chunks, and the dialects of servers that speak it.

Dialects: `reasoning_content` (DeepSeek, vLLM, llama.cpp), `reasoning` (OpenRouter, Ollama, Groq), content as a list of blocks
(Mistral), tool calls without `index` or with one index for all, errors inside a 200 stream, `x_groq.usage`, llama.cpp's
`timings`, no `[DONE]`. `entries` reads messages, `request` a request, `answer` folds an answer.
Source: platform.openai.com/docs/api-reference/chat; quirks: docs/formats/openai-chat.md.
"""

from modular_agents.proxy.wire.formats.chat.answer import ChatFold
from modular_agents.proxy.wire.formats.chat.request import NAME, read_request
from modular_agents.proxy.wire.reading import Format

FORMAT = Format(NAME, read_request, ChatFold)
