-- Everything that capture needs in the database trading. Runs last, as a superuser.

-- The role Debezium connects with. Its password is set where the connector's secret is made.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'debezium') THEN
        CREATE ROLE debezium LOGIN REPLICATION;
    END IF;
END
$$;

CREATE SCHEMA cdc;

-- Updated by the connector on every heartbeat, so that the slot moves while the tables are quiet, and so that the
-- stream itself says which cluster (system identifier, timeline) it comes from.
CREATE TABLE cdc.heartbeat (
    id                 int PRIMARY KEY,
    beat_at            timestamptz NOT NULL,
    system_identifier  text NOT NULL,
    timeline           int NOT NULL
);
INSERT INTO cdc.heartbeat
SELECT 1, clock_timestamp(), s.system_identifier::text, c.timeline_id
FROM pg_control_system() AS s, pg_control_checkpoint() AS c;

-- Debezium's source signalling channel (Debezium documentation, "Sending signals to a Debezium connector").
CREATE TABLE cdc.signal (
    id    varchar(42) PRIMARY KEY,
    type  varchar(32) NOT NULL,
    data  varchar(2048)
);

-- By schema, not by table: a table that is created tomorrow is published from its first row. Unpublished generated
-- columns would make updates and deletes of their tables fail under REPLICA IDENTITY FULL (PostgreSQL 18).
CREATE PUBLICATION cdc_trading FOR TABLES IN SCHEMA public, cdc
    WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true,
          publish_generated_columns = stored);

-- Before images hold every column. Without this an update of a keyless table is refused once it is published, and
-- elsewhere the before image and unchanged out-of-line values would be missing.
DO $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'cdc')
    LOOP
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', relation);
    END LOOP;
END
$$;

-- The same for tables created later.
CREATE FUNCTION cdc.demand_full_identity() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    command record;
BEGIN
    FOR command IN
        SELECT * FROM pg_event_trigger_ddl_commands()
        WHERE object_type = 'table' AND schema_name IN ('public', 'cdc')
    LOOP
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', command.object_identity);
    END LOOP;
END
$$;
CREATE EVENT TRIGGER cdc_full_identity ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO')
    EXECUTE FUNCTION cdc.demand_full_identity();

GRANT USAGE ON SCHEMA public, cdc TO debezium;
GRANT SELECT ON ALL TABLES IN SCHEMA public, cdc TO debezium;
ALTER DEFAULT PRIVILEGES IN SCHEMA public, cdc GRANT SELECT ON TABLES TO debezium;
GRANT UPDATE ON cdc.heartbeat TO debezium;
GRANT INSERT ON cdc.signal TO debezium;
-- The heartbeat reads these two.
GRANT EXECUTE ON FUNCTION pg_control_system(), pg_control_checkpoint() TO debezium;
