-- The search index is written in larger pieces and merged less often: half the work for each call (docs/decisions/0007).

INSERT INTO search (search, rank) VALUES ('hashsize', 8388608);  -- bytes gathered before a segment is written: more than one batch has
INSERT INTO search (search, rank) VALUES ('automerge', 8);       -- segments of one level that are merged into one of the next
INSERT INTO search (search, rank) VALUES ('deletemerge', 90);    -- percent of a segment that has been deleted before the rest of it is written anew
