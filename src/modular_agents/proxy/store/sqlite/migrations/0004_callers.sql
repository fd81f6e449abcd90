-- Which process of this machine made a connection, once for each: what the operating system said when the connection was new.

CREATE TABLE callers (
  connection_id TEXT PRIMARY KEY NOT NULL,
  seen_ns INTEGER NOT NULL,
  pid INTEGER NOT NULL,
  started_ns INTEGER,           -- of the process; NULL: not known
  executable TEXT NOT NULL,
  command TEXT NOT NULL,        -- its arguments, secrets replaced
  directory TEXT NOT NULL
) WITHOUT ROWID;

CREATE INDEX callers_by_time ON callers (seen_ns);
