-- Data sets: a name for contents over time. The bytes are artifacts.

CREATE TABLE registry.dataset (
    seq     bigint      GENERATED ALWAYS AS IDENTITY, -- the newest of a name has the highest
    name    text        NOT NULL COLLATE "C",
    digest  bytea       NOT NULL REFERENCES registry.blob (digest),
    record  bytea       NOT NULL,                     -- valion.v1.Dataset as created
    created timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, digest)
);
CREATE UNIQUE INDEX dataset_newest ON registry.dataset (name, seq DESC);
