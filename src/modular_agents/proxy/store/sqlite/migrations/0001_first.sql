-- The first schema. A migration is never edited once it has been released: the next change is the next file.
--
-- Numbers of calls and traces (`id`) are milliseconds since 1970 of their start, moved on to the next free one: every index
-- ends in the id, so every index is in time order, and a page is a range of one index.
-- Physical names differ from the contract's; `traces`, `llm_calls` and `call_graph` are views (views.sql).

-- Every message, system block, tool definition, parameter object and recipe, stored once by its exact bytes.
CREATE TABLE content (
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,                 -- BLAKE2b-128 of what it is and its bytes
  body TEXT,                          -- exact; NULL: the pieces, in order
  reading TEXT                        -- of a message: how its parts stand in the body (reading.py)
) STRICT;
CREATE UNIQUE INDEX content_hash ON content (hash);

-- Long strings inside a message (a picture, a file that was read) stand alone, so that a message that comes back with another
-- cache mark does not store them again.
CREATE TABLE piece (
  content INTEGER NOT NULL,
  place INTEGER NOT NULL,
  piece INTEGER NOT NULL,             -- content.id
  PRIMARY KEY (content, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX piece_piece ON piece (piece);

-- Lists of contents, sharing what they begin with: a node is a list's last entry and its parent the list before it.
CREATE TABLE chain (
  id INTEGER PRIMARY KEY,
  parent INTEGER NOT NULL,            -- chain.id; 0: the empty list
  content INTEGER NOT NULL,           -- content.id
  depth INTEGER NOT NULL,             -- entries before this one
  uses INTEGER NOT NULL               -- nodes and calls that name it; at 0 it goes
) STRICT;
CREATE UNIQUE INDEX chain_entry ON chain (content, parent);

CREATE TABLE trace (
  id INTEGER PRIMARY KEY,
  trace_id TEXT NOT NULL,
  created_ns INTEGER NOT NULL,
  last_ns INTEGER NOT NULL,           -- last time anything was seen of it
  name TEXT,
  task_description TEXT,
  source TEXT NOT NULL,               -- the rule that recognised it
  source_detail TEXT NOT NULL,
  source_confidence REAL NOT NULL,
  call_count INTEGER NOT NULL,
  running_count INTEGER NOT NULL,
  agent_count INTEGER NOT NULL,
  error_count INTEGER NOT NULL,
  tokens_input INTEGER NOT NULL,
  tokens_input_calls INTEGER NOT NULL, -- calls whose number is known; 0: the sum is unknown
  tokens_output INTEGER NOT NULL,
  tokens_output_calls INTEGER NOT NULL,
  cost_usd REAL NOT NULL,
  cost_calls INTEGER NOT NULL,
  unpriced_count INTEGER NOT NULL,
  oldest_call INTEGER NOT NULL,       -- call.id
  root_thread TEXT NOT NULL,          -- thread of the oldest call
  newest_call INTEGER NOT NULL,       -- call.id
  newest_thread TEXT NOT NULL,
  newest_failed INTEGER NOT NULL,
  answered_ns INTEGER NOT NULL,       -- end of the call that ended last; 0: none has
  asks_tool INTEGER NOT NULL,         -- that call's answer asked for a tool
  described_by INTEGER NOT NULL       -- call.id that gave the task description; 0: none did
) STRICT;
CREATE UNIQUE INDEX trace_trace_id ON trace (trace_id);
CREATE INDEX trace_cost ON trace (cost_usd);

-- Who speaks in a trace: calls per thread and name.
CREATE TABLE thread (
  trace INTEGER NOT NULL,
  thread_id TEXT NOT NULL,
  agent_name TEXT NOT NULL,           -- '' for calls without one
  call_count INTEGER NOT NULL,
  PRIMARY KEY (trace, thread_id, agent_name)
) STRICT, WITHOUT ROWID;

-- One row per call: its newest version, what lists read first. It does not grow much at its end: what an answer brings stands apart.
CREATE TABLE call (
  id INTEGER PRIMARY KEY,
  version INTEGER NOT NULL,           -- counts the versions; a final one is the last
  trace INTEGER NOT NULL,             -- trace.id
  call_id TEXT NOT NULL,
  status TEXT NOT NULL,
  thread_id TEXT NOT NULL,
  parent_id TEXT,
  kind TEXT NOT NULL,
  started_ns INTEGER NOT NULL,
  ended_ns INTEGER,
  first_token_ns INTEGER,
  provider TEXT NOT NULL,
  format TEXT NOT NULL,
  operation TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  upstream TEXT NOT NULL,
  model TEXT,
  agent_name TEXT,
  stream INTEGER NOT NULL,
  tokens_input INTEGER,
  tokens_input_uncached INTEGER,
  tokens_cache_read INTEGER,
  tokens_cache_write_5m INTEGER,
  tokens_cache_write_1h INTEGER,
  tokens_output INTEGER,
  tokens_reasoning INTEGER,
  usage_source TEXT NOT NULL,
  cost_usd REAL,
  finish_reason TEXT,
  http_status INTEGER,
  error TEXT,
  is_error INTEGER NOT NULL,
  prompt_preview TEXT NOT NULL,
  answer_preview TEXT NOT NULL,
  tool_names TEXT NOT NULL,           -- JSON list
  replay_of TEXT,
  flags TEXT NOT NULL,                -- JSON list
  model_response TEXT,
  request_id TEXT,
  response_id TEXT,
  service_tier TEXT,
  client TEXT NOT NULL,
  connection_id TEXT NOT NULL,
  cost_model TEXT,
  cost_catalogue TEXT,
  cost_tier TEXT,
  cost_why TEXT NOT NULL,
  error_whose TEXT,
  error_kind TEXT,
  unreadable_where TEXT,
  unreadable_reason TEXT,
  root_id TEXT NOT NULL,              -- call_id of the call that opened the thread
  opener_id TEXT,                     -- call_id of the call of another thread that opened it
  agent_given INTEGER NOT NULL,       -- the call itself was given its agent's name
  task_description TEXT,
  messages INTEGER NOT NULL,          -- chain.id; 0: none
  message_count INTEGER NOT NULL,
  new_from INTEGER NOT NULL,          -- index of the first message that this turn adds
  system INTEGER NOT NULL,            -- chain.id
  tools INTEGER NOT NULL,             -- chain.id
  params INTEGER NOT NULL             -- chain.id of one entry
) STRICT;
CREATE UNIQUE INDEX call_call_id ON call (call_id);
CREATE INDEX call_trace ON call (trace);
CREATE INDEX call_root ON call (trace) WHERE root_id = call_id;
CREATE INDEX call_thread ON call (thread_id, started_ns);
CREATE INDEX call_provider ON call (provider);
CREATE INDEX call_model ON call (model);
CREATE INDEX call_agent ON call (agent_name);
CREATE INDEX call_cost ON call (cost_usd) WHERE cost_usd IS NOT NULL;
CREATE INDEX call_unfinished ON call (status) WHERE status <> 'completed';
CREATE INDEX call_error ON call (is_error) WHERE is_error <> 0;

-- What was asked, as it crossed the wire (crossing.py).
CREATE TABLE asked (
  call INTEGER PRIMARY KEY,           -- call.id
  recipe INTEGER NOT NULL,            -- chain.id of one entry; 0: the request body is kept whole
  body INTEGER NOT NULL,              -- body.id; 0: it has a recipe, or is empty
  record BLOB NOT NULL
) STRICT;

-- What came of it; written once, when a call ends.
CREATE TABLE answer (
  call INTEGER PRIMARY KEY,           -- call.id
  answers INTEGER NOT NULL,           -- chain.id
  usage_raw TEXT,                     -- the provider's own, as sent
  tool_calls TEXT NOT NULL,           -- JSON list
  response TEXT NOT NULL,
  record BLOB NOT NULL
) STRICT;

-- Request bodies that no recipe rebuilds, compressed; equal ones once.
CREATE TABLE body (
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,
  data BLOB NOT NULL,
  uses INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX body_hash ON body (hash);

-- Tokens by which linking finds earlier calls; the numbers mean nothing to us.
CREATE TABLE token (
  token INTEGER NOT NULL,
  started_ns INTEGER NOT NULL,
  call INTEGER NOT NULL,              -- call.id
  PRIMARY KEY (token, started_ns, call)
) STRICT, WITHOUT ROWID;

-- What linking reads of a call when it has found it.
CREATE TABLE standing (
  call INTEGER PRIMARY KEY,           -- call.id
  tokens BLOB NOT NULL,               -- its tokens, 8 bytes each, little-endian
  facts BLOB NOT NULL,                -- linking's own
  passing BLOB NOT NULL,              -- tokens left only for calls that come late; emptied after an hour
  passing_facts BLOB NOT NULL         -- likewise
) STRICT;
CREATE INDEX standing_passing ON standing (call) WHERE passing <> x'';

CREATE TABLE edge (
  to_call INTEGER NOT NULL,           -- call.id
  from_call INTEGER NOT NULL,         -- call.id
  edge_type TEXT NOT NULL,
  evidence TEXT NOT NULL,
  detail TEXT NOT NULL,
  confidence REAL NOT NULL,
  PRIMARY KEY (to_call, from_call, edge_type)
) STRICT, WITHOUT ROWID;
CREATE INDEX edge_from ON edge (from_call);

-- What the live page is told, in order: a ring. A `call` or `trace` event names its row; the others carry theirs.
CREATE TABLE event (
  seq INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  trace INTEGER NOT NULL,             -- trace.id
  call INTEGER NOT NULL,              -- call.id; 0: none
  body TEXT
) STRICT;
CREATE INDEX event_delta ON event (call) WHERE kind = 'delta';

-- Sums per hour, so that statistics read hundreds of rows and not every call.
CREATE TABLE hour (
  hour INTEGER NOT NULL,              -- hours since 1970, of the start
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  agent_name TEXT NOT NULL,
  calls INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  tokens_input INTEGER NOT NULL,
  tokens_output INTEGER NOT NULL,
  tokens_cache_read INTEGER NOT NULL,
  tokens_cache_write INTEGER NOT NULL,
  tokens_reasoning INTEGER NOT NULL,
  cost_usd REAL NOT NULL,
  unpriced INTEGER NOT NULL,
  duration_ns INTEGER NOT NULL,
  answering_ns INTEGER NOT NULL,      -- from the first token to the end
  answering_tokens INTEGER NOT NULL,  -- tokens that came out in that time
  PRIMARY KEY (hour, provider, model, agent_name)
) STRICT, WITHOUT ROWID;

-- How many calls took how long: bucket b holds 2^(b/4) ms and more, less than 2^((b+1)/4).
CREATE TABLE latency (
  hour INTEGER NOT NULL,
  model TEXT NOT NULL,
  what TEXT NOT NULL,                 -- 'duration' or 'ttft'
  bucket INTEGER NOT NULL,
  calls INTEGER NOT NULL,
  PRIMARY KEY (hour, model, what, bucket)
) STRICT, WITHOUT ROWID;

-- How far the journal is contained in this file.
CREATE TABLE segment (
  segment TEXT PRIMARY KEY,
  bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE open_call (
  call_id TEXT PRIMARY KEY,
  segment TEXT NOT NULL,
  bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Single numbers: `event_floor`.
CREATE TABLE number (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO number VALUES ('event_floor', 0);

-- Calls whose words have not been indexed yet: indexing many at once costs half.
CREATE TABLE unsearched (
  call INTEGER PRIMARY KEY            -- call.id
) STRICT;

-- Words of prompts and answers, row by row as in `call`; the text itself stands in `content` and `call`.
CREATE VIRTUAL TABLE search USING fts5 (prompt, answer, content = '', contentless_delete = 1);
