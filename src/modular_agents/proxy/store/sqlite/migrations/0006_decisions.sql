-- What a person said about the graph; it outranks what the wire tells, and stands until it is taken back or its call is deleted.
CREATE TABLE decision (
  id INTEGER PRIMARY KEY,             -- milliseconds since 1970, moved on to the next free number
  call INTEGER NOT NULL,              -- call.id
  kind TEXT NOT NULL,                 -- opened_by | trace | apart | cut
  other TEXT NOT NULL,                -- the call or the trace that it names
  edge_type TEXT NOT NULL,            -- of a cut
  beside TEXT NOT NULL,               -- of a trace: the call that stood for it
  made_by TEXT NOT NULL,
  made_ns INTEGER NOT NULL
) STRICT;

CREATE INDEX decision_by_call ON decision (call);
