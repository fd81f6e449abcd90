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
