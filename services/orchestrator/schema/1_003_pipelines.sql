-- Pipelines, their runs, the steps of runs, and the lines that tasks write.

CREATE TABLE pipeline.pipeline (
    name       text        NOT NULL COLLATE "C",
    version    bigint      NOT NULL,               -- counted up; what is stored never changes
    body       bytea       NOT NULL,               -- valion.v1.Pipeline without version, times, names
    digest     bytea       NOT NULL,               -- SHA-256 of body
    created    timestamptz NOT NULL DEFAULT now(),
    created_by text        NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TABLE pipeline.run (
    id              bytea       NOT NULL CHECK (length(id) = 16),
    pipeline        text        NOT NULL COLLATE "C",
    version         bigint      NOT NULL,
    state           smallint    NOT NULL DEFAULT 1, -- valion.v1.RunState; 3, 4, 5 have ended
    stop            smallint    NOT NULL DEFAULT 0, -- 1: cancelled, 2: its time is over
    stop_all        boolean     NOT NULL DEFAULT false,
    stop_why        text,
    priority        smallint    NOT NULL,
    params          bytea       NOT NULL,           -- valion.v1.EventPayload: pairs, values as JSON
    submitter       text        NOT NULL,
    submitter_roles integer     NOT NULL,
    trigger         text        NOT NULL,
    rerun_of        bytea,
    submitted       timestamptz NOT NULL DEFAULT now(),
    started         timestamptz,                    -- it had its turn
    deadline        timestamptz,                    -- from then on
    finished        timestamptz,
    error           text,
    PRIMARY KEY (id),
    FOREIGN KEY (pipeline, version) REFERENCES pipeline.pipeline
) WITH (fillfactor = 80);

CREATE INDEX run_open ON pipeline.run (pipeline, priority, id) WHERE state IN (1, 2, 6);
CREATE INDEX run_of_pipeline ON pipeline.run (pipeline, id);

-- A row for each step of a run, from its submission on.
CREATE TABLE pipeline.step (
    run_id   bytea    NOT NULL REFERENCES pipeline.run,
    position smallint NOT NULL,                     -- in the pipeline, from 0
    name     text     NOT NULL COLLATE "C",
    state    smallint NOT NULL DEFAULT 1,           -- valion.v1.StepState; 4 and above have ended
    task_id  bytea,
    reused   boolean  NOT NULL DEFAULT false,       -- the outputs are those of an earlier run
    outputs  text,                                  -- JSON
    error    text,
    why      text,
    started  timestamptz,
    finished timestamptz,
    PRIMARY KEY (run_id, position)
) WITH (fillfactor = 80);

-- A step's task is a task like any other; these say whose, and how it is tried again.
ALTER TABLE pipeline.task
    ADD COLUMN run_id bytea,
    ADD COLUMN step text,
    ADD COLUMN max_failures smallint,               -- attempts that may fail; none: max_attempts
    ADD COLUMN retry_delay_ms bigint,
    ADD COLUMN retry_factor double precision,
    ADD COLUMN retry_max_ms bigint,
    ADD COLUMN non_retryable text;                  -- classes of errors, one a line

CREATE INDEX task_of_run ON pipeline.task (run_id) WHERE run_id IS NOT NULL;

CREATE TABLE pipeline.log (
    task_id bytea       NOT NULL,
    seq     bigint      NOT NULL,                   -- 1, 2, 3 ... of the task
    time    timestamptz NOT NULL,
    level   text        NOT NULL,
    line    text        NOT NULL,
    PRIMARY KEY (task_id, seq)
);
