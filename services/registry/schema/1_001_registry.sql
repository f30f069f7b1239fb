-- Models, versions, small artifacts; replies kept for their request ids; fences of tasks.

CREATE TABLE registry.model (
    name        text        PRIMARY KEY COLLATE "C",
    description text        NOT NULL,
    tags        text        NOT NULL,           -- one a line, sorted
    author      text        NOT NULL,
    algorithm   text        NOT NULL,
    framework   text        NOT NULL,
    created     timestamptz NOT NULL DEFAULT now(),
    updated     timestamptz NOT NULL DEFAULT now(),
    latest      text,                           -- highest version by precedence
    versions    integer     NOT NULL DEFAULT 0,
    revision    bigint      NOT NULL DEFAULT 1
);

CREATE TABLE registry.version (
    model      text        NOT NULL COLLATE "C" REFERENCES registry.model (name),
    version    text        NOT NULL COLLATE "C",
    major      bigint      NOT NULL,
    minor      bigint      NOT NULL,
    patch      bigint      NOT NULL,
    prerelease text        NOT NULL COLLATE "C", -- key that sorts; '2' for a release
    stage      smallint    NOT NULL,             -- valion.v1.Stage
    status     smallint    NOT NULL,             -- valion.v1.VersionStatus
    digest     bytea       NOT NULL,
    record     bytea       NOT NULL,             -- valion.v1.Version as created; never changes
    created    timestamptz NOT NULL DEFAULT now(),
    updated    timestamptz NOT NULL DEFAULT now(),
    revision   bigint      NOT NULL DEFAULT 1,
    PRIMARY KEY (model, major, minor, patch, prerelease)
);

CREATE UNIQUE INDEX version_text ON registry.version (model, version);

-- Bytes of small artifacts, by content. EXTERNAL: they are compressed already or not worth it.
CREATE TABLE registry.blob (
    digest     bytea       PRIMARY KEY CHECK (length(digest) = 32),
    size_bytes bigint      NOT NULL,
    media_type text        NOT NULL,
    bytes      bytea       NOT NULL,
    created    timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE registry.blob ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE registry.artifact (
    model   text  NOT NULL COLLATE "C",
    version text  NOT NULL COLLATE "C",
    role    text  NOT NULL,
    digest  bytea NOT NULL REFERENCES registry.blob (digest),
    PRIMARY KEY (model, version, role)
);
CREATE INDEX artifact_digest ON registry.artifact (digest);

CREATE TABLE registry.request (
    scope      text        NOT NULL,
    request_id bytea       NOT NULL,
    method     text        NOT NULL,
    body_hash  bytea       NOT NULL,
    reply      bytea       NOT NULL,
    created    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (request_id, scope)
);
CREATE INDEX request_created ON registry.request USING brin (created);

CREATE TABLE registry.fence (
    task_id bytea       PRIMARY KEY,
    token   bigint      NOT NULL,
    seen    timestamptz NOT NULL
);
