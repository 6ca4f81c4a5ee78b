-- What the benchmark's databases have besides their table. Runs as superuser; names in braces are replaced.
CREATE SCHEMA cdc;
CREATE TABLE cdc.heartbeat (id int PRIMARY KEY, beat_at timestamptz NOT NULL, system_identifier text NOT NULL, timeline int NOT NULL);
INSERT INTO cdc.heartbeat
SELECT 1, clock_timestamp(), s.system_identifier::text, c.timeline_id FROM pg_control_system() AS s, pg_control_checkpoint() AS c;
CREATE TABLE cdc.signal (id varchar(42) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));

{table}
ALTER TABLE cdc.heartbeat REPLICA IDENTITY FULL;
ALTER TABLE cdc.signal REPLICA IDENTITY FULL;
ALTER TABLE public.trades REPLICA IDENTITY FULL;
CREATE PUBLICATION cdc_{database} FOR TABLES IN SCHEMA public, cdc
    WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true, publish_generated_columns = stored);
GRANT USAGE ON SCHEMA public, cdc TO debezium;
GRANT SELECT ON ALL TABLES IN SCHEMA public, cdc TO debezium;
GRANT UPDATE ON cdc.heartbeat TO debezium;
GRANT INSERT ON cdc.signal TO debezium;
GRANT EXECUTE ON FUNCTION pg_control_system(), pg_control_checkpoint() TO debezium;
