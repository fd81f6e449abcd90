import pytest

from modular_agents.proxy.wire.detect import detect, provider_of


@pytest.mark.parametrize(
    ("asked", "format_name", "operation"),
    [
        ("POST /v1/messages", "anthropic.messages", "chat"),
        ("POST /messages", "anthropic.messages", "chat"),
        ("POST /anthropic/v1/messages", "anthropic.messages", "chat"),
        ("POST /v1/messages/count_tokens", "anthropic.messages", "count_tokens"),
        ("POST /v1/messages/batches", "raw", "batch"),
        ("GET /v1/messages/batches/msgbatch_1/results", "raw", "batch"),
        ("POST /v1/complete", "raw", "completion"),
        ("POST /v1/chat/completions", "openai.chat", "chat"),
        ("POST /api/v1/chat/completions", "openai.chat", "chat"),
        ("POST /openai/deployments/my%20gpt/chat/completions", "openai.chat", "chat"),
        ("GET /v1/chat/completions", "raw", "stored"),
        ("GET /v1/chat/completions/chatcmpl_1", "raw", "stored"),
        ("POST /v1/responses", "openai.responses", "chat"),
        ("POST /backend-api/codex/responses", "openai.responses", "chat"),
        ("WEBSOCKET /v1/responses", "openai.responses", "chat"),
        ("POST /v1/responses/compact", "openai.responses", "compact"),
        ("POST /v1/responses/input_tokens", "openai.responses", "count_tokens"),
        ("GET /v1/responses/resp_1", "openai.responses", "stored"),
        ("GET /v1/responses/resp_1/input_items", "raw", "stored"),
        ("GET /ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", "raw", "realtime"),
        ("POST /v1/responses/resp_1/cancel", "raw", "stored"),
        ("POST /v1/completions", "openai.completions", "completion"),
        ("POST /v1/embeddings", "openai.embeddings", "embeddings"),
        ("GET /v1/models", "raw", "models"),
        ("GET /v1/models/gpt-4o", "raw", "models"),
        ("POST /v1/files", "raw", "files"),
        ("GET /v1/files/file_1/content", "raw", "files"),
        ("POST /v1/images/generations", "raw", "images"),
        ("POST /v1/audio/transcriptions", "raw", "audio"),
        ("POST /v1/moderations", "raw", "moderations"),
        ("POST /v1beta/models/gemini-2.5-flash:generateContent", "gemini.generate", "chat"),
        ("POST /v1beta/models/gemini-2.5-flash%3AstreamGenerateContent", "gemini.generate", "chat"),
        ("POST /v1internal:streamGenerateContent", "gemini.generate", "chat"),
        ("POST /v1beta/models/gemini-2.5-flash:countTokens", "gemini.generate", "count_tokens"),
        ("POST /v1beta/models/text-embedding-004:embedContent", "raw", "embeddings"),
        ("GET /v1beta/models/gemini-2.5-flash", "raw", "models"),
        ("POST /v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-4-8:streamRawPredict", "anthropic.messages", "chat"),
        ("POST /v1/projects/p/locations/l/publishers/mistralai/models/codestral:rawPredict", "raw", "predict"),
        ("POST /api/chat", "ollama", "chat"),
        ("POST /api/generate", "ollama", "chat"),
        ("POST /api/embed", "ollama", "embeddings"),
        ("GET /api/tags", "raw", "models"),
        ("POST /model/anthropic.claude-3-haiku-20240307-v1%3A0/invoke", "anthropic.messages", "chat"),
        ("POST /model/amazon.titan/invoke-with-response-stream", "bedrock.invoke", "chat"),
        ("POST /model/amazon.titan-embed-text-v2%3A0/invoke", "bedrock.invoke", "embeddings"),
        ("POST /model/stability.sd3-5-large-v1%3A0/invoke", "raw", "images"),
        ("POST /model/amazon.nova-canvas-v1%3A0/invoke", "raw", "images"),
        ("POST /model/arn%3Aaws%3Abedrock%3A%3A%3Aprofile%2Fx/converse-stream", "bedrock.converse", "chat"),
        ("HEAD /", "raw", "other"),
        ("OPTIONS *", "raw", "other"),
        ("POST /chat", "raw", "other"),
        ("POST /v1/%ff/%2F", "raw", "other"),
        ("POST /:", "raw", "other"),
    ],
)
def test_routes(asked: str, format_name: str, operation: str) -> None:
    route = detect(*asked.split(" "))
    assert (route.format, route.operation) == (format_name, operation)


def test_providers() -> None:
    assert [provider_of(name) for name in ("anthropic", "openai", "gemini", "ollama", "groq")] == [
        "claude",
        "openai",
        "gemini",
        "ollama",
        "groq",
    ]
