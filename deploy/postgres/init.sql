-- Roles and schemas of a new Valion database; run by a superuser, safe to run twice. Each service
-- logs in as its own role and owns its own schema; the registry owns the event log too.
DO $$
DECLARE
    service text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'valion_service') THEN
        CREATE ROLE valion_service NOLOGIN;
    END IF;
    FOREACH service IN ARRAY ARRAY['registry', 'orchestrator', 'deployer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'valion_' || service) THEN
            EXECUTE format('CREATE ROLE %I LOGIN IN ROLE valion_service', 'valion_' || service);
        END IF;
    END LOOP;
END
$$;

CREATE SCHEMA IF NOT EXISTS event AUTHORIZATION valion_registry;
CREATE SCHEMA IF NOT EXISTS registry AUTHORIZATION valion_registry;
CREATE SCHEMA IF NOT EXISTS pipeline AUTHORIZATION valion_orchestrator;
CREATE SCHEMA IF NOT EXISTS deployment AUTHORIZATION valion_deployer;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
