-- What servers and HAProxy counted, what a version's inputs and predictions looked like when it was
-- made, and the rules that watch an endpoint. Counts belong to instances and go with them.

ALTER TABLE deployment.rollout ADD COLUMN goes_back boolean NOT NULL DEFAULT false; -- made by Rollback

ALTER TABLE deployment.instance ADD COLUMN reference bytea; -- whose bins it counts by

CREATE TABLE deployment.reference (
    id     bytea       PRIMARY KEY CHECK (length(id) = 32), -- of the profile and the signature
    record bytea       NOT NULL,                            -- valion.v1.Profile, what bins are made of
    made   timestamptz NOT NULL DEFAULT now()
);

-- Cumulative: `record` since the start that is named, `ended` all starts before it together.
CREATE TABLE deployment.telemetry (
    instance_id bytea       PRIMARY KEY REFERENCES deployment.instance (id) ON DELETE CASCADE,
    start_id    text        NOT NULL,
    start_ended text        NOT NULL DEFAULT '', -- the one before: what comes late of it counts no more
    amount      bigint      NOT NULL,            -- rises with whatever is counted
    record      bytea       NOT NULL,            -- valion.v1.Telemetry
    ended       bytea,                           -- likewise
    seen        timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE deployment.proxy_count (
    host        text        NOT NULL COLLATE "C",
    environment text        NOT NULL COLLATE "C",
    model       text        NOT NULL COLLATE "C",
    canary      boolean     NOT NULL,
    start_id    text        NOT NULL,
    start_ended text        NOT NULL DEFAULT '',
    amount      bigint      NOT NULL,
    record      bytea       NOT NULL,            -- valion.v1.ProxyCounters
    ended       bytea,
    seen        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (host, environment, model, canary)
);

CREATE TABLE deployment.watch_rule (
    environment text        NOT NULL COLLATE "C",
    model       text        NOT NULL COLLATE "C",
    name        text        NOT NULL COLLATE "C",
    record      bytea       NOT NULL,            -- valion.v1.WatchRule with what it saw last
    due         timestamptz NOT NULL DEFAULT now(),
    stable      bytea,                           -- rollout that the window is about
    since       timestamptz,                     -- when the window began
    telemetry   bytea,                           -- valion.v1.Telemetry as it was then
    proxy       bytea,                           -- valion.v1.ProxyCounters as they were then
    asked       bytea,                           -- request id of a rollback that is to be asked for
    asked_at    timestamptz,
    revision    bigint      NOT NULL DEFAULT 0,  -- that it goes back to
    why         text        NOT NULL DEFAULT '',
    went_to     bytea,                           -- rollout of the last rollback
    PRIMARY KEY (environment, model, name)
);
CREATE INDEX watch_rule_due ON deployment.watch_rule (due);
