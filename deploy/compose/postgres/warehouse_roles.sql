-- Databases and login roles of the warehouse's cluster. Run at the first start, and again when a password is replaced
-- (docs/deploy.md). What the roles may do is the migrations' business; `cdc_owner` runs those, and is no superuser.
SET client_min_messages = warning;  -- what is granted already is granted again, without a word
\set owner      `cat /run/secrets/cdc_owner`
\set replicator `cat /run/secrets/cdc_replicator`
\set auditor    `cat /run/secrets/cdc_auditor`
\set privacy    `cat /run/secrets/cdc_privacy`

SELECT format('CREATE ROLE %I LOGIN', name)
  FROM unnest(ARRAY['cdc_owner', 'cdc_replicator', 'cdc_auditor', 'cdc_privacy']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE cdc_owner      PASSWORD :'owner';
ALTER ROLE cdc_replicator PASSWORD :'replicator';
ALTER ROLE cdc_auditor    PASSWORD :'auditor';
ALTER ROLE cdc_privacy    PASSWORD :'privacy';
-- A spare ends the connection of an owner that has stopped: pipeline.end_owner, a definer function of cdc_owner's, finds that
-- connection by its start in pg_stat_activity, which hides other roles' from whoever lacks the first of these.
GRANT pg_read_all_stats, pg_signal_backend TO cdc_owner;

SELECT format('CREATE DATABASE %I OWNER cdc_owner', name)
  FROM unnest(ARRAY['warehouse', 'privacy']) AS name
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
ALTER DATABASE warehouse OWNER TO cdc_owner;
REVOKE ALL ON DATABASE warehouse, privacy FROM PUBLIC;
GRANT CONNECT ON DATABASE warehouse TO cdc_replicator, cdc_auditor;
GRANT CONNECT ON DATABASE privacy TO cdc_privacy;
