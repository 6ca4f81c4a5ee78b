-- Where each stream stands, who owns it, and how its tables are projected. Operating state: not evidence.
CREATE SCHEMA pipeline;

CREATE TABLE pipeline.stream (
    log                 text PRIMARY KEY REFERENCES audit.log,
    topic               text NOT NULL,
    topic_id            text NOT NULL,
    next_offset         bigint NOT NULL DEFAULT 0 CHECK (next_offset >= 0),   -- the position: the next record to consume
    epoch               bigint NOT NULL DEFAULT 0,     -- of the owner that may write; raised by every take-over
    -- what the next entry depends on besides its record
    ordered_at          bigint NOT NULL DEFAULT 0,
    source_epoch        text,                          -- <system identifier>/<timeline>, told by the heartbeat table
    high_commit         numeric,                       -- replay high-water: last commit LSN ...
    high_order          bigint,                        -- ... and order within that transaction
    open_transaction    text,                          -- set while the position is inside a transaction
    open_count          bigint NOT NULL DEFAULT 0,     -- entries of the open transaction so far
    -- balance
    records             bigint NOT NULL DEFAULT 0,
    skipped             jsonb NOT NULL DEFAULT '{}',   -- counted skips by reason
    extra_entries       bigint NOT NULL DEFAULT 0,     -- entries that share their record with another one
    -- complete through: the last transaction end in the log
    complete_seq        bigint,
    complete_at         bigint,                        -- its source commit, ns since 1970
    -- the privacy store this stream has seen
    privacy_identity    uuid,
    privacy_high_water  bigint,
    halted_code         text,
    halted_message      text,
    halted_at           timestamptz
);

-- Who owns a stream. A row of its own, so that renewing never waits for a commit. Judged by this database's clock.
CREATE TABLE pipeline.lease (
    log              text PRIMARY KEY REFERENCES pipeline.stream,
    owner            text,                             -- host/pid, for people
    owner_pid        int,                              -- backend of the owner's writing connection
    owner_started_at timestamptz,                      -- that backend's start: a pid can be used again
    epoch            bigint NOT NULL DEFAULT 0,
    renewed_at       timestamptz
);

-- Which schema and plan digests the log has introduced already.
CREATE TABLE pipeline.table_version (
    log        text NOT NULL REFERENCES audit.log,
    table_name text NOT NULL,
    schema     text NOT NULL,
    plan       text NOT NULL,
    seq        bigint NOT NULL,
    PRIMARY KEY (log, table_name, schema, plan)
);

-- How a source table is projected into typed current state.
CREATE TABLE pipeline.state_table (
    log               text NOT NULL REFERENCES audit.log,
    table_name        text NOT NULL,                   -- as in the entries: schema.table
    state_schema      text NOT NULL,
    state_name        text NOT NULL,
    keyless           boolean NOT NULL,
    columns           jsonb NOT NULL,                  -- [{name, type, protect}] as of the last commit; the table may be ahead
    key               jsonb NOT NULL,                  -- [name] in order
    truncated_through bigint NOT NULL DEFAULT -1,      -- rows last touched at or before this seq are gone
    suspended_code    text,                            -- state is not applied since suspended_seq
    suspended_message text,
    suspended_seq     bigint,
    PRIMARY KEY (log, table_name),
    UNIQUE (state_schema, state_name)
);

-- Creates the state table and its view, or adds columns to both. Additive only; types are names that PostgreSQL itself resolves.
CREATE FUNCTION pipeline.define_state(p_log text, p_table text, p_name text, p_keyless boolean, p_columns jsonb, p_key jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '3s' AS $$
DECLARE
    in_schema text := p_log || '_state';
    known     pipeline.state_table%ROWTYPE;
    col       record;
    listed    text;
BEGIN
    PERFORM 1 FROM audit.log WHERE log = p_log AND log <> 'operations';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no log of that name' USING ERRCODE = 'undefined_object';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('pipeline.define_state/' || p_log, 0));
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', in_schema);
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', p_log);
    EXECUTE format('GRANT USAGE ON SCHEMA %I, %I TO cdc_replicator, cdc_auditor', in_schema, p_log);
    SELECT * INTO known FROM pipeline.state_table WHERE log = p_log AND table_name = p_table FOR UPDATE;
    IF NOT FOUND THEN
        EXECUTE format('CREATE TABLE %I.%I (_key text COLLATE "C" PRIMARY KEY, _version bigint, _seq bigint NOT NULL, _committed_at bigint, %s)',
                       in_schema, p_name,
                       CASE WHEN p_keyless THEN '_copies bigint NOT NULL' ELSE '_deleted boolean NOT NULL' END);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I.%I TO cdc_replicator', in_schema, p_name);
        EXECUTE format('GRANT SELECT ON %I.%I TO cdc_auditor', in_schema, p_name);
        INSERT INTO pipeline.state_table (log, table_name, state_schema, state_name, keyless, columns, key)
            VALUES (p_log, p_table, in_schema, p_name, p_keyless, '[]', p_key);
    ELSIF known.keyless <> p_keyless OR known.key <> p_key THEN
        RAISE EXCEPTION 'the key of a state table does not change' USING ERRCODE = 'invalid_table_definition';
    END IF;
    FOR col IN SELECT * FROM jsonb_to_recordset(p_columns) AS c(name text, type text) LOOP
        EXECUTE format('ALTER TABLE %I.%I ADD COLUMN IF NOT EXISTS %I %s', in_schema, p_name, col.name, col.type::regtype);
    END LOOP;
    -- The view lists what the table has, not what was asked for: a batch that is read again asks for less, and a view only grows.
    SELECT string_agg(format('s.%I', a.attname), ', ' ORDER BY a.attnum) INTO listed FROM pg_attribute a
     WHERE a.attrelid = format('%I.%I', in_schema, p_name)::regclass AND a.attnum > 0
       AND a.attname <> ALL ('{_key,_version,_seq,_committed_at,_deleted,_copies}');
    EXECUTE format('CREATE OR REPLACE VIEW %I.%I AS SELECT %s FROM %I.%I s %s WHERE %s AND s._seq > (SELECT t.truncated_through FROM pipeline.state_table t WHERE t.log = %L AND t.table_name = %L)',
                   p_log, p_name, listed, in_schema, p_name,
                   CASE WHEN p_keyless THEN 'CROSS JOIN LATERAL generate_series(1, s._copies)' ELSE '' END,
                   CASE WHEN p_keyless THEN 's._copies > 0' ELSE 'NOT s._deleted' END,
                   p_log, p_table);
    EXECUTE format('GRANT SELECT ON %I.%I TO cdc_replicator, cdc_auditor', p_log, p_name);
END
$$;

-- Ends the writing connection of an owner that stopped renewing: a stopped process still holds its row locks.
CREATE FUNCTION pipeline.end_owner(p_log text, p_epoch bigint) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(bool_or(pg_terminate_backend(a.pid)), false)
      FROM pipeline.lease s JOIN pg_stat_activity a ON a.pid = s.owner_pid AND a.backend_start = s.owner_started_at
     WHERE s.log = p_log AND s.epoch = p_epoch AND a.usename = session_user   -- nobody else's backend, whatever the lease says
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pipeline FROM PUBLIC;
GRANT USAGE ON SCHEMA pipeline TO cdc_replicator, cdc_auditor;
GRANT SELECT ON ALL TABLES IN SCHEMA pipeline TO cdc_auditor;
GRANT SELECT, INSERT, UPDATE ON pipeline.stream, pipeline.lease TO cdc_replicator;
GRANT SELECT, INSERT ON pipeline.table_version TO cdc_replicator;
GRANT SELECT ON pipeline.state_table TO cdc_replicator;
GRANT UPDATE (columns, truncated_through, suspended_code, suspended_message, suspended_seq) ON pipeline.state_table TO cdc_replicator;
GRANT EXECUTE ON FUNCTION pipeline.define_state(text, text, text, boolean, jsonb, jsonb), pipeline.end_owner(text, bigint) TO cdc_replicator;
