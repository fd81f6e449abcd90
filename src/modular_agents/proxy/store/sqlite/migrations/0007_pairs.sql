-- Words by which a call is found where they stand side by side: the words of all pairs in UTF-8, with spaces between them.
ALTER TABLE passing ADD COLUMN pairs BLOB NOT NULL DEFAULT x'';
-- What a call was told is read again from its messages when it is asked for; here stands whether it was told anything.
ALTER TABLE passing ADD COLUMN told INTEGER NOT NULL DEFAULT 1;
ALTER TABLE passing DROP COLUMN words;
