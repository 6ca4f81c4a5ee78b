-- The database that golden records are captured from. Run by capture.py, as a superuser, in a new database.

CREATE SCHEMA cdc;
CREATE SCHEMA golden;

CREATE TABLE cdc.heartbeat (
    id                 int PRIMARY KEY,
    beat_at            timestamptz NOT NULL,
    system_identifier  text NOT NULL,
    timeline           int NOT NULL
);
INSERT INTO cdc.heartbeat
SELECT 1, clock_timestamp(), s.system_identifier::text, c.timeline_id FROM pg_control_system() AS s, pg_control_checkpoint() AS c;
CREATE TABLE cdc.signal (id varchar(42) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));

CREATE TABLE golden.account (id bigint PRIMARY KEY, owner text, balance numeric(20, 4));
CREATE TABLE golden.composite (region text, id int, v text, PRIMARY KEY (id, region));
CREATE TABLE golden.empty (id int PRIMARY KEY);
CREATE TABLE golden.keyless (a int, b text);
CREATE TABLE golden.unique_only (a int NOT NULL UNIQUE, b text);
CREATE TABLE golden."Mixed Case" ("Id" int PRIMARY KEY, "select" text);
CREATE TABLE golden.toasted (id int PRIMARY KEY, small text, big text);
ALTER TABLE golden.toasted ALTER big SET STORAGE EXTERNAL;
CREATE TABLE golden.fence (id int PRIMARY KEY);

CREATE TABLE golden.parted (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE golden.parted_2025 PARTITION OF golden.parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE golden.parted_2026 PARTITION OF golden.parted FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');

CREATE TYPE golden.side AS ENUM ('buy', 'sell', 'sell short');
CREATE DOMAIN golden.isin AS varchar(12) CHECK (length(value) = 12);
CREATE DOMAIN golden.amount AS numeric(18, 2);
CREATE TYPE golden.pair AS (x int, y text);

CREATE TABLE golden.numbers (
    id int PRIMARY KEY, c_smallint smallint, c_bigint bigint, c_numeric numeric, c_scaled numeric(20, 8), c_whole numeric(10),
    c_real real, c_double double precision, c_money money, c_amount golden.amount, c_boolean boolean, c_oid oid,
    c_default int NOT NULL DEFAULT 7, c_generated int GENERATED ALWAYS AS (id * 2) STORED
);
CREATE TABLE golden.times (
    id int PRIMARY KEY, c_date date, c_time time, c_time3 time(3), c_timetz timetz, c_timestamp timestamp,
    c_timestamp3 timestamp(3), c_timestamptz timestamptz, c_interval interval
);
CREATE TABLE golden.texts (
    id int PRIMARY KEY, c_text text, c_varchar varchar(40), c_char char(6), c_name name, c_uuid uuid, c_json json, c_jsonb jsonb,
    c_bytea bytea, c_bit bit(3), c_bit1 bit(1), c_varbit varbit(20), c_enum golden.side, c_domain golden.isin
);
CREATE TABLE golden.others (
    id int PRIMARY KEY, c_inet inet, c_cidr cidr, c_macaddr macaddr, c_point point, c_int4range int4range, c_daterange daterange,
    c_tstzrange tstzrange, c_numrange numrange, c_multirange int4multirange, c_tsvector tsvector, c_lsn pg_lsn, c_pair golden.pair
);
CREATE TABLE golden.arrays (
    id int PRIMARY KEY, c_ints int[], c_texts text[], c_numerics numeric(12, 3)[], c_booleans boolean[], c_times timestamptz[],
    c_dates date[], c_uuids uuid[], c_enums golden.side[], c_byteas bytea[], c_jsonbs jsonb[], c_doubles double precision[]
);

DO $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('golden', 'cdc')
    LOOP
        EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', relation);
    END LOOP;
END
$$;

INSERT INTO golden.account VALUES (1, 'Ada Lovelace', 100.5), (2, 'Ōe "Kenzaburō" \ 😀' || chr(10) || chr(9), -0.0001), (3, NULL, NULL);
INSERT INTO golden.composite VALUES ('EU', 1, 'eins'), ('US', 1, 'one');
INSERT INTO golden.keyless VALUES (1, 'same'), (1, 'same');
INSERT INTO golden.parted VALUES (1, '2025-05-05', 'p');
INSERT INTO golden.toasted VALUES (1, 's', repeat('0123456789', 220));

CREATE PUBLICATION cdc_golden FOR TABLES IN SCHEMA golden, cdc
    WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true, publish_generated_columns = stored);

GRANT USAGE ON SCHEMA golden, cdc TO debezium;
GRANT SELECT ON ALL TABLES IN SCHEMA golden, cdc TO debezium;
ALTER DEFAULT PRIVILEGES IN SCHEMA golden, cdc GRANT SELECT ON TABLES TO debezium;
GRANT UPDATE ON cdc.heartbeat TO debezium;
GRANT INSERT ON cdc.signal TO debezium;
GRANT EXECUTE ON FUNCTION pg_control_system(), pg_control_checkpoint() TO debezium;
