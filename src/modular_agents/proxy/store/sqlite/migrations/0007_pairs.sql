-- Words by which a call is found where they stand side by side: the words of all pairs in UTF-8, with spaces between them.
ALTER TABLE passing ADD COLUMN pairs BLOB NOT NULL DEFAULT x'';
