-- The search index stands in volumes: `search_<id>` holds the words of calls from number `first` up to the next volume's first, so that
-- merging stays short and retention drops whole volumes (docs/decisions/0027). What was indexed so far is the first of them, as it is.
ALTER TABLE search RENAME TO search_1;

CREATE TABLE search_volume (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given again: what is left of a dropped volume is named by it
  first INTEGER NOT NULL UNIQUE,         -- call.id; 0: the oldest has all that are older, too
  calls INTEGER NOT NULL,                -- indexed in it, deleted ones included
  chars INTEGER NOT NULL                 -- of their words
) STRICT;
INSERT INTO search_volume SELECT 1, 0, count(*), 0 FROM search_1_docsize;
