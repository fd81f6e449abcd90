-- A call that its client cancelled is its own outcome and no error: traces, filters and statistics count it as such. What statistics
-- hold of calls that were deleted meanwhile stays as it was counted.
UPDATE hour SET errors = errors - (
  SELECT count(*) FROM call
  WHERE call.status = 'cancelled' AND call.is_error <> 0 AND call.started_ns / 3600000000000 = hour.hour
    AND call.provider = hour.provider AND coalesce(call.model, '') = hour.model AND coalesce(call.agent_name, '') = hour.agent_name
) WHERE errors > 0 AND EXISTS (
  SELECT 1 FROM call WHERE call.status = 'cancelled' AND call.is_error <> 0 AND call.started_ns / 3600000000000 = hour.hour
);
UPDATE trace SET error_count = error_count - (
  SELECT count(*) FROM call WHERE call.trace = trace.id AND call.status = 'cancelled' AND call.is_error <> 0
) WHERE id IN (SELECT trace FROM call WHERE status = 'cancelled' AND is_error <> 0);
UPDATE call SET is_error = 0 WHERE status = 'cancelled' AND is_error <> 0;
