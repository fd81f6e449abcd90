-- The search index stands in volumes: `search_<id>` holds the words of calls from number `first` up to the next volume's first, so that
-- merging stays short and retention drops whole volumes (docs/decisions/0027). What was indexed so far is the first of them, as it is.
ALTER TABLE search RENAME TO search_1;

CREATE TABLE search_volume (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given again: what is left of a dropped volume is named by it
  first INTEGER NOT NULL UNIQUE,         -- call.id; 0: the oldest has all that are older, too
  calls INTEGER NOT NULL,                -- indexed in it, deleted ones included
  chars INTEGER NOT NULL                 -- of their words
) STRICT;
-- Segments are merged by housekeeping only: FTS5 itself merges with what is written, and sometimes all of a level at once.
INSERT INTO search_1 (search_1, rank)
VALUES ('automerge', 0), ('crisismerge', 1000), ('usermerge', 8);  -- segments of one level that are merged into one of the next
INSERT INTO search_volume SELECT 1, 0, count(*), 0 FROM search_1_docsize;

-- Nodes of lists that nobody names any more: when they are many, they are deleted by and by (docs/decisions/0026).
CREATE INDEX chain_unused ON chain (id) WHERE uses <= 0;
