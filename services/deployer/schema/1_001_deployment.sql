-- Hosts and what they are to run, endpoints, rollouts with their decisions, replies kept for their
-- request ids, fences of tasks. Whoever changes anything here holds one advisory lock, so that what
-- a host is told always follows from one state of all these rows.

CREATE TABLE deployment.host (
    name         text        PRIMARY KEY COLLATE "C",
    generation   bigint      NOT NULL DEFAULT 0, -- of `state`
    state        bytea       NOT NULL,           -- valion.v1.HostState
    applied      bigint      NOT NULL DEFAULT 0, -- generation that its runner made true
    environments bytea       NOT NULL,           -- valion.v1.ListEnvironmentsReply: what it offers
    error        text        NOT NULL DEFAULT '',
    isolation    text        NOT NULL DEFAULT '',
    seen         timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE deployment.rollout (
    id             bytea       PRIMARY KEY CHECK (length(id) = 16),
    environment    text        NOT NULL COLLATE "C",
    model          text        NOT NULL COLLATE "C",
    state          smallint    NOT NULL,          -- valion.v1.RolloutState
    sequence       bigint      NOT NULL,
    record         bytea       NOT NULL,          -- valion.v1.Rollout, without decisions
    version_record bytea       NOT NULL,          -- valion.v1.Version as it was when asked for
    asked          text,                          -- to abort: why
    promoted       boolean     NOT NULL DEFAULT false,
    grant_closed   boolean     NOT NULL DEFAULT false,
    progress       timestamptz NOT NULL DEFAULT now(),
    created        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rollout_endpoint ON deployment.rollout (environment, model, created DESC);
CREATE INDEX rollout_open ON deployment.rollout (created)
    WHERE state NOT IN (8, 10, 11) OR NOT grant_closed;

CREATE TABLE deployment.endpoint (
    environment text        NOT NULL COLLATE "C",
    model       text        NOT NULL COLLATE "C",
    stable      bytea,                            -- rollout whose version serves
    revision    bigint      NOT NULL DEFAULT 0,
    updated     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (environment, model)
);

CREATE TABLE deployment.instance (
    id          bytea       PRIMARY KEY CHECK (length(id) = 16),
    rollout_id  bytea       NOT NULL REFERENCES deployment.rollout (id),
    environment text        NOT NULL COLLATE "C",
    model       text        NOT NULL COLLATE "C",
    version     text        NOT NULL COLLATE "C",
    host        text        NOT NULL COLLATE "C",
    part        smallint    NOT NULL,             -- 1 new, 2 stable, 3 warm, 4 stopping
    wanted      bytea       NOT NULL,             -- valion.v1.WantedInstance
    warm_until  timestamptz,
    state       smallint    NOT NULL DEFAULT 0,   -- valion.v1.InstanceState as reported
    report      bytea                             -- valion.v1.InstanceReport
);
CREATE INDEX instance_endpoint ON deployment.instance (environment, model);
CREATE INDEX instance_host ON deployment.instance (host);

CREATE TABLE deployment.revision (
    environment text        NOT NULL COLLATE "C",
    model       text        NOT NULL COLLATE "C",
    number      bigint      NOT NULL,
    version     text        NOT NULL COLLATE "C",
    digest      bytea       NOT NULL,
    rollout_id  bytea       NOT NULL,
    since       timestamptz NOT NULL DEFAULT now(),
    until       timestamptz,
    actor       text        NOT NULL,
    why         text        NOT NULL,
    PRIMARY KEY (environment, model, number)
);

CREATE TABLE deployment.decision (
    rollout_id bytea  NOT NULL REFERENCES deployment.rollout (id),
    sequence   bigint NOT NULL,
    record     bytea  NOT NULL,                   -- valion.v1.Decision
    PRIMARY KEY (rollout_id, sequence)
);

CREATE TABLE deployment.request (
    scope      text        NOT NULL,
    request_id bytea       NOT NULL,
    method     text        NOT NULL,
    body_hash  bytea       NOT NULL,
    reply      bytea       NOT NULL,
    created    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (request_id, scope)
);
CREATE INDEX request_created ON deployment.request USING brin (created);

CREATE TABLE deployment.fence (
    task_id bytea       PRIMARY KEY,
    token   bigint      NOT NULL,
    seen    timestamptz NOT NULL
);
