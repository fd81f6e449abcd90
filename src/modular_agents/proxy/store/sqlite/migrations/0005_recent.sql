-- Linking asks memory about the latest calls and the index about those of long ago; both are made of what stands here.
-- Tokens and facts of schema 1 mean nothing any more: `anton proxy relink` makes them anew from the calls.
DROP TABLE standing;
DELETE FROM token;

-- What linking reads of a call when it has found it.
CREATE TABLE standing (
  call INTEGER PRIMARY KEY,           -- call.id
  tokens BLOB NOT NULL,               -- its rows of `token`, 8 bytes each, little-endian
  facts BLOB NOT NULL                 -- linking's own
) STRICT;

-- What is found in memory of the latest calls; deleted when a call is no longer one of them.
CREATE TABLE passing (
  call INTEGER PRIMARY KEY,           -- call.id
  recent BLOB NOT NULL,               -- tokens by which it is found, as above
  asked BLOB NOT NULL,                -- tokens of earlier calls on which its place rests
  watched BLOB NOT NULL,              -- tokens of any call on which its place rests
  words BLOB NOT NULL                 -- linking's own
) STRICT;

-- Counts the batches that changed what linking finds: a second process that does so is seen by it.
INSERT INTO number VALUES ('links', 0);
