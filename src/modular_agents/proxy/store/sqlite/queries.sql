-- Every statement the engine runs, by name. Parameters are positional; `?1` is the first.

-- name: find_content
SELECT id FROM content WHERE hash = ?

-- name: add_content
INSERT INTO content (hash, body, reading) VALUES (?, ?, ?)

-- name: add_piece
INSERT INTO piece (content, place, piece) VALUES (?, ?, ?)

-- name: find_node
SELECT id FROM chain WHERE content = ? AND parent = ?

-- name: add_node
INSERT INTO chain (parent, content, depth, uses) VALUES (?, ?, ?, 1)

-- name: use_node
UPDATE chain SET uses = uses + ? WHERE id = ?

-- name: unused_node
SELECT parent, content FROM chain WHERE id = ? AND uses <= 0

-- name: drop_node
DELETE FROM chain WHERE id = ?

-- name: content_in_use
SELECT EXISTS (SELECT 1 FROM chain WHERE content = ?)

-- name: pieces
SELECT piece FROM piece WHERE content = ?

-- name: drop_pieces
DELETE FROM piece WHERE content = ?

-- name: drop_unused_content
DELETE FROM content
WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM chain WHERE content = ?1) AND NOT EXISTS (SELECT 1 FROM piece WHERE piece = ?1)
RETURNING hash

-- name: list_entries
WITH RECURSIVE up (parent, content, depth) AS (
  SELECT parent, content, depth FROM chain WHERE id = ?
  UNION ALL
  SELECT n.parent, n.content, n.depth FROM up JOIN chain AS n ON n.id = up.parent
)
SELECT
  k.id,
  coalesce(k.body, (
    SELECT group_concat(body, '') FROM (SELECT p.body FROM piece AS q JOIN content AS p ON p.id = q.piece WHERE q.content = k.id ORDER BY q.place)
  )),
  k.reading
FROM up JOIN content AS k ON k.id = up.content ORDER BY up.depth

-- name: free_call_id
SELECT id + 1 FROM call AS a WHERE id >= ?1 AND NOT EXISTS (SELECT 1 FROM call WHERE id = a.id + 1) ORDER BY id LIMIT 1

-- name: call_id_taken
SELECT EXISTS (SELECT 1 FROM call WHERE id = ?)

-- name: free_trace_id
SELECT id + 1 FROM trace AS a WHERE id >= ?1 AND NOT EXISTS (SELECT 1 FROM trace WHERE id = a.id + 1) ORDER BY id LIMIT 1

-- name: trace_id_taken
SELECT EXISTS (SELECT 1 FROM trace WHERE id = ?)

-- name: add_call
INSERT INTO call (
  id, version, trace, call_id, status, thread_id, parent_id, kind, started_ns, ended_ns, first_token_ns, provider, format,
  operation, method, path, upstream, model, agent_name, stream, tokens_input, tokens_input_uncached, tokens_cache_read,
  tokens_cache_write_5m, tokens_cache_write_1h, tokens_output, tokens_reasoning, usage_source, cost_usd, finish_reason,
  http_status, error, is_error, prompt_preview, answer_preview, tool_names, replay_of, flags, model_response, request_id,
  response_id, client, connection_id, cost_model, cost_catalogue, cost_tier, cost_why, error_whose, error_kind, unreadable_where,
  unreadable_reason, usage_raw, tool_calls, response, messages, message_count, new_from, system, tools, params, answers
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: finish_call
UPDATE call SET
  status = ?, ended_ns = ?, first_token_ns = ?, tokens_input = ?, tokens_input_uncached = ?, tokens_cache_read = ?,
  tokens_cache_write_5m = ?, tokens_cache_write_1h = ?, tokens_output = ?, tokens_reasoning = ?, usage_source = ?, cost_usd = ?,
  finish_reason = ?, http_status = ?, error = ?, is_error = ?, answer_preview = ?, tool_names = ?, flags = ?, model_response = ?,
  request_id = ?, response_id = ?, cost_model = ?, cost_catalogue = ?, cost_tier = ?, cost_why = ?, error_whose = ?, error_kind =
  ?, unreadable_where = ?, unreadable_reason = ?, usage_raw = ?, tool_calls = ?, response = ?,
  answers = ?, version = version + 1
WHERE id = ?

-- name: move_call
UPDATE call SET
  thread_id = ?, parent_id = ?, kind = ?, started_ns = ?, provider = ?, format = ?, operation = ?, method = ?, path = ?, upstream
  = ?, model = ?, agent_name = ?, stream = ?, prompt_preview = ?, replay_of = ?, client = ?, connection_id = ?,
  trace = ?, messages = ?, message_count = ?, new_from = ?, system = ?, tools = ?, params = ?
WHERE id = ?

-- name: stored_call
SELECT
  id, trace, messages, message_count, new_from, system, tools, params, answers, call_id, status, thread_id, parent_id, kind,
  started_ns, ended_ns, first_token_ns, provider, format, operation, method, path, upstream, model, agent_name, stream,
  tokens_input, tokens_input_uncached, tokens_cache_read, tokens_cache_write_5m, tokens_cache_write_1h, tokens_output,
  tokens_reasoning, usage_source, cost_usd, finish_reason, http_status, error, is_error, prompt_preview, answer_preview,
  tool_names, replay_of, flags, model_response, request_id, response_id, client, connection_id, cost_model, cost_catalogue,
  cost_tier, cost_why, error_whose, error_kind, unreadable_where, unreadable_reason, usage_raw, tool_calls, response
FROM call WHERE call_id = ?

-- name: message_count
SELECT message_count, thread_id FROM call WHERE call_id = ?

-- name: call_place
SELECT c.id, c.trace, t.trace_id FROM call AS c JOIN trace AS t ON t.id = c.trace WHERE c.call_id = ?

-- name: trace_records
SELECT
  id, call_id, status, thread_id, parent_id, kind, started_ns, ended_ns, first_token_ns, provider, format, operation, method,
  path, upstream, model, agent_name, stream, tokens_input, tokens_input_uncached, tokens_cache_read, tokens_cache_write_5m,
  tokens_cache_write_1h, tokens_output, tokens_reasoning, usage_source, cost_usd, finish_reason, http_status, error, is_error,
  prompt_preview, answer_preview, tool_names, replay_of, flags, model_response, request_id, response_id, client, connection_id,
  cost_model, cost_catalogue, cost_tier, cost_why, error_whose, error_kind, unreadable_where, unreadable_reason, usage_raw,
  tool_calls, response
FROM call WHERE trace = ? ORDER BY id

-- name: drop_threads
DELETE FROM thread WHERE trace = ?

-- name: drop_trace
DELETE FROM trace WHERE id = ?

-- name: put_exchange
INSERT INTO exchange (call, recipe, body, record) VALUES (?, ?, ?, ?)
ON CONFLICT (call) DO UPDATE SET recipe = excluded.recipe, body = excluded.body, record = excluded.record

-- name: stored_exchange
SELECT recipe, body FROM exchange WHERE call = ?

-- name: find_body
SELECT id FROM body WHERE hash = ?

-- name: add_body
INSERT INTO body (hash, data, uses) VALUES (?, ?, 0)

-- name: use_body
UPDATE body SET uses = uses + ? WHERE id = ?

-- name: drop_unused_body
DELETE FROM body WHERE id = ? AND uses <= 0

-- name: add_link
INSERT OR IGNORE INTO link (kind, key, call) VALUES (?, ?, ?)

-- name: find_link
SELECT c.call_id, t.trace_id, c.thread_id, c.agent_name, c.started_ns, c.ended_ns, c.status, c.connection_id
FROM link AS l JOIN call AS c ON c.id = l.call JOIN trace AS t ON t.id = c.trace
WHERE l.kind = ? AND l.key = ? ORDER BY l.call DESC LIMIT ?

-- name: find_named_call
SELECT c.call_id, t.trace_id, c.thread_id, c.agent_name, c.started_ns, c.ended_ns, c.status, c.connection_id
FROM call AS c JOIN trace AS t ON t.id = c.trace
WHERE c.call_id = ?

-- name: add_edge
INSERT INTO edge (to_call, from_call, edge_type, evidence, detail, confidence) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (to_call, from_call, edge_type) DO UPDATE SET
  evidence = excluded.evidence, detail = excluded.detail, confidence = excluded.confidence
WHERE evidence <> excluded.evidence OR detail <> excluded.detail OR confidence <> excluded.confidence

-- name: find_trace
SELECT id FROM trace WHERE trace_id = ?

-- name: trace_by_id
SELECT
  id, trace_id, created_ns, last_ns, name, task_description, source, source_detail, source_confidence, call_count, running_count,
  agent_count, error_count, tokens_input, tokens_input_calls, tokens_output, tokens_output_calls, cost_usd, cost_calls,
  unpriced_count, oldest_call, root_thread, newest_call, newest_thread, newest_failed, answered_ns, asks_tool
FROM trace WHERE id = ?

-- name: add_trace
INSERT INTO trace (
  id, trace_id, created_ns, last_ns, name, task_description, source, source_detail, source_confidence, call_count, running_count,
  agent_count, error_count, tokens_input, tokens_input_calls, tokens_output, tokens_output_calls, cost_usd, cost_calls,
  unpriced_count, oldest_call, root_thread, newest_call, newest_thread, newest_failed, answered_ns, asks_tool
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: update_trace
UPDATE trace SET
  trace_id = ?, created_ns = ?, last_ns = ?, name = ?, task_description = ?, source = ?, source_detail = ?, source_confidence = ?,
  call_count = ?, running_count = ?, agent_count = ?, error_count = ?, tokens_input = ?, tokens_input_calls = ?, tokens_output =
  ?, tokens_output_calls = ?, cost_usd = ?, cost_calls = ?, unpriced_count = ?, oldest_call = ?, root_thread = ?, newest_call = ?,
  newest_thread = ?, newest_failed = ?, answered_ns = ?, asks_tool = ?
WHERE id = ?

-- name: same_agent
SELECT agent_name IS ?3 FROM thread WHERE trace = ?1 AND thread_id = ?2

-- name: count_thread
INSERT INTO thread (trace, thread_id, agent_name, call_count) VALUES (?, ?, ?, ?)
ON CONFLICT (trace, thread_id) DO UPDATE SET
  call_count = call_count + excluded.call_count, agent_name = coalesce(excluded.agent_name, agent_name)

-- name: count_agents
SELECT count(DISTINCT coalesce('n' || agent_name, 't' || thread_id)) FROM thread WHERE trace = ? AND call_count > 0

-- name: count_hour
INSERT INTO hour (
  hour, provider, model, agent_name, calls, errors, tokens_input, tokens_output, tokens_cache_read, tokens_cache_write,
  tokens_reasoning, cost_usd, unpriced, duration_ns, answering_ns, answering_tokens
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (hour, provider, model, agent_name) DO UPDATE SET
  calls = calls + excluded.calls, errors = errors + excluded.errors,
  tokens_input = tokens_input + excluded.tokens_input, tokens_output = tokens_output + excluded.tokens_output,
  tokens_cache_read = tokens_cache_read + excluded.tokens_cache_read,
  tokens_cache_write = tokens_cache_write + excluded.tokens_cache_write,
  tokens_reasoning = tokens_reasoning + excluded.tokens_reasoning,
  cost_usd = cost_usd + excluded.cost_usd, unpriced = unpriced + excluded.unpriced, duration_ns = duration_ns + excluded.duration_ns,
  answering_ns = answering_ns + excluded.answering_ns, answering_tokens = answering_tokens + excluded.answering_tokens

-- name: count_latency
INSERT INTO latency (hour, model, what, bucket, calls) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (hour, model, what, bucket) DO UPDATE SET calls = calls + excluded.calls

-- name: add_event
INSERT INTO event (seq, kind, trace, call, body) VALUES (?, ?, ?, ?, ?)

-- name: last_seq
SELECT max((SELECT value FROM fact WHERE name = 'event_floor'), coalesce((SELECT max(seq) FROM event), 0))

-- name: event_floor
SELECT value FROM fact WHERE name = 'event_floor'

-- name: set_event_floor
UPDATE fact SET value = ? WHERE name = 'event_floor'

-- name: trim_events
DELETE FROM event
WHERE seq <= ?1 AND NOT (kind = 'delta' AND EXISTS (SELECT 1 FROM call WHERE id = event.call AND status = 'running'))

-- name: trim_deltas
DELETE FROM event WHERE kind = 'delta' AND call = ? AND seq <= ?

-- name: add_search
INSERT INTO search (rowid, prompt, answer) VALUES (?, ?, ?)

-- name: segments
SELECT segment, bytes FROM segment

-- name: open_calls
SELECT call_id, segment, bytes FROM open_call ORDER BY segment, bytes

-- name: put_segment
INSERT INTO segment (segment, bytes) VALUES (?, ?) ON CONFLICT (segment) DO UPDATE SET bytes = excluded.bytes

-- name: drop_segment
DELETE FROM segment WHERE segment = ?

-- name: put_open_call
INSERT INTO open_call (call_id, segment, bytes) VALUES (?, ?, ?)
ON CONFLICT (call_id) DO UPDATE SET segment = excluded.segment, bytes = excluded.bytes

-- name: drop_open_call
DELETE FROM open_call WHERE call_id = ?

-- name: listed_calls
SELECT
  c.id, (SELECT trace_id FROM trace WHERE id = c.trace),
  c.call_id, c.status, c.thread_id, c.parent_id, c.kind, c.started_ns, c.ended_ns, c.first_token_ns, c.provider, c.format,
  c.operation, c.method, c.path, c.upstream, c.model, c.agent_name, c.stream, c.tokens_input, c.tokens_input_uncached,
  c.tokens_cache_read, c.tokens_cache_write_5m, c.tokens_cache_write_1h, c.tokens_output, c.tokens_reasoning, c.usage_source,
  c.cost_usd, c.finish_reason, c.http_status, c.error, c.is_error, c.prompt_preview, c.answer_preview, c.tool_names, c.replay_of,
  c.flags
FROM call AS c

-- name: searched_calls
SELECT
  c.id, (SELECT trace_id FROM trace WHERE id = c.trace),
  c.call_id, c.status, c.thread_id, c.parent_id, c.kind, c.started_ns, c.ended_ns, c.first_token_ns, c.provider, c.format,
  c.operation, c.method, c.path, c.upstream, c.model, c.agent_name, c.stream, c.tokens_input, c.tokens_input_uncached,
  c.tokens_cache_read, c.tokens_cache_write_5m, c.tokens_cache_write_1h, c.tokens_output, c.tokens_reasoning, c.usage_source,
  c.cost_usd, c.finish_reason, c.http_status, c.error, c.is_error, c.prompt_preview, c.answer_preview, c.tool_names, c.replay_of,
  c.flags
FROM search AS s CROSS JOIN call AS c ON c.id = s.rowid

-- name: listed_traces
SELECT
  id, trace_id, created_ns, last_ns, name, task_description, source, source_detail, source_confidence, call_count, running_count,
  agent_count, error_count, tokens_input, tokens_input_calls, tokens_output, tokens_output_calls, cost_usd, cost_calls,
  unpriced_count, oldest_call, root_thread, newest_call, newest_thread, newest_failed, answered_ns, asks_tool
FROM trace AS t

-- name: trace_has_words
id IN (
  SELECT trace FROM call WHERE id IN (SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid DESC LIMIT ?)
)

-- name: trace_status
CASE
  WHEN running_count > 0 THEN 'running'
  WHEN newest_failed <> 0 AND newest_thread = root_thread THEN 'failed'
  WHEN asks_tool <> 0 AND last_ns > ? THEN 'running'
  ELSE 'completed'
END = ?

-- name: call_by_id
SELECT
  (SELECT trace_id FROM trace WHERE id = call.trace),
  call_id, status, thread_id, parent_id, kind, started_ns, ended_ns, first_token_ns, provider, format, operation, method, path,
  upstream, model, agent_name, stream, tokens_input, tokens_input_uncached, tokens_cache_read, tokens_cache_write_5m,
  tokens_cache_write_1h, tokens_output, tokens_reasoning, usage_source, cost_usd, finish_reason, http_status, error, is_error,
  prompt_preview, answer_preview, tool_names, replay_of, flags
FROM call WHERE id = ?

-- name: trace_calls
SELECT
  call_id, status, thread_id, parent_id, kind, started_ns, ended_ns, first_token_ns, provider, format, operation, method, path,
  upstream, model, agent_name, stream, tokens_input, tokens_input_uncached, tokens_cache_read, tokens_cache_write_5m,
  tokens_cache_write_1h, tokens_output, tokens_reasoning, usage_source, cost_usd, finish_reason, http_status, error, is_error,
  prompt_preview, answer_preview, tool_names, replay_of, flags
FROM call WHERE trace = ? ORDER BY id

-- name: trace_edges
SELECT
  a.call_id || '-' || e.edge_type || '-' || b.call_id, t.trace_id, a.call_id, b.call_id, e.edge_type, e.evidence, e.confidence
FROM call AS b
JOIN edge AS e ON e.to_call = b.id
JOIN call AS a ON a.id = e.from_call
JOIN trace AS t ON t.id = b.trace
WHERE b.trace = ? ORDER BY b.id, a.id, e.edge_type

-- name: trace_name
SELECT trace_id FROM trace WHERE id = ?

-- name: events
SELECT e.seq, e.kind, e.trace, e.call, e.body, t.trace_id, c.call_id
FROM event AS e LEFT JOIN trace AS t ON t.id = e.trace LEFT JOIN call AS c ON c.id = e.call
WHERE e.seq > max(?1, (SELECT value FROM fact WHERE name = 'event_floor')) ORDER BY e.seq LIMIT ?2

-- name: deltas
SELECT body FROM event WHERE kind = 'delta' AND call = ? ORDER BY seq

-- name: exchange
SELECT recipe, body, record FROM exchange WHERE call = ?

-- name: body
SELECT data FROM body WHERE id = ?

-- name: ids_beginning
SELECT call_id FROM call WHERE call_id >= ? AND call_id < ? LIMIT 2

-- name: ids_ending
SELECT call_id FROM call WHERE substr(call_id, ?) = ? LIMIT 2
