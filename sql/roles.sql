-- Roles. Login roles are made by whoever runs the cluster (the local stack, your DBA); these statements are repeatable and
-- only create what is missing, without a password and without LOGIN where a DBA has not given it.
--
--   cdc_replicator  runs the stream: INSERT into audit, never UPDATE, DELETE or TRUNCATE there; reads no values of the log
--   cdc_auditor     reads everything in the warehouse, writes nothing
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['cdc_replicator', 'cdc_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        END IF;
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO cdc_replicator', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO cdc_auditor', current_database());
END
$$;
