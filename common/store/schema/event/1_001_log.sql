-- The event log. Every service inserts into the outbox, in the transaction that changes its state;
-- one relay (a registry, by advisory lock) moves rows into the log, where they get a dense position
-- and a place in the hash chain.

CREATE TABLE event.outbox (
    seq     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type    text        NOT NULL,
    subject text        NOT NULL,
    actor   text        NOT NULL,
    time    timestamptz NOT NULL DEFAULT now(),
    payload bytea       NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);

CREATE TABLE event.log (
    position bigint      PRIMARY KEY,
    type     text        NOT NULL,
    subject  text        NOT NULL,
    actor    text        NOT NULL,
    time     timestamptz NOT NULL,
    payload  bytea       NOT NULL,
    hash     bytea       NOT NULL CHECK (length(hash) = 32)
);

CREATE INDEX log_subject ON event.log (subject, position);

CREATE TABLE event.head (
    position  bigint      NOT NULL,
    hash      bytea       NOT NULL,
    time      timestamptz NOT NULL,
    signature bytea       NOT NULL,
    PRIMARY KEY (position, time)
);

GRANT USAGE ON SCHEMA event TO valion_service;
GRANT INSERT ON event.outbox TO valion_service;
GRANT SELECT ON event.log, event.head, event.migration TO valion_service;
