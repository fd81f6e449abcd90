-- The public contract: three names that any SQLite client from 3.40 on can read. Features of 3.40 only, no compression, no
-- custom function. Made anew whenever a database is opened for writing, so a later version may add columns; none is ever removed.

DROP VIEW IF EXISTS traces;
CREATE VIEW traces AS
SELECT
  t.trace_id,
  strftime('%Y-%m-%dT%H:%M:%S', t.created_ns / 1000000000, 'unixepoch') || printf('.%06dZ', t.created_ns / 1000 % 1000000) AS created_at,
  t.task_description,
  t.status,
  t.name,
  CASE WHEN t.status <> 'running' THEN
    strftime('%Y-%m-%dT%H:%M:%S', t.last_ns / 1000000000, 'unixepoch') || printf('.%06dZ', t.last_ns / 1000 % 1000000)
  END AS ended_at,
  t.call_count,
  t.agent_count,
  CASE WHEN t.tokens_input_calls > 0 THEN t.tokens_input END AS tokens_input,
  CASE WHEN t.tokens_output_calls > 0 THEN t.tokens_output END AS tokens_output,
  CASE WHEN t.cost_calls > 0 THEN t.cost_usd END AS cost_usd,
  t.error_count,
  t.source,
  t.running_count,
  t.unpriced_count
FROM (
  SELECT
    *,
    CASE
      WHEN running_count > 0 THEN 'running'
      WHEN newest_failed <> 0 AND newest_thread = root_thread THEN 'failed'
      WHEN asks_tool <> 0 AND last_ns > (strftime('%s', 'now') - 300) * 1000000000 THEN 'running'
      ELSE 'completed'
    END AS status
  FROM trace
) AS t;

DROP VIEW IF EXISTS llm_calls;
CREATE VIEW llm_calls AS
SELECT
  c.call_id,
  t.trace_id,
  c.parent_id,
  strftime('%Y-%m-%dT%H:%M:%S', c.started_ns / 1000000000, 'unixepoch') || printf('.%06dZ', c.started_ns / 1000 % 1000000) AS created_at,
  c.provider,
  c.model,
  coalesce((
    WITH RECURSIVE up (parent, content, depth) AS (
      SELECT parent, content, depth FROM chain WHERE id = c.messages
      UNION ALL
      SELECT n.parent, n.content, n.depth FROM up JOIN chain AS n ON n.id = up.parent
    )
    SELECT '[' || group_concat(entry, ',') || ']' FROM (
      SELECT coalesce(k.body, (
        SELECT group_concat(body, '') FROM (SELECT p.body FROM piece AS q JOIN content AS p ON p.id = q.piece WHERE q.content = k.id ORDER BY q.place)
      )) AS entry
      FROM up JOIN content AS k ON k.id = up.content ORDER BY up.depth
    )
  ), '[]') AS messages,
  r.response,
  c.finish_reason,
  (c.ended_ns - c.started_ns) / 1000000.0 AS duration_ms,
  c.tokens_input,
  c.tokens_output,
  c.cost_usd,
  c.agent_name,
  c.error,
  c.status,
  c.thread_id,
  c.operation,
  c.stream,
  (c.first_token_ns - c.started_ns) / 1000000.0 AS ttft_ms,
  (
    WITH RECURSIVE up (parent, content, depth) AS (
      SELECT parent, content, depth FROM chain WHERE id = c.system
      UNION ALL
      SELECT n.parent, n.content, n.depth FROM up JOIN chain AS n ON n.id = up.parent
    )
    SELECT '[' || group_concat(entry, ',') || ']' FROM (
      SELECT coalesce(k.body, (
        SELECT group_concat(body, '') FROM (SELECT p.body FROM piece AS q JOIN content AS p ON p.id = q.piece WHERE q.content = k.id ORDER BY q.place)
      )) AS entry
      FROM up JOIN content AS k ON k.id = up.content ORDER BY up.depth
    )
  ) AS system,
  (
    WITH RECURSIVE up (parent, content, depth) AS (
      SELECT parent, content, depth FROM chain WHERE id = c.tools
      UNION ALL
      SELECT n.parent, n.content, n.depth FROM up JOIN chain AS n ON n.id = up.parent
    )
    SELECT '[' || group_concat(entry, ',') || ']' FROM (
      SELECT coalesce(k.body, (
        SELECT group_concat(body, '') FROM (SELECT p.body FROM piece AS q JOIN content AS p ON p.id = q.piece WHERE q.content = k.id ORDER BY q.place)
      )) AS entry
      FROM up JOIN content AS k ON k.id = up.content ORDER BY up.depth
    )
  ) AS tools,
  (
    SELECT coalesce(k.body, (
      SELECT group_concat(body, '') FROM (SELECT p.body FROM piece AS q JOIN content AS p ON p.id = q.piece WHERE q.content = k.id ORDER BY q.place)
    ))
    FROM chain AS n JOIN content AS k ON k.id = n.content WHERE n.id = c.params
  ) AS params,
  r.tool_calls,
  c.tokens_cache_read,
  CASE WHEN c.tokens_cache_write_5m IS NOT NULL OR c.tokens_cache_write_1h IS NOT NULL THEN
    coalesce(c.tokens_cache_write_5m, 0) + coalesce(c.tokens_cache_write_1h, 0)
  END AS tokens_cache_write,
  c.tokens_reasoning,
  c.usage_source,
  c.http_status,
  c.request_id,
  c.path,
  c.upstream,
  c.replay_of,
  c.kind,
  c.format,
  c.method,
  c.model_response,
  c.response_id,
  CASE WHEN c.ended_ns IS NOT NULL THEN
    strftime('%Y-%m-%dT%H:%M:%S', c.ended_ns / 1000000000, 'unixepoch') || printf('.%06dZ', c.ended_ns / 1000 % 1000000)
  END AS ended_at,
  r.usage_raw AS usage,
  c.flags
FROM call AS c JOIN trace AS t ON t.id = c.trace LEFT JOIN answer AS r ON r.call = c.id;

DROP VIEW IF EXISTS call_graph;
CREATE VIEW call_graph AS
SELECT
  a.call_id || '-' || e.edge_type || '-' || b.call_id AS edge_id,
  t.trace_id,
  a.call_id AS from_call_id,
  b.call_id AS to_call_id,
  e.edge_type,
  e.evidence,
  e.confidence,
  e.detail
FROM edge AS e
JOIN call AS a ON a.id = e.from_call
JOIN call AS b ON b.id = e.to_call
JOIN trace AS t ON t.id = b.trace;

-- What each agent's conversation came to. Helpers' calls (titles, probes, counts …) are no agent's: only `traces` counts them.
DROP VIEW IF EXISTS threads;
CREATE VIEW threads AS
SELECT
  t.trace_id,
  h.thread_id,
  max(nullif(h.agent_name, '')) AS agent_name,
  max(CASE WHEN c.root_id = c.call_id THEN c.task_description END) AS task_description,
  (
    SELECT status FROM call WHERE thread_id = h.thread_id AND +trace = t.id
      AND kind NOT IN ('title', 'router', 'probe', 'count', 'list', 'warmup', 'embedding', 'batch', 'other')
    ORDER BY started_ns DESC, id DESC LIMIT 1
  ) AS status,
  strftime('%Y-%m-%dT%H:%M:%S', min(c.started_ns) / 1000000000, 'unixepoch') || printf('.%06dZ', min(c.started_ns) / 1000 % 1000000) AS created_at,
  CASE WHEN sum(c.status = 'running') = 0 THEN
    strftime('%Y-%m-%dT%H:%M:%S', max(c.ended_ns) / 1000000000, 'unixepoch') || printf('.%06dZ', max(c.ended_ns) / 1000 % 1000000)
  END AS ended_at,
  (max(c.ended_ns) - min(c.started_ns)) / 1000000.0 AS duration_ms,
  count(*) AS call_count,
  sum(c.status = 'running') AS running_count,
  sum(c.is_error) AS error_count,
  sum(c.tokens_input) AS tokens_input,
  sum(c.tokens_output) AS tokens_output,
  sum(c.cost_usd) AS cost_usd,
  sum(c.cost_usd IS NULL AND c.status <> 'running' AND (c.tokens_input IS NOT NULL OR c.tokens_output IS NOT NULL)) AS unpriced_count
FROM trace AS t
JOIN thread AS h ON h.trace = t.id AND h.agent_name = (SELECT max(agent_name) FROM thread WHERE trace = h.trace AND thread_id = h.thread_id)
CROSS JOIN call AS c ON c.thread_id = h.thread_id AND +c.trace = t.id
WHERE c.kind NOT IN ('title', 'router', 'probe', 'count', 'list', 'warmup', 'embedding', 'batch', 'other')
GROUP BY t.trace_id, h.thread_id;

-- What each delegation came to: the thread that it opened with everything that one delegated further. A thread that several calls may
-- have opened stands below the oldest of them. DISTINCT keeps the sums from being made once for each column; the order of joins and the
-- signs lead from thread to thread by `call_thread`, however many calls the trace has.
DROP VIEW IF EXISTS delegations;
CREATE VIEW delegations AS
SELECT
  edge_id, trace_id, from_call_id, to_call_id, from_thread_id, thread_id, agent_name, evidence, confidence,
  json_extract(whole, '$[0]') AS thread_count,
  json_extract(whole, '$[1]') AS call_count,
  json_extract(whole, '$[2]') AS running_count,
  json_extract(whole, '$[3]') AS error_count,
  json_extract(whole, '$[4]') AS tokens_input,
  json_extract(whole, '$[5]') AS tokens_output,
  json_extract(whole, '$[6]') AS cost_usd,
  json_extract(whole, '$[7]') AS unpriced_count,
  json_extract(whole, '$[8]') AS duration_ms,
  tokens_handed_back
FROM (
  SELECT DISTINCT
    a.call_id || '-delegation-' || b.call_id AS edge_id,
    t.trace_id,
    a.call_id AS from_call_id,
    b.call_id AS to_call_id,
    a.thread_id AS from_thread_id,
    b.thread_id,
    b.agent_name,
    e.evidence,
    e.confidence,
    (
      WITH RECURSIVE below (thread_id) AS (
        SELECT b.thread_id
        UNION
        SELECT r.thread_id
        FROM below AS u
        CROSS JOIN call AS f ON f.thread_id = u.thread_id AND +f.trace = b.trace
        CROSS JOIN edge AS g ON g.from_call = f.id AND g.edge_type = 'delegation'
        CROSS JOIN call AS r ON r.id = g.to_call AND r.root_id = r.call_id AND +r.trace = b.trace
        WHERE g.from_call = (SELECT min(from_call) FROM edge WHERE to_call = r.id AND edge_type = 'delegation')
      )
      SELECT json_array(
        count(DISTINCT c.thread_id), count(*), sum(c.status = 'running'), sum(c.is_error), sum(c.tokens_input), sum(c.tokens_output),
        sum(c.cost_usd),
        sum(c.cost_usd IS NULL AND c.status <> 'running' AND (c.tokens_input IS NOT NULL OR c.tokens_output IS NOT NULL)),
        (max(c.ended_ns) - min(c.started_ns)) / 1000000.0
      )
      FROM below AS w CROSS JOIN call AS c ON c.thread_id = w.thread_id AND +c.trace = b.trace
      WHERE c.kind NOT IN ('title', 'router', 'probe', 'count', 'list', 'warmup', 'embedding', 'batch', 'other')
    ) AS whole,
    (
      SELECT l.tokens_output FROM call AS l JOIN edge AS k ON k.from_call = l.id AND k.edge_type = 'response'
      WHERE l.thread_id = b.thread_id AND +l.trace = b.trace ORDER BY l.started_ns DESC, l.id DESC LIMIT 1
    ) AS tokens_handed_back
  FROM trace AS t
  JOIN call AS b ON b.trace = t.id AND b.root_id = b.call_id
  JOIN edge AS e ON e.to_call = b.id AND e.edge_type = 'delegation'
  JOIN call AS a ON a.id = e.from_call AND a.thread_id <> b.thread_id AND +a.trace = b.trace
  WHERE e.from_call = (SELECT min(from_call) FROM edge WHERE to_call = b.id AND edge_type = 'delegation')
);
