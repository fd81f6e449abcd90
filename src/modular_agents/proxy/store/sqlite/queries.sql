-- Every statement the engine runs, by name. Parameters are positional; `?1` is the first.

-- name: add_content
INSERT INTO content (id, hash, body, reading) VALUES (?, ?, ?, ?)

-- name: add_piece
INSERT INTO piece (content, place, piece) VALUES (?, ?, ?)

-- name: add_node
INSERT INTO chain (id, parent, content, depth, uses) VALUES (?, ?, ?, ?, 1)

-- name: use_node
UPDATE chain SET uses = uses + ? WHERE id = ?

-- name: unused_node
SELECT parent, content FROM chain WHERE id = ? AND uses <= 0

-- name: unused_nodes
SELECT id FROM chain WHERE uses <= 0 LIMIT ?

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

-- name: free_call_id
SELECT id + 1 FROM call AS a WHERE id >= ?1 AND NOT EXISTS (SELECT 1 FROM call WHERE id = a.id + 1) ORDER BY id LIMIT 1

-- name: free_trace_id
SELECT id + 1 FROM trace AS a WHERE id >= ?1 AND NOT EXISTS (SELECT 1 FROM trace WHERE id = a.id + 1) ORDER BY id LIMIT 1

-- name: add_call
INSERT INTO call (
  id, version, trace, call_id, status, thread_id, parent_id, kind, started_ns, ended_ns, first_token_ns, provider, format,
  operation, method, path, upstream, model, agent_name, stream, tokens_input, tokens_input_uncached, tokens_cache_read,
  tokens_cache_write_5m, tokens_cache_write_1h, tokens_output, tokens_reasoning, usage_source, cost_usd, finish_reason,
  http_status, error, is_error, prompt_preview, answer_preview, tool_names, replay_of, flags, model_response, request_id,
  response_id, service_tier, client, connection_id, cost_model, cost_catalogue, cost_tier, cost_why, error_whose, error_kind,
  unreadable_where, unreadable_reason, root_id, opener_id, agent_given, task_description, messages, message_count, new_from,
  system, tools, params
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: finish_call
UPDATE call SET
  status = ?, ended_ns = ?, first_token_ns = ?, tokens_input = ?, tokens_input_uncached = ?, tokens_cache_read = ?,
  tokens_cache_write_5m = ?, tokens_cache_write_1h = ?, tokens_output = ?, tokens_reasoning = ?, usage_source = ?, cost_usd = ?,
  finish_reason = ?, http_status = ?, error = ?, is_error = ?, answer_preview = ?, tool_names = ?, flags = ?, model_response = ?,
  request_id = ?, response_id = ?, service_tier = ?, cost_model = ?, cost_catalogue = ?, cost_tier = ?, cost_why = ?, error_whose = ?,
  error_kind = ?, unreadable_where = ?, unreadable_reason = ?,
  version = version + 1
WHERE id = ?

-- name: stored_call
SELECT
  id, trace, messages, message_count, new_from, system, tools, params, call_id, status, thread_id, parent_id, kind, started_ns,
  ended_ns, first_token_ns, provider, format, operation, method, path, upstream, model, agent_name, stream, tokens_input,
  tokens_input_uncached, tokens_cache_read, tokens_cache_write_5m, tokens_cache_write_1h, tokens_output, tokens_reasoning,
  usage_source, cost_usd, finish_reason, http_status, error, is_error, prompt_preview, answer_preview, tool_names, replay_of,
  flags, model_response, request_id, response_id, service_tier, client, connection_id, cost_model, cost_catalogue, cost_tier,
  cost_why, error_whose, error_kind, unreadable_where, unreadable_reason, root_id, opener_id, agent_given, task_description
FROM call WHERE call_id = ?

-- name: drop_trace
DELETE FROM trace WHERE id = ?

-- name: find_body
SELECT id FROM body WHERE hash = ?

-- name: add_body
INSERT INTO body (hash, data, uses) VALUES (?, ?, 0)

-- name: use_body
UPDATE body SET uses = uses + ? WHERE id = ?

-- name: drop_unused_body
DELETE FROM body WHERE id = ? AND uses <= 0

-- name: greatest_call_id
SELECT max(call_id) FROM call

-- name: greatest_trace_id
SELECT max(trace_id) FROM trace

-- name: find_trace
SELECT id FROM trace WHERE trace_id = ?

-- name: trace_by_id
SELECT
  id, trace_id, created_ns, last_ns, name, task_description, source, source_detail, source_confidence, call_count, running_count,
  agent_count, error_count, tokens_input, tokens_input_calls, tokens_output, tokens_output_calls, cost_usd, cost_calls,
  unpriced_count, oldest_call, root_thread, newest_call, newest_thread, newest_failed, answered_ns, asks_tool, described_by
FROM trace WHERE id = ?

-- name: add_trace
INSERT INTO trace (
  id, trace_id, created_ns, last_ns, name, task_description, source, source_detail, source_confidence, call_count, running_count,
  agent_count, error_count, tokens_input, tokens_input_calls, tokens_output, tokens_output_calls, cost_usd, cost_calls,
  unpriced_count, oldest_call, root_thread, newest_call, newest_thread, newest_failed, answered_ns, asks_tool, described_by
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: update_trace
UPDATE trace SET
  created_ns = ?, last_ns = ?, name = ?, task_description = ?, source = ?, source_detail = ?, source_confidence = ?,
  call_count = ?, running_count = ?, agent_count = ?, error_count = ?, tokens_input = ?, tokens_input_calls = ?, tokens_output = ?, tokens_output_calls = ?, cost_calls = ?, unpriced_count = ?, oldest_call = ?, root_thread = ?, newest_call = ?,
  newest_thread = ?, newest_failed = ?, answered_ns = ?, asks_tool = ?, described_by = ?
WHERE id = ?

-- name: put_thread
INSERT INTO thread (trace, thread_id, agent_name, call_count) VALUES (?, ?, ?, ?)
ON CONFLICT (trace, thread_id, agent_name) DO UPDATE SET call_count = excluded.call_count

-- name: drop_thread
DELETE FROM thread WHERE trace = ? AND thread_id = ? AND agent_name = ?

-- name: threads_of_trace
SELECT thread_id, agent_name, call_count FROM thread WHERE trace = ?

-- name: update_trace_cost
UPDATE trace SET cost_usd = ? WHERE id = ?

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
SELECT max((SELECT value FROM number WHERE name = 'event_floor'), coalesce((SELECT max(seq) FROM event), 0))

-- name: event_floor
SELECT value FROM number WHERE name = 'event_floor'

-- name: set_event_floor
UPDATE number SET value = ? WHERE name = 'event_floor'

-- name: trim_events
DELETE FROM event
WHERE seq <= ?1 AND NOT (kind = 'delta' AND EXISTS (SELECT 1 FROM call WHERE id = event.call AND status = 'running'))

-- name: trim_deltas
DELETE FROM event WHERE kind = 'delta' AND call = ? AND seq <= ?

-- name: volumes
SELECT id, first, calls, chars FROM search_volume ORDER BY first

-- name: add_volume
INSERT INTO search_volume (first, calls, chars) VALUES (?, 0, 0) RETURNING id

-- name: begin_volume
CREATE VIRTUAL TABLE IF NOT EXISTS search_1 USING fts5 (prompt, answer, content = '', contentless_delete = 1);
INSERT INTO search_1 (search_1, rank) 
VALUES ('hashsize', 8388608), ('deletemerge', 90), ('automerge', 0), ('crisismerge', 1000), ('usermerge', 8)

-- name: fill_volume
UPDATE search_volume SET calls = ?, chars = ? WHERE id = ?

-- name: drop_volume
DELETE FROM search_volume WHERE id = ?

-- name: bound_volume
UPDATE search_volume SET first = ? WHERE id = ?

-- name: bound_oldest_volume
UPDATE search_volume SET first = 0 WHERE first = (SELECT min(first) FROM search_volume)

-- name: spent_volume
SELECT v.id FROM search_volume AS v JOIN search_volume AS next ON next.first = (SELECT min(first) FROM search_volume WHERE first > v.first)
WHERE NOT EXISTS (SELECT 1 FROM call WHERE id >= v.first AND id < next.first) ORDER BY v.first LIMIT 1

-- name: gone_volume
SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'search^_gone^_%' ESCAPE '^' ORDER BY name LIMIT 1

-- name: empty_data
DELETE FROM search_1_data WHERE id IN (SELECT id FROM search_1_data LIMIT ?)

-- name: empty_docsize
DELETE FROM search_1_docsize WHERE id IN (SELECT id FROM search_1_docsize LIMIT ?)

-- name: empty_idx
DELETE FROM search_1_idx WHERE (segid, term) IN (SELECT segid, term FROM search_1_idx LIMIT ?)

-- name: bounds_with_words
SELECT coalesce((SELECT min(id) FROM search_1_docsize), ?1), coalesce((SELECT max(id) FROM search_1_docsize), ?1)

-- name: add_search
INSERT INTO search_1 (rowid, prompt, answer) VALUES (?, ?, ?)

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
FROM carray(?) AS s CROSS JOIN call AS c ON c.id = s.value

-- name: listed_traces
SELECT
  id, trace_id, created_ns, last_ns, name, task_description, source, source_detail, source_confidence, call_count, running_count,
  agent_count, error_count, tokens_input, tokens_input_calls, tokens_output, tokens_output_calls, cost_usd, cost_calls,
  unpriced_count, oldest_call, root_thread, newest_call, newest_thread, newest_failed, answered_ns, asks_tool, described_by
FROM trace AS t

-- name: has_one_of_few_model
id IN (SELECT trace FROM call WHERE model = ?)

-- name: has_one_of_few_provider
id IN (SELECT trace FROM call WHERE provider = ?)

-- name: has_one_of_many_model
EXISTS (SELECT 1 FROM call INDEXED BY call_trace WHERE trace = t.id AND model = ?)

-- name: has_one_of_many_provider
EXISTS (SELECT 1 FROM call INDEXED BY call_trace WHERE trace = t.id AND provider = ?)

-- name: trace_has_calls
id IN (SELECT trace FROM call WHERE id IN (SELECT value FROM json_each(?)))

-- name: pages_of_words
WITH RECURSIVE segment (id) AS (
  SELECT min(segid) FROM search_1_idx
  UNION ALL
  SELECT (SELECT min(segid) FROM search_1_idx WHERE segid > segment.id) FROM segment WHERE segment.id IS NOT NULL
)
SELECT sum(max(0,
  coalesce(
    (SELECT pgno FROM search_1_idx WHERE segid = segment.id AND term >= ?2 ORDER BY term LIMIT 1),
    (SELECT pgno FROM search_1_idx WHERE segid = segment.id ORDER BY term DESC LIMIT 1)
  ) / 2 - coalesce((SELECT pgno FROM search_1_idx WHERE segid = segment.id AND term <= ?1 ORDER BY term DESC LIMIT 1), 0) / 2 - 1
)) FROM segment WHERE id IS NOT NULL

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

-- name: turns_of_trace
SELECT id, call_id, parent_id IS NOT NULL AND root_id <> call_id FROM call WHERE trace = ? ORDER BY id

-- name: tool_answers
WITH RECURSIVE up (call, parent, content, depth) AS (
  SELECT c.id, n.parent, n.content, n.depth
  FROM call AS c JOIN answer AS a ON a.call = c.id JOIN chain AS n ON n.id = a.answers
  WHERE c.trace = ? AND c.tool_names <> '[]'
  UNION ALL
  SELECT up.call, n.parent, n.content, n.depth FROM up JOIN chain AS n ON n.id = up.parent
)
SELECT up.call, k.reading FROM up JOIN content AS k ON k.id = up.content WHERE up.depth = 0 AND k.reading IS NOT NULL

-- name: tool_requests
WITH RECURSIVE up (call, parent, content, depth, reading, floor, lowest, answered) AS (
  SELECT
    c.id, n.parent, n.content, n.depth, k.reading, max(c.new_from, n.depth + 1 - ?2), n.depth + 1 - ?3, k.reading LIKE '["assistant"%'
  FROM call AS c JOIN chain AS n ON n.id = c.messages JOIN content AS k ON k.id = n.content
  WHERE c.trace = ?1
  UNION ALL
  SELECT up.call, n.parent, n.content, n.depth, k.reading, up.floor, up.lowest, up.answered OR k.reading LIKE '["assistant"%'
  FROM up JOIN chain AS n ON n.id = up.parent JOIN content AS k ON k.id = n.content
  WHERE up.depth > up.lowest AND (up.depth > up.floor OR NOT up.answered)
)
SELECT call, depth, content, reading FROM up WHERE reading IS NOT NULL ORDER BY call, depth

-- name: tool_texts
SELECT * FROM (
  SELECT
    k.id,
    coalesce(k.body, (
      SELECT group_concat(body, '') FROM (SELECT p.body FROM piece AS q JOIN content AS p ON p.id = q.piece WHERE q.content = k.id ORDER BY q.place)
    )) AS body,
    k.reading
  FROM carray(?) AS w CROSS JOIN content AS k ON k.id = w.value
) WHERE body LIKE '%tool%' OR body LIKE '%function%'

-- name: opened_facts
SELECT c.id, s.facts FROM call AS c JOIN standing AS s ON s.call = c.id
WHERE c.trace = ? AND c.root_id = c.call_id AND c.opener_id IS NOT NULL

-- name: trace_name
SELECT trace_id FROM trace WHERE id = ?

-- name: events
SELECT e.seq, e.kind, e.trace, e.call, e.body, t.trace_id, c.call_id
FROM event AS e LEFT JOIN call AS c ON c.id = e.call LEFT JOIN trace AS t ON t.id = coalesce(c.trace, e.trace)
WHERE e.seq > max(?1, (SELECT value FROM number WHERE name = 'event_floor')) ORDER BY e.seq LIMIT ?2

-- name: deltas
SELECT body FROM event WHERE kind = 'delta' AND call = ? ORDER BY seq

-- name: body
SELECT data FROM body WHERE id = ?

-- name: ids_beginning
SELECT call_id FROM call WHERE call_id >= ? AND call_id < ? LIMIT 2

-- name: ids_ending
SELECT call_id FROM call WHERE substr(call_id, ?) = ? LIMIT 2

-- name: rewrite_request
UPDATE call SET
  started_ns = ?, provider = ?, format = ?, operation = ?, method = ?, path = ?, upstream = ?, model = ?, stream = ?,
  prompt_preview = ?, replay_of = ?, client = ?, connection_id = ?,
  messages = ?, message_count = ?, new_from = ?, system = ?, tools = ?, params = ?
WHERE id = ?

-- name: place_call
UPDATE call SET
  thread_id = ?, parent_id = ?, kind = ?, agent_name = ?, root_id = ?, opener_id = ?, agent_given = ?, task_description = ?,
  trace = ?
WHERE id = ?

-- name: continued_call
SELECT message_count, thread_id FROM call WHERE call_id = ?

-- name: drop_threads
DELETE FROM thread WHERE trace = ?

-- name: trace_has_turns
SELECT 1 FROM call WHERE trace = ? AND kind NOT IN (SELECT value FROM json_each(?)) LIMIT 1

-- name: oldest_of_trace
SELECT id, thread_id FROM call WHERE trace = ? AND kind NOT IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT 1

-- name: newest_of_trace
SELECT id, thread_id, status = 'failed' FROM call
WHERE trace = ? AND kind NOT IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT 1

-- name: times_of_trace
SELECT min(started_ns), max(max(started_ns, coalesce(ended_ns, 0))) FROM call WHERE trace = ?

-- name: answered_of_trace
SELECT ended_ns, tool_names <> '[]' FROM call
WHERE trace = ? AND kind NOT IN (SELECT value FROM json_each(?)) AND ended_ns IS NOT NULL ORDER BY ended_ns DESC, id DESC LIMIT 1

-- name: task_of_trace
SELECT id, task_description FROM call
WHERE trace = ? AND root_id = call_id AND task_description IS NOT NULL ORDER BY id LIMIT 1

-- name: left_before
SELECT DISTINCT k.call FROM carray(?1) AS w CROSS JOIN token AS k
WHERE k.token = w.value AND k.started_ns <= ?2 AND k.started_ns >= coalesce(
  (SELECT started_ns FROM token WHERE token = w.value AND started_ns <= ?2 ORDER BY started_ns DESC LIMIT 1 OFFSET ?3), 0)

-- name: left_after
SELECT DISTINCT k.call FROM carray(?1) AS w CROSS JOIN token AS k
WHERE k.token = w.value AND k.started_ns >= ?2 AND k.started_ns <= coalesce(
  (SELECT started_ns FROM token WHERE token = w.value AND started_ns >= ?2 ORDER BY started_ns LIMIT 1 OFFSET ?3), 1 << 62)

-- name: thread_before
SELECT id FROM call WHERE thread_id = ? AND started_ns <= ? ORDER BY started_ns DESC, id DESC LIMIT ?

-- name: thread_numbers
SELECT id FROM call WHERE thread_id = ? AND started_ns >= ?

-- name: root_numbers
SELECT id FROM call WHERE trace = (SELECT id FROM trace WHERE trace_id = ?) AND root_id = call_id

-- name: found_calls
SELECT
  c.id, p.told, c.call_id, coalesce(s.facts, x''),
  (SELECT trace_id FROM trace WHERE id = c.trace), c.thread_id, c.root_id, c.opener_id, c.agent_name
FROM carray(?) AS w CROSS JOIN call AS c ON c.id = w.value
LEFT JOIN standing AS s ON s.call = c.id LEFT JOIN passing AS p ON p.call = c.id

-- name: passing_before
SELECT p.call, c.call_id, c.started_ns, s.tokens, p.recent, p.asked, p.watched, p.pairs, p.told
FROM passing AS p CROSS JOIN call AS c ON c.id = p.call CROSS JOIN standing AS s ON s.call = p.call
WHERE p.call < ? ORDER BY p.call DESC LIMIT ?

-- name: started_before
SELECT started_ns FROM call WHERE id < ? ORDER BY id DESC LIMIT 1

-- name: told_of_call
SELECT system, messages FROM call WHERE id = ?

-- name: put_passing
INSERT INTO passing (call, recent, pairs, asked, watched, told) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (call) DO UPDATE SET
  recent = excluded.recent, pairs = excluded.pairs, asked = excluded.asked, watched = excluded.watched, told = excluded.told

-- name: put_recent
UPDATE passing SET recent = ?, pairs = ? WHERE call = ?

-- name: drop_passing
DELETE FROM passing WHERE call = ?

-- name: drop_passed
DELETE FROM passing WHERE call IN (SELECT call FROM passing WHERE call < ? ORDER BY call LIMIT ?)

-- name: count_links
UPDATE number SET value = value + 1 WHERE name = 'links'

-- name: links_count
SELECT value FROM number WHERE name = 'links'

-- name: add_token
INSERT OR IGNORE INTO token (token, started_ns, call) VALUES (?, ?, ?)

-- name: drop_token
DELETE FROM token WHERE token = ? AND started_ns = ? AND call = ?

-- name: standing_tokens
SELECT tokens FROM standing WHERE call = ?

-- name: put_standing
INSERT INTO standing (call, tokens, facts) VALUES (?, ?, ?)
ON CONFLICT (call) DO UPDATE SET tokens = excluded.tokens, facts = excluded.facts

-- name: edges_to
SELECT a.call_id, e.edge_type, e.evidence, e.detail, e.confidence FROM edge AS e LEFT JOIN call AS a ON a.id = e.from_call WHERE e.to_call = ?

-- name: drop_edge
DELETE FROM edge WHERE to_call = ? AND from_call = (SELECT id FROM call WHERE call_id = ?) AND edge_type = ?

-- name: thread_members
SELECT call_id FROM call WHERE thread_id = ?

-- name: call_number
SELECT id FROM call WHERE call_id = ?

-- name: put_edge
INSERT INTO edge (to_call, from_call, edge_type, evidence, detail, confidence) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (to_call, from_call, edge_type) DO UPDATE SET
  evidence = excluded.evidence, detail = excluded.detail, confidence = excluded.confidence

-- name: put_asked
INSERT INTO asked (call, recipe, body, record) VALUES (?, ?, ?, ?)
ON CONFLICT (call) DO UPDATE SET recipe = excluded.recipe, body = excluded.body, record = excluded.record

-- name: asked
SELECT recipe, body, record FROM asked WHERE call = ?

-- name: add_answer
INSERT INTO answer (call, answers, usage_raw, tool_calls, response, record) VALUES (?, ?, ?, ?, ?, ?)

-- name: answer
SELECT answers, usage_raw, record FROM answer WHERE call = ?

-- name: last_content_id
SELECT coalesce(max(id), 0) FROM content

-- name: last_node_id
SELECT coalesce(max(id), 0) FROM chain

-- name: find_content
SELECT id FROM content WHERE hash = ?

-- name: find_contents
SELECT k.hash, k.id FROM carray(?) AS w CROSS JOIN content AS k ON k.hash = w.value

-- name: find_node
SELECT id FROM chain WHERE content = ? AND parent = ?

-- name: spread
SELECT coalesce(sum(calls), 0), max(hour) FILTER (WHERE calls > 0) FROM hour
WHERE (?1 IS NULL OR model = ?1) AND (?2 IS NULL OR agent_name = ?2) AND (?3 IS NULL OR provider = ?3)

-- name: newest_running
SELECT max(id) FROM call
WHERE status = 'running' AND status <> 'completed'
  AND (?1 IS NULL OR +model = ?1) AND (?2 IS NULL OR +agent_name = ?2) AND (?3 IS NULL OR +provider = ?3)

-- name: call_id_taken
SELECT EXISTS (SELECT 1 FROM call WHERE id = ?)

-- name: trace_id_taken
SELECT EXISTS (SELECT 1 FROM trace WHERE id = ?)

-- name: last_call_id
SELECT coalesce(max(id), 0) FROM call

-- name: last_trace_id
SELECT coalesce(max(id), 0) FROM trace

-- name: add_unsearched
INSERT OR IGNORE INTO unsearched (call) VALUES (?)

-- name: unsearched
SELECT call FROM unsearched

-- name: clear_unsearched
DELETE FROM unsearched

-- name: words_of_call
SELECT c.messages, c.new_from, c.system, a.answers,
  c.system <> 0 AND (SELECT uses FROM chain WHERE id = c.system) <= 1
FROM call AS c JOIN answer AS a ON a.call = c.id WHERE c.id = ?

-- name: stats_rows
SELECT
  CASE WHEN ?6 > 0 THEN hour / ?6 * ?6 ELSE 0 END AS start,
  CASE ?7 WHEN 'model' THEN model WHEN 'agent' THEN agent_name WHEN 'provider' THEN provider ELSE '' END AS name,
  coalesce(sum(calls), 0), coalesce(sum(errors), 0), coalesce(sum(tokens_input), 0), coalesce(sum(tokens_output), 0),
  coalesce(sum(tokens_cache_read), 0), coalesce(sum(tokens_cache_write), 0), coalesce(sum(tokens_reasoning), 0),
  coalesce(sum(cost_usd), 0), coalesce(sum(unpriced), 0), coalesce(sum(duration_ns), 0), coalesce(sum(answering_ns), 0),
  coalesce(sum(answering_tokens), 0)
FROM hour
WHERE hour >= ?1 AND hour < ?2 AND (?3 IS NULL OR model = ?3) AND (?4 IS NULL OR agent_name = ?4) AND (?5 IS NULL OR provider = ?5)
GROUP BY start, name HAVING sum(calls) > 0 ORDER BY start, name

-- name: stats_total
SELECT
  coalesce(sum(calls), 0), coalesce(sum(errors), 0), coalesce(sum(tokens_input), 0), coalesce(sum(tokens_output), 0),
  coalesce(sum(tokens_cache_read), 0), coalesce(sum(tokens_cache_write), 0), coalesce(sum(tokens_reasoning), 0),
  coalesce(sum(cost_usd), 0), coalesce(sum(unpriced), 0), coalesce(sum(duration_ns), 0), coalesce(sum(answering_ns), 0),
  coalesce(sum(answering_tokens), 0)
FROM hour
WHERE hour >= ?1 AND hour < ?2 AND (?3 IS NULL OR model = ?3) AND (?4 IS NULL OR agent_name = ?4) AND (?5 IS NULL OR provider = ?5)

-- name: latencies
SELECT model, what, bucket, sum(calls) FROM latency
WHERE hour >= ?1 AND hour < ?2 AND (?3 IS NULL OR model = ?3) GROUP BY model, what, bucket HAVING sum(calls) > 0

-- name: dearest_calls
SELECT
  (SELECT trace_id FROM trace WHERE id = call.trace),
  call_id, status, thread_id, parent_id, kind, started_ns, ended_ns, first_token_ns, provider, format, operation, method, path,
  upstream, model, agent_name, stream, tokens_input, tokens_input_uncached, tokens_cache_read, tokens_cache_write_5m,
  tokens_cache_write_1h, tokens_output, tokens_reasoning, usage_source, cost_usd, finish_reason, http_status, error, is_error,
  prompt_preview, answer_preview, tool_names, replay_of, flags
FROM call
WHERE cost_usd IS NOT NULL AND +id >= ?1 AND +id < ?2
  AND (?3 IS NULL OR model = ?3) AND (?4 IS NULL OR agent_name = ?4) AND (?5 IS NULL OR provider = ?5)
ORDER BY cost_usd DESC, id DESC LIMIT ?6

-- name: dearest_traces
SELECT
  id, trace_id, created_ns, last_ns, name, task_description, source, source_detail, source_confidence, call_count, running_count,
  agent_count, error_count, tokens_input, tokens_input_calls, tokens_output, tokens_output_calls, cost_usd, cost_calls,
  unpriced_count, oldest_call, root_thread, newest_call, newest_thread, newest_failed, answered_ns, asks_tool, described_by
FROM trace WHERE cost_calls > 0 AND +id >= ? AND +id < ? ORDER BY cost_usd DESC, id DESC LIMIT ?

-- name: trees
SELECT name FROM sqlite_schema WHERE rootpage > 0 UNION ALL SELECT 'sqlite_schema'

-- name: tree_size
SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name = ? AND aggregate = TRUE

-- name: last_entries
WITH RECURSIVE up (parent, content, depth) AS (
  SELECT parent, content, depth FROM chain WHERE id = ?1 AND depth >= ?2
  UNION ALL
  SELECT n.parent, n.content, n.depth FROM up JOIN chain AS n ON n.id = up.parent WHERE up.depth > ?2
)
SELECT
  k.id,
  coalesce(k.body, (
    SELECT group_concat(body, '') FROM (SELECT p.body FROM piece AS q JOIN content AS p ON p.id = q.piece WHERE q.content = k.id ORDER BY q.place)
  )),
  k.reading
FROM up JOIN content AS k ON k.id = up.content ORDER BY up.depth

-- name: priced_calls
SELECT
  id, call_id, status, thread_id, parent_id, kind, started_ns, ended_ns, first_token_ns, provider, format, operation, method,
  path, upstream, model, agent_name, stream, tokens_input, tokens_input_uncached, tokens_cache_read, tokens_cache_write_5m,
  tokens_cache_write_1h, tokens_output, tokens_reasoning, usage_source, cost_usd, finish_reason, http_status, error, is_error,
  prompt_preview, answer_preview, tool_names, replay_of, flags, model_response, request_id, response_id, service_tier, client,
  connection_id, cost_model, cost_catalogue, cost_tier, cost_why, error_whose, error_kind, unreadable_where, unreadable_reason,
  root_id, opener_id, agent_given, task_description
FROM call WHERE id > ? AND status <> 'running' ORDER BY id LIMIT ?

-- name: reprice_call
UPDATE call SET cost_usd = ?, cost_model = ?, cost_catalogue = ?, cost_tier = ?, cost_why = ? WHERE id = ?

-- name: expired_calls
SELECT call_id FROM call WHERE id <= ? AND started_ns < ? AND status <> 'running' ORDER BY id LIMIT ?

-- name: room
SELECT
  (SELECT count(*) FROM call),
  (SELECT count(*) FROM call INDEXED BY call_provider WHERE provider >= '' AND +id < ?1 / 1000000)
  + (SELECT count(*) FROM call WHERE id >= ?1 / 1000000 AND id < ?2 AND started_ns < ?1)
  - (SELECT count(*) FROM call WHERE id < ?2 AND started_ns < ?1 AND status = 'running' AND status <> 'completed')

-- name: drop_call
DELETE FROM call WHERE id = ?

-- name: drop_asked
DELETE FROM asked WHERE call = ?

-- name: drop_answer
DELETE FROM answer WHERE call = ?

-- name: drop_search
DELETE FROM search_1 WHERE rowid = ?

-- name: merge_search
INSERT INTO search_1 (search_1, rank) VALUES ('merge', ?)

-- name: drop_unsearched
DELETE FROM unsearched WHERE call = ?

-- name: drop_edges
DELETE FROM edge WHERE to_call = ?1 OR from_call = ?1

-- name: drop_standing
DELETE FROM standing WHERE call = ?

-- name: newest_with_words
SELECT rowid FROM search_1 WHERE search_1 MATCH ? AND rowid < ? AND rowid >= ? ORDER BY rowid DESC LIMIT ?

-- name: oldest_with_words
SELECT rowid FROM search_1 WHERE search_1 MATCH ? AND rowid > ? ORDER BY rowid LIMIT ?

-- name: kept_standing
SELECT tokens, facts FROM standing WHERE call = ?

-- name: count_dear
SELECT count(*) FROM (SELECT 1 FROM call WHERE cost_usd >= ? AND cost_usd IS NOT NULL LIMIT ?)

-- name: is_dear
c.id IN (SELECT id FROM call INDEXED BY call_cost WHERE cost_usd >= ? AND cost_usd IS NOT NULL)

-- name: calls_to_check
SELECT id, call_id FROM call WHERE id > ? AND status <> 'running' ORDER BY id LIMIT ?

-- name: add_caller
INSERT INTO callers (connection_id, seen_ns, pid, started_ns, executable, command, directory) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: caller
SELECT connection_id, seen_ns, pid, started_ns, executable, command, directory FROM callers WHERE connection_id = ?

-- name: drop_callers
DELETE FROM callers WHERE seen_ns < (SELECT started_ns FROM call ORDER BY id LIMIT 1) - ?1

-- name: decisions_of
SELECT c.call_id, d.kind, d.other, d.edge_type, d.beside, d.made_by, d.made_ns, d.id
FROM decision AS d JOIN call AS c ON c.id = d.call WHERE c.call_id = ? ORDER BY d.id

-- name: decisions
SELECT c.call_id, d.kind, d.other, d.edge_type, d.beside, d.made_by, d.made_ns, d.id
FROM decision AS d JOIN call AS c ON c.id = d.call ORDER BY d.id

-- name: decision
SELECT c.call_id, d.kind, d.other, d.edge_type, d.beside, d.made_by, d.made_ns, d.id
FROM decision AS d JOIN call AS c ON c.id = d.call WHERE d.id = ?

-- name: add_decision
INSERT INTO decision (id, call, kind, other, edge_type, beside, made_by, made_ns)
SELECT max(?1 / 1000000, coalesce(max(id), 0) + 1), ?2, ?3, ?4, ?5, ?6, ?7, ?1 FROM decision
RETURNING id

-- name: drop_decision
DELETE FROM decision WHERE id = ?

-- name: drop_decisions
DELETE FROM decision WHERE call = ?
