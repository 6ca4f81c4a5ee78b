-- Current state that is folded anew beside the old one (`cdc rebuild`), and state tables that follow a change of type that loses nothing.

-- One row for each fold that has not ended: a fold that was interrupted goes on from here. Of the owner alone.
CREATE TABLE pipeline.rebuild (
    id                bigint GENERATED ALWAYS AS IDENTITY,   -- the table in the making is pipeline.rebuild_<id>
    log               text NOT NULL REFERENCES audit.log,
    table_name        text NOT NULL,
    schema            text NOT NULL,                         -- digests of the table version that it is made for
    plan              text NOT NULL,
    as_text           text[] NOT NULL DEFAULT '{}',          -- columns that hold text, because their type cannot hold a value
    through           bigint NOT NULL DEFAULT -1,            -- seq of the last entry folded
    truncated_through bigint NOT NULL DEFAULT -1,
    last_schema       text,                                  -- table version of the last change folded
    last_plan         text,
    PRIMARY KEY (log, table_name)
);

-- Whether every value of one type is one of the other with the same text, so that a column can change in place.
CREATE FUNCTION pipeline.widens(p_from regtype, p_to regtype) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE p_from WHEN 'smallint'::regtype THEN p_to IN ('integer'::regtype, 'bigint'::regtype, 'numeric'::regtype)
                       WHEN 'integer'::regtype THEN p_to IN ('bigint'::regtype, 'numeric'::regtype)
                       WHEN 'bigint'::regtype THEN p_to = 'numeric'::regtype ELSE false END
$$;

-- As before, and: a column that no batch has committed yet takes the type it is given now (a first batch may fail, and the policy be
-- changed before it is tried again), and a committed one is widened. `columns` of pipeline.state_table is what batches have committed.
CREATE OR REPLACE FUNCTION pipeline.define_state(p_log text, p_table text, p_name text, p_keyless boolean, p_columns jsonb, p_key jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '3s' AS $$
DECLARE
    in_schema text := p_log || '_state';
    known     pipeline.state_table%ROWTYPE;
    col       record;
    has       regtype;
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
    IF FOUND AND known.columns = '[]' AND known.suspended_code IS NULL AND (known.keyless <> p_keyless OR known.key <> p_key) THEN
        EXECUTE format('DROP VIEW IF EXISTS %I.%I', p_log, p_name);   -- of a batch that was never committed
        EXECUTE format('DROP TABLE %I.%I', in_schema, p_name);
        DELETE FROM pipeline.state_table WHERE log = p_log AND table_name = p_table;
        known := NULL;
    END IF;
    IF known.log IS NULL THEN
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
    FOR col IN SELECT c.name, c.type::regtype AS type FROM jsonb_to_recordset(p_columns) AS c(name text, type text) LOOP
        SELECT a.atttypid::regtype INTO has FROM pg_attribute a
         WHERE a.attrelid = format('%I.%I', in_schema, p_name)::regclass AND a.attname = col.name AND NOT a.attisdropped;
        IF NOT FOUND THEN
            EXECUTE format('ALTER TABLE %I.%I ADD COLUMN %I %s', in_schema, p_name, col.name, col.type);
        ELSIF has = col.type OR pipeline.widens(col.type, has) THEN
            CONTINUE;   -- a batch that is read again asks for less
        ELSIF pipeline.widens(has, col.type) THEN
            EXECUTE format('DROP VIEW IF EXISTS %I.%I', p_log, p_name);
            EXECUTE format('ALTER TABLE %I.%I ALTER COLUMN %I TYPE %s', in_schema, p_name, col.name, col.type);
        ELSIF NOT coalesce(known.columns, '[]') @> jsonb_build_array(jsonb_build_object('name', col.name)) THEN
            EXECUTE format('DROP VIEW IF EXISTS %I.%I', p_log, p_name);
            EXECUTE format('ALTER TABLE %I.%I DROP COLUMN %I, ADD COLUMN %I %s', in_schema, p_name, col.name, col.name, col.type);
        ELSE
            RAISE EXCEPTION 'a column of a state table has another type' USING ERRCODE = 'invalid_table_definition';
        END IF;
    END LOOP;
    -- The view lists what the table has, not what was asked for: a batch that is read again asks for less, and a view only grows.
    SELECT string_agg(format('s.%I', a.attname), ', ' ORDER BY a.attnum) INTO listed FROM pg_attribute a
     WHERE a.attrelid = format('%I.%I', in_schema, p_name)::regclass AND a.attnum > 0 AND NOT a.attisdropped
       AND a.attname <> ALL ('{_key,_version,_seq,_committed_at,_deleted,_copies}');
    EXECUTE format('CREATE OR REPLACE VIEW %I.%I AS SELECT %s FROM %I.%I s %s WHERE %s AND s._seq > (SELECT t.truncated_through FROM pipeline.state_table t WHERE t.log = %L AND t.table_name = %L)',
                   p_log, p_name, listed, in_schema, p_name,
                   CASE WHEN p_keyless THEN 'CROSS JOIN LATERAL generate_series(1, s._copies)' ELSE '' END,
                   CASE WHEN p_keyless THEN 's._copies > 0' ELSE 'NOT s._deleted' END,
                   p_log, p_table);
    EXECUTE format('GRANT SELECT ON %I.%I TO cdc_replicator, cdc_auditor', p_log, p_name);
END
$$;

REVOKE ALL ON FUNCTION pipeline.widens(regtype, regtype) FROM PUBLIC;

-- The text of a table's view, as before, and `_absent`: columns that the row's version of the table did not have, which are NULL here, too.
CREATE OR REPLACE FUNCTION pipeline.history_query(p_log text, p_table text) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    col     record;
    listed  text := '';
    members text := '';
    item    text;
    names   text[] := '{}';
BEGIN
    FOR col IN
        SELECT c.description ->> 'name' AS name, audit.common_type(array_agg(DISTINCT t.type) FILTER (WHERE t.type IS NOT NULL)) AS type
          FROM pipeline.table_version v JOIN audit.entry e USING (log, seq) LEFT JOIN audit.body b USING (log, seq)
          CROSS JOIN LATERAL (SELECT coalesce(audit.readable(b.body), audit.readable(e.entry)) -> 'content' AS content) d
          CROSS JOIN LATERAL json_array_elements(d.content -> 'columns') WITH ORDINALITY AS c(description, n)
          CROSS JOIN LATERAL audit.type_of(c.description, d.content -> 'plan' -> (c.n - 1)::int) AS t(type)
         WHERE v.log = p_log AND v.table_name = p_table
         GROUP BY 1 ORDER BY min(ARRAY[v.seq, c.n])
    LOOP
        CONTINUE WHEN col.type IS NULL;   -- dropped by every plan
        names := names || col.name;
        IF octet_length(convert_to(col.name, 'UTF8')) <= 63 THEN
            members := members || format(', %I json', col.name);
            item := format('.%I', col.name);
        ELSE
            item := format(' -> %L', col.name);   -- no name of a column of ours
        END IF;
        listed := listed || format(', %s AS %I, %s AS %I',
            audit.typed(CASE WHEN item LIKE '.%' THEN 'old' ELSE 'i.before' END || item, col.type), audit.short_name('before_' || col.name),
            audit.typed(CASE WHEN item LIKE '.%' THEN 'new' ELSE 'i.after' END || item, col.type), audit.short_name('after_' || col.name));
    END LOOP;
    members := coalesce(nullif(ltrim(members, ', '), ''), '_none json');
    RETURN 'SELECT e.seq AS _seq, e.version AS _version, e.prev AS _prev, e.operation AS _operation, e.row_key AS _key, m.linked_key::text AS _linked_key,'
        ' audit.instant(e.committed_at) AS _committed_at, e.committed_at AS _committed_at_ns, e.ordered_at AS _ordered_at_ns,'
        ' e.recorded_at AS _recorded_at, e.transaction_id AS _transaction, m.replay_of IS NOT NULL AS _replay,'
        || format(' CASE WHEN e.kind = ''change'' THEN ARRAY(SELECT n FROM unnest(%L::text[]) n WHERE NOT EXISTS (SELECT FROM'
                  ' json_object_keys(CASE e.operation WHEN ''d'' THEN i.before ELSE i.after END) k WHERE k = n)) END AS _absent', names) || listed
        || ' FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)'
        ' CROSS JOIN LATERAL json_to_record(audit.readable(e.entry)) AS m(after json, before json, linked_key json, replay_of text)'
        ' CROSS JOIN LATERAL json_to_record(coalesce(audit.readable(b.body), ''{}'')) AS o(after json, before json)'
        ' CROSS JOIN LATERAL (SELECT coalesce(o.before, m.before, ''{}'') AS before, coalesce(o.after, m.after, ''{}'') AS after) i'
        || format(' CROSS JOIN LATERAL json_to_record(i.before) AS old(%s) CROSS JOIN LATERAL json_to_record(i.after) AS new(%s)', members, members)
        || format(' WHERE e.log = %L AND e.table_name = %L AND e.kind IN (''change'', ''truncate'')', p_log, p_table);
END
$$;

-- Every view anew, with the column more.
UPDATE pipeline.history_view SET through = NULL;
SELECT pipeline.define_all_history();
