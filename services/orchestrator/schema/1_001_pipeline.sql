-- Tasks and their leases.

CREATE TABLE pipeline.task (
    id               bytea       NOT NULL CHECK (length(id) = 16),
    seq              bigint      GENERATED ALWAYS AS IDENTITY,
    kind             text        NOT NULL COLLATE "C",
    state            smallint    NOT NULL DEFAULT 1, -- valion.v1.TaskState; 4 and above have ended
    priority         smallint    NOT NULL,
    spec             bytea       NOT NULL,
    labels           bytea       NOT NULL,           -- valion.v1.EventPayload: pairs
    submitter        text        NOT NULL,
    submitter_roles  integer     NOT NULL,
    submitted        timestamptz NOT NULL DEFAULT now(),
    not_before       timestamptz NOT NULL,
    deadline         timestamptz NOT NULL,
    max_attempts     smallint    NOT NULL,
    attempts         smallint    NOT NULL DEFAULT 0, -- leases that count
    crashes          smallint    NOT NULL DEFAULT 0, -- times its code killed its process
    run_outs         smallint    NOT NULL DEFAULT 0, -- leases that merely ended
    token            bigint      NOT NULL DEFAULT 0, -- fencing token of the last lease
    lease_until      timestamptz,
    lease_request    bytea,                          -- id of the LeaseTasks call that got it
    worker           text,                           -- principal that holds the lease
    worker_instance  text,
    started          timestamptz,
    finished         timestamptz,
    progress         real,
    progress_text    text,
    cancel_requested boolean     NOT NULL DEFAULT false,
    result           bytea,
    error            text,
    resume           bytea,
    wait_until       timestamptz,
    wait_jobs        bytea[],
    wait_type        text,
    wait_subject     text,
    wait_after       bigint,
    PRIMARY KEY (id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);

CREATE INDEX task_ready ON pipeline.task (kind, priority, seq) WHERE state = 1;
CREATE INDEX task_leased ON pipeline.task (lease_until) WHERE state = 2;
CREATE INDEX task_waiting ON pipeline.task (wait_until) WHERE state = 3;
CREATE INDEX task_open ON pipeline.task (deadline) WHERE state < 4;

-- Lowest sequence number that may still be ready, by kind; refreshed every second. It keeps a claim
-- away from dead index entries that an old snapshot holds.
CREATE TABLE pipeline.low_water (
    kind text   PRIMARY KEY COLLATE "C",
    seq  bigint NOT NULL
);

CREATE TABLE pipeline.request (
    scope      text        NOT NULL,
    request_id bytea       NOT NULL,
    method     text        NOT NULL,
    body_hash  bytea       NOT NULL,
    reply      bytea       NOT NULL,
    created    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (request_id, scope)
);
CREATE INDEX request_created ON pipeline.request USING brin (created);

CREATE TABLE pipeline.fence (
    task_id bytea       PRIMARY KEY,
    token   bigint      NOT NULL,
    seen    timestamptz NOT NULL
);
