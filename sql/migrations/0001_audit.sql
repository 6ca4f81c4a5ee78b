-- The log: append-only entries, their bodies, and the size and right edge of each log's tree.
CREATE SCHEMA audit;

-- One row per log. Changed only by audit.advance() and audit.append_operation().
CREATE TABLE audit.log (
    log    text PRIMARY KEY,
    origin text NOT NULL UNIQUE,            -- the log's name for ever, e.g. trading/1
    size   bigint NOT NULL DEFAULT 0 CHECK (size >= 0),
    edge   bytea[] NOT NULL DEFAULT '{}',   -- roots of the perfect subtrees, largest first (RFC 6962)
    CHECK (cardinality(edge) = bit_count(size::bit(64)))
);

-- The record is `entry` (canonical text); every other column but recorded_at is a projection of it.
CREATE TABLE audit.entry (
    log            text NOT NULL,
    seq            bigint NOT NULL CHECK (seq >= 0),
    kind           text NOT NULL,
    ordered_at     bigint NOT NULL,         -- ns since 1970, never goes back within a log
    committed_at   bigint,                  -- ns since 1970, the source's clock
    recorded_at    timestamptz NOT NULL DEFAULT transaction_timestamp(),
    table_name     text,
    row_key        text COLLATE "C",
    operation      text,
    version        bigint,
    prev           bigint,
    transaction_id text,
    subject        text COLLATE "C",
    subject_before text COLLATE "C",        -- only where it differs from subject
    kafka_offset   bigint,
    ordinal        smallint,
    entry          text NOT NULL,
    leaf           bytea NOT NULL CHECK (octet_length(leaf) = 32),
    PRIMARY KEY (log, seq)
) PARTITION BY LIST (log);

CREATE INDEX entry_row ON audit.entry (table_name, row_key, seq DESC);
CREATE INDEX entry_subject ON audit.entry (subject, seq);
CREATE INDEX entry_subject_before ON audit.entry (subject_before, seq) WHERE subject_before IS NOT NULL;

-- What does not fit into an entry of 65,535 bytes; its SHA-256 is in the entry.
CREATE TABLE audit.body (
    log  text NOT NULL,
    seq  bigint NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (log, seq)
);

-- A speed bump, not the lock: the lock is that nobody is granted UPDATE, DELETE or TRUNCATE.
CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: history is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.entry FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.body FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.entry FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.body FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

-- Partitions are cut ahead by seq, never by time and without a DEFAULT, so no odd clock can stop a stream. A new partition is
-- built beside the table and attached, which does not block the writer.
CREATE FUNCTION audit.cut_partitions(p_log text, p_through bigint) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    parent text := 'entry_' || p_log;
    piece  text;
    first  bigint;
    cut    int := 0;
    width  CONSTANT bigint := 5000000;
    reach  CONSTANT bigint := 4 * width;   -- ahead of the log, at most
    size   bigint;
BEGIN
    SELECT l.size INTO size FROM audit.log l WHERE l.log = p_log;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no log of that name' USING ERRCODE = 'undefined_object';
    END IF;
    IF p_through > size + reach THEN
        RAISE EXCEPTION 'partitions are cut at most % entries ahead', reach USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('audit.cut_partitions', 0));
    FOR first IN SELECT generate_series(0, p_through, width) LOOP
        piece := parent || '$' || first;   -- no log has a $ in its name: no log's partition is another log
        CONTINUE WHEN to_regclass(format('audit.%I', piece)) IS NOT NULL;
        EXECUTE format('CREATE TABLE audit.%I (LIKE audit.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS, CHECK (log = %L AND seq >= %s AND seq < %s))',
                       piece, parent, p_log, first, first + width);
        EXECUTE format('ALTER TABLE audit.%I ATTACH PARTITION audit.%I FOR VALUES FROM (%s) TO (%s)', parent, piece, first, first + width);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.%I FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', piece);
        cut := cut + 1;
    END LOOP;
    RETURN cut;
END
$$;

CREATE FUNCTION audit.create_log(p_log text, p_origin text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
BEGIN
    IF p_log !~ '^[a-z][a-z0-9_]{0,40}$' THEN
        RAISE EXCEPTION 'a log is named [a-z][a-z0-9_]*, at most 41 characters' USING ERRCODE = 'invalid_name';
    END IF;
    -- A log gives its name to the schemas <log>, <log>_state and <log>_history.
    IF p_log IN ('audit', 'pipeline', 'migration', 'privacy', 'public', 'information_schema') OR p_log ~ '^pg_|_(state|history)$' THEN
        RAISE EXCEPTION 'that name is taken' USING ERRCODE = 'reserved_name';
    END IF;
    IF p_origin !~ ('^' || p_log || '/[1-9][0-9]*$') THEN
        RAISE EXCEPTION 'the origin of a log is <log>/<n>' USING ERRCODE = 'invalid_name';
    END IF;
    INSERT INTO audit.log (log, origin) VALUES (p_log, p_origin) ON CONFLICT (log) DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE audit.%I PARTITION OF audit.entry FOR VALUES IN (%L) PARTITION BY RANGE (seq)', 'entry_' || p_log, p_log);
    EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.%I FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', 'entry_' || p_log);
    IF p_log <> 'operations' THEN
        EXECUTE format('GRANT INSERT ON audit.%I TO cdc_replicator', 'entry_' || p_log);
    END IF;
    PERFORM audit.cut_partitions(p_log, 0);
    RETURN true;
END
$$;

-- Compare-and-set of a log's size and edge, in the transaction that inserts the entries. True when it was ours to move.
CREATE FUNCTION audit.advance(p_log text, p_size bigint, p_new_size bigint, p_edge bytea[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_log = 'operations' OR p_new_size < p_size THEN
        RAISE EXCEPTION 'that log does not move this way' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE audit.log SET size = p_new_size, edge = p_edge
     WHERE log = p_log AND size = p_size AND (p_new_size > p_size OR edge = p_edge);   -- no new edge without a new entry
    RETURN FOUND;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
GRANT USAGE ON SCHEMA audit TO cdc_replicator, cdc_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO cdc_auditor;
GRANT SELECT ON audit.log TO cdc_replicator;
-- INSERT on entries is granted log by log (create_log): never on audit.entry itself, so never into `operations`.
GRANT INSERT ON audit.body TO cdc_replicator;
GRANT SELECT (log, seq, kind, ordered_at, committed_at, recorded_at, table_name, row_key, operation, version, prev, transaction_id, kafka_offset, ordinal)
    ON audit.entry TO cdc_replicator;
GRANT EXECUTE ON FUNCTION audit.create_log(text, text), audit.cut_partitions(text, bigint), audit.advance(text, bigint, bigint, bytea[])
    TO cdc_replicator;
