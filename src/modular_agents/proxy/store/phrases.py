"""Words that every exchange repeats, given to the compressor beforehand: a head shrinks to a fifth, a short stream to a third.

The bytes are part of the format of the file: what is here is never edited. Better words are another constant with another mark (zstd.py).
"""

PHRASES_1 = b"""\
event: error
data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_
{"error":{"message":"","type":"invalid_request_error","param":null,"code":null}}
WebSocket upgrade permessage-deflate sec-websocket-key sec-websocket-accept Upgrade traceparent tracestate baggage
{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":\
,"candidatesTokenCount":,"totalTokenCount":,"promptTokensDetails":[{"modality":"TEXT","tokenCount":,"thoughtsTokenCount":\
"modelVersion":"gemini-2.5-flash","responseId":"x-goog-api-key x-goog-api-client google-genai-sdk/ gl-python/ :streamGenerateContent?alt=sse
{"model":"","created_at":"","message":{"role":"assistant","content":""},"done":false}
"done_reason":"stop","total_duration":,"load_duration":,"prompt_eval_count":,"prompt_eval_duration":,"eval_count":,"eval_duration":
event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_","object":"response","created_at":,"status":"in_progress",\
"background":false,"error":null,"incomplete_details":null,"instructions":null,"max_output_tokens":null,"output":[],\
"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"service_tier":"auto","store":true,\
"temperature":1.0,"text":{"format":{"type":"text"},"verbosity":"medium"},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled",
event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":,"output_index":0,"item":{"id":"msg_","type":"message","status":"in_progress",\
event: response.content_part.added
event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":,"item_id":"msg_","output_index":0,"content_index":0,"delta":"","logprobs":[],
event: response.function_call_arguments.delta
event: response.completed
data: {"type":"response.completed","usage":{"input_tokens":,"input_tokens_details":{"cached_tokens":0},"output_tokens":,\
"output_tokens_details":{"reasoning_tokens":0},"total_tokens":
{"id":"chatcmpl-","object":"chat.completion","created":17,"model":"gpt-","choices":[{"index":0,"message":{"role":"assistant","content":"",\
"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":,"completion_tokens":,"total_tokens":,\
"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,\
"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"service_tier":"default","system_fingerprint":"fp_"}
data: {"id":"chatcmpl-","object":"chat.completion.chunk","created":17,"model":"gpt-","service_tier":"default","system_fingerprint":"fp_",\
"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null}

data: {"id":"chatcmpl-","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_",\
"type":"function","function":{"name":"","arguments":"{\\""}}]},"logprobs":null,"finish_reason":"tool_calls"}]}

data: [DONE]

{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5-20250929","content":[{"type":"text","text":""}],\
"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":
event: message_start
data: {"type":"message_start","message":{"id":"msg_01","type":"message","role":"assistant","model":"claude-opus-4-","content":[],\
"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,\
"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0},"output_tokens":1,"service_tier":"standard"}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_01","name":"","input":{}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":,"output_tokens":}}

event: message_stop
data: {"type":"message_stop"}

Date: Mon, 01 Jan 2026 GMT Tue, Feb Wed, Mar Thu, Apr Fri, May Sat, Jun Sun, Jul Aug Sep Oct Nov 2027 Dec 2028 Server cloudflare CF-RAY \
cf-cache-status DYNAMIC via 1.1 google x-envoy-upstream-service-time strict-transport-security max-age=31536000; includeSubDomains; preload\
 x-content-type-options nosniff x-robots-tag none alt-svc h3=":443"; ma=86400 openai-organization openai-processing-ms openai-version \
2020-10-01 openai-project x-ratelimit-limit-requests x-ratelimit-limit-tokens x-ratelimit-remaining-requests x-ratelimit-remaining-tokens \
x-ratelimit-reset-requests x-ratelimit-reset-tokens anthropic-organization-id anthropic-ratelimit-requests-limit \
anthropic-ratelimit-requests-remaining anthropic-ratelimit-requests-reset anthropic-ratelimit-input-tokens-limit \
anthropic-ratelimit-input-tokens-remaining anthropic-ratelimit-output-tokens-reset anthropic-ratelimit-tokens-limit retry-after \
access-control-expose-headers Set-Cookie [redacted Vary Accept-Encoding Origin Cache-Control no-cache, no-store, must-revalidate \
Transfer-Encoding chunked Content-Encoding gzip br x-request-id request-id req_011C Content-Type text/event-stream; charset=utf-8 \
Content-Type application/json 200 OK completecomplete
user-agent claude-cli/2.1. (external, cli) x-app cli anthropic-dangerous-direct-browser-access true anthropic-beta claude-code-20250219,\
oauth-2025-04-20,context-1m-2025-08-07,interleaved-thinking-2025-05-14,fine-grained-tool-streaming-2025-05-14,\
context-management-2025-06-27,prompt-caching-scope-2026-01-05 X-Claude-Code-Session-Id X-Stainless-Lang js X-Stainless-Runtime node \
X-Stainless-Runtime-Version v2 Accept application/json Accept-Encoding gzip, deflate, br, zstd Connection keep-alive \
User-Agent Anthropic/Python 1. User-Agent OpenAI/Python 3. AsyncOpenAI/Python AsyncAnthropic/Python x-stainless-lang python \
x-stainless-package-version x-stainless-os Linux MacOS x-stainless-arch x64 arm64 x-stainless-runtime CPython x-stainless-runtime-version \
3.12. 3.11. 3.13. x-stainless-async false async:asyncio x-stainless-retry-count 0 x-stainless-read-timeout 600 x-stainless-timeout 600 \
Authorization Bearer [redacted X-Api-Key [redacted authorization [redacted x-api-key [redacted anthropic-version 2023-06-01 \
Host api.anthropic.com Host api.openai.com Host 127.0.0.1:8000 Host localhost:8000 Content-Length conn- 127.0.0.1: \
openai https://api.openai.com/v1/responses /v1/embeddings GET /v1/models anthropic https://api.anthropic.com \
POST /v1/messages?beta=true POST /v1/messages POST /v1/chat/completions
"""
