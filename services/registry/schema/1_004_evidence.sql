-- Stages, aliases, signatures; policies and reports (the evidence); grants; deleted versions.

-- What may change of a version. NULL: as in its record.
ALTER TABLE registry.version
    ADD COLUMN signature     bytea,                        -- valion.v1.Signature, as established
    ADD COLUMN samples       bytea REFERENCES registry.blob (digest),
    ADD COLUMN profile       bytea REFERENCES registry.blob (digest),
    ADD COLUMN status_reason text,
    ADD COLUMN description   text,
    ADD COLUMN tags          text,                         -- one a line, sorted
    ADD COLUMN open_grants   integer NOT NULL DEFAULT 0;   -- above 0 a ready version is `deployed`

CREATE UNIQUE INDEX version_production ON registry.version (model) WHERE stage = 3;
CREATE INDEX version_samples ON registry.version (samples) WHERE samples IS NOT NULL;
CREATE INDEX version_profile ON registry.version (profile) WHERE profile IS NOT NULL;

-- A number is used once, whatever becomes of the version.
CREATE TABLE registry.deleted_version (
    model      text        NOT NULL COLLATE "C",
    version    text        NOT NULL,
    major      bigint      NOT NULL,
    minor      bigint      NOT NULL,
    patch      bigint      NOT NULL,
    prerelease text        NOT NULL COLLATE "C",
    digest     bytea       NOT NULL,
    deleted_by text        NOT NULL,
    deleted    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, major, minor, patch, prerelease)
);
ALTER TABLE registry.model ADD COLUMN highest text; -- of the deleted versions; NULL: none is above

CREATE TABLE registry.alias (
    model   text        NOT NULL COLLATE "C",
    key     text        NOT NULL COLLATE "C",  -- the alias in lower case
    alias   text        NOT NULL,              -- as it was written
    version text        NOT NULL COLLATE "C",
    set_by  text        NOT NULL,
    changed timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model, key),
    FOREIGN KEY (model, version) REFERENCES registry.version (model, version)
);

-- Also of versions that were deleted.
CREATE TABLE registry.stage_change (
    seq        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model      text        NOT NULL COLLATE "C",
    version    text        NOT NULL,
    from_stage smallint    NOT NULL,
    to_stage   smallint    NOT NULL,
    actor      text        NOT NULL,
    report_id  bytea,
    evidence   text,
    reason     text,
    changed    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stage_change_model ON registry.stage_change (model, seq DESC);

-- Never changed: PutPolicy adds the next version. NULL in a scope: any.
CREATE TABLE registry.policy (
    name          text        NOT NULL COLLATE "C",
    version       bigint      NOT NULL,
    model         text,
    task          smallint    NOT NULL,          -- valion.v1.TaskType; 0: any
    stage         text,
    environment   text,
    min_status    smallint    NOT NULL,          -- valion.v1.MinStatus
    max_age_ms    bigint      NOT NULL,          -- 0: any age
    in_force_from timestamptz NOT NULL,
    withdrawn     boolean     NOT NULL,
    by_name_only  boolean     NOT NULL,
    shipped       boolean     NOT NULL,          -- came with the program
    digest        bytea       NOT NULL CHECK (length(digest) = 32),
    record        bytea       NOT NULL,          -- valion.v1.Policy
    created_by    text        NOT NULL,
    created       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);

-- Never changed, and kept when the version is deleted.
CREATE TABLE registry.report (
    seq            bigint      GENERATED ALWAYS AS IDENTITY,
    report_id      bytea       PRIMARY KEY CHECK (length(report_id) = 16),
    model          text        NOT NULL COLLATE "C",
    version        text        NOT NULL COLLATE "C",
    digest         bytea       NOT NULL CHECK (length(digest) = 32),  -- of the version's artifacts
    policy         text        NOT NULL COLLATE "C",
    policy_version bigint      NOT NULL,
    verdict        smallint    NOT NULL,        -- valion.v1.CheckStatus
    appendix       bytea       REFERENCES registry.blob (digest),
    record         bytea       NOT NULL,        -- valion.v1.Report
    summary        bytea       NOT NULL,        -- the same without what lists do not show
    created        timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (policy, policy_version) REFERENCES registry.policy (name, version)
);
CREATE INDEX report_version ON registry.report (model, version, seq DESC);
CREATE INDEX report_appendix ON registry.report (appendix) WHERE appendix IS NOT NULL;

CREATE TABLE registry.serving_grant (
    seq         bigint      GENERATED ALWAYS AS IDENTITY,
    grant_id    bytea       PRIMARY KEY CHECK (length(grant_id) = 16),
    model       text        NOT NULL COLLATE "C",
    version     text        NOT NULL COLLATE "C",
    digest      bytea       NOT NULL CHECK (length(digest) = 32),
    environment text        NOT NULL COLLATE "C",
    rollout_id  bytea       NOT NULL CHECK (length(rollout_id) = 16),
    report_id   bytea,
    evidence    text,
    actor       text        NOT NULL,
    opened      timestamptz NOT NULL DEFAULT now(),
    closed      timestamptz,
    UNIQUE (rollout_id, model, version)
);
CREATE INDEX serving_grant_environment ON registry.serving_grant (environment, seq);
