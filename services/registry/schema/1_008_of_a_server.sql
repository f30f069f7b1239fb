-- A report on what a server answered tells nothing for certain of the bytes that the version records:
-- it is kept and shown, and is evidence of nothing.
ALTER TABLE registry.report ADD COLUMN of_server boolean NOT NULL DEFAULT false;
