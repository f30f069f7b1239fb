-- Larger artifacts are files, named by their digest, below the registries' artifact folder.

ALTER TABLE registry.blob ALTER COLUMN bytes DROP NOT NULL; -- NULL: in the file blobs/ab/<digest>

-- Bytes on their way: one row for a content, whoever sends it; the file uploads/<id> takes chunks.
CREATE TABLE registry.upload (
    id         bytea       PRIMARY KEY CHECK (length(id) = 16),
    digest     bytea       NOT NULL CHECK (length(digest) = 32),
    size_bytes bigint      NOT NULL CHECK (size_bytes > 0),
    media_type text        NOT NULL,
    author     text        NOT NULL,
    chunks     bytea       NOT NULL,               -- a bit for each chunk of 256 KiB that came
    committing boolean     NOT NULL DEFAULT false, -- being checked: takes no more chunks
    created    timestamptz NOT NULL DEFAULT now(),
    touched    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX upload_content ON registry.upload (digest, size_bytes);
CREATE INDEX upload_author ON registry.upload (author);
