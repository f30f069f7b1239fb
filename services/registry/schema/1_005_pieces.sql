-- How an artifact's bytes are stored, and what proves each piece of 256 KiB.

ALTER TABLE registry.blob
    -- One zstd frame of the content, instead of `bytes`; both NULL: in a file.
    ADD COLUMN packed       bytea,
    -- The file is blobs/ab/<digest>.zst: a zstd frame for each piece, one after the other.
    ADD COLUMN framed       boolean     NOT NULL DEFAULT false,
    -- What they take in the file or in `packed`; NULL: as many as the content has.
    ADD COLUMN stored_bytes bigint,
    -- 40 bytes a piece: the SHA-256 of its content, then where it ends in the file (big-endian).
    -- NULL: in no file, or stored before there were pieces; then its reader alone checks it.
    ADD COLUMN pieces       bytea,
    -- When bytes of it were found changed; they are refused until somebody uploads them again.
    ADD COLUMN corrupt      timestamptz,
    -- Counts such replacements.
    ADD COLUMN generation   integer     NOT NULL DEFAULT 0;

-- EXTERNAL: digests do not compress, and one entry is read without the others.
ALTER TABLE registry.blob ALTER COLUMN packed SET STORAGE EXTERNAL;
ALTER TABLE registry.blob ALTER COLUMN pieces SET STORAGE EXTERNAL;

CREATE INDEX blob_corrupt ON registry.blob (digest) WHERE corrupt IS NOT NULL;
