-- History for people: typed views over the log, and the functions by which an auditor's question finds its entries.

-- What questions look for besides rows. COPY pays nothing that can be measured for these two: one holds next to no entries, the other
-- a range of transaction ids per 64 pages (PostgreSQL documentation, "BRIN Indexes"), added by VACUUM.
CREATE INDEX entry_kind ON audit.entry (kind, log, seq) WHERE kind IN ('baseline', 'gap');
CREATE INDEX entry_transaction ON audit.entry USING brin (transaction_id COLLATE "C") WITH (pages_per_range = 64);

-- Canonical text as JSON. PostgreSQL's text has no character NUL, so that one shows as the symbol for it.
CREATE FUNCTION audit.readable(p_text text) RETURNS json LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN strpos(p_text, '\u0000') = 0 THEN p_text::json
                ELSE regexp_replace(p_text, '(?<!\\)((?:\\\\)*)\\u0000', '\1␀', 'g')::json END
$$;

-- Nanoseconds since 1970 as an instant, to the microsecond.
CREATE FUNCTION audit.instant(p_ns bigint) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN timestamptz '1970-01-01 00:00Z' + (p_ns - (p_ns % 1000 + 1000) % 1000) / 1000 * interval '1 microsecond';
END
$$;

-- The text of a column's value (docs/formats.md §2), as current state has it: null where nothing was sent or kept.
CREATE FUNCTION audit.value_text(p_value json) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE json_typeof(p_value) WHEN 'string' THEN p_value #>> '{}' WHEN 'array' THEN p_value::text
                WHEN 'object' THEN coalesce(p_value ->> 'token', CASE WHEN p_value ->> 'unavailable' IS NULL AND p_value ->> 'dropped' IS NULL
                                                                     THEN p_value::text END) END
$$;

-- The functions that read the wire's spelling of a type where PostgreSQL's own differs (cdc/values.py does the same for current state).
CREATE FUNCTION audit.as_numeric(p_value json) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE audit.value_text(p_value) WHEN 'NAN' THEN 'NaN' WHEN 'POSITIVE_INFINITY' THEN 'Infinity' WHEN 'NEGATIVE_INFINITY' THEN '-Infinity'
                ELSE audit.value_text(p_value) END::numeric
$$;

-- ISO 8601 as Java writes it → as PostgreSQL reads it: year 0 and before, long years, the instants that stand for infinity.
CREATE FUNCTION audit.iso_text(p_text text, p_zone text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    parts text[];
BEGIN
    IF p_text IN ('+5877611-06-21Z', '+292278994-08-16Z', '+292278994-08-16T23:00:00Z') THEN
        RETURN 'infinity';
    ELSIF p_text IN ('-5877611-06-22Z', '+292269055-12-02Z', '-292275055-05-16T23:00:00Z') THEN
        RETURN '-infinity';
    ELSIF left(p_text, 1) NOT IN ('+', '-', '0') THEN
        RETURN rtrim(p_text, p_zone);
    END IF;
    parts := regexp_match(p_text, '^([+-]?)([0-9]{4,9})(-.*)$');
    IF parts IS NULL THEN
        RETURN rtrim(p_text, p_zone);
    ELSIF parts[1] = '-' OR parts[2] = '0000' THEN
        RETURN lpad((parts[2]::bigint + 1)::text, greatest(4, length((parts[2]::bigint + 1)::text)), '0') || rtrim(parts[3], p_zone) || ' BC';
    END IF;
    RETURN parts[2] || rtrim(parts[3], p_zone);
END
$$;

CREATE FUNCTION audit.as_date(p_value json) RETURNS date LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN audit.iso_text(audit.value_text(p_value), 'Z')::date;
END
$$;
CREATE FUNCTION audit.as_time(p_value json) RETURNS time LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN audit.iso_text(audit.value_text(p_value), 'Z')::time;
END
$$;
CREATE FUNCTION audit.as_timestamp(p_value json) RETURNS timestamp LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN audit.iso_text(audit.value_text(p_value), 'Z')::timestamp;
END
$$;
CREATE FUNCTION audit.as_timestamptz(p_value json) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN audit.iso_text(audit.value_text(p_value), '')::timestamptz;
END
$$;
CREATE FUNCTION audit.as_bytea(p_value json) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT decode(audit.value_text(p_value), 'base64')
$$;
CREATE FUNCTION audit.as_cell(p_value json) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT decode(p_value ->> 'seal', 'base64')
$$;

-- How a column's value is typed in one table version: the type of its state column, or cell (sealed), or nothing (dropped).
CREATE FUNCTION audit.type_of(p_column json, p_plan json) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE p_plan ->> 'protect' WHEN 'seal' THEN 'cell' WHEN 'token' THEN 'text' WHEN 'drop' THEN NULL ELSE
           CASE WHEN p_column ->> 'wire' ~ '^array$|(struct|map)$' THEN 'text' ELSE
           CASE p_column ->> 'type'
                WHEN 'INT2' THEN 'smallint' WHEN 'INT4' THEN 'integer' WHEN 'INT8' THEN 'bigint' WHEN 'NUMERIC' THEN 'numeric'
                WHEN 'FLOAT4' THEN 'real' WHEN 'FLOAT8' THEN 'double precision' WHEN 'BOOL' THEN 'boolean' WHEN 'UUID' THEN 'uuid'
                WHEN 'INTERVAL' THEN 'interval' WHEN 'JSON' THEN 'json' WHEN 'JSONB' THEN 'jsonb' WHEN 'INET' THEN 'inet'
                WHEN 'CIDR' THEN 'cidr' WHEN 'MACADDR' THEN 'macaddr' WHEN 'TIMESTAMPTZ' THEN 'timestamptz' WHEN 'DATE' THEN 'date'
                WHEN 'TIME' THEN 'time' WHEN 'TIMESTAMP' THEN 'timestamp' WHEN 'BYTEA' THEN 'bytea' ELSE 'text' END END END
$$;

-- One type for a column that had several: numbers widen, everything else is text.
CREATE FUNCTION audit.common_type(p_types text[]) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN cardinality(p_types) = 0 THEN NULL
                WHEN p_types <@ array[p_types[1]] THEN p_types[1]
                WHEN p_types <@ '{smallint,integer}' THEN 'integer'
                WHEN p_types <@ '{smallint,integer,bigint}' THEN 'bigint'
                WHEN p_types <@ '{smallint,integer,bigint,numeric}' THEN 'numeric'
                WHEN p_types <@ '{real,double precision}' THEN 'double precision'
                ELSE 'text' END
$$;

-- SQL that types what `p_value`, an expression of type json, says.
CREATE FUNCTION audit.typed(p_value text, p_type text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN p_type IN ('numeric', 'date', 'time', 'timestamp', 'timestamptz', 'bytea', 'cell') THEN format('audit.as_%s(%s)', p_type, p_value)
                WHEN p_type = 'text' THEN format('audit.value_text(%s)', p_value)
                ELSE format('audit.value_text(%s)::%s', p_value, p_type::regtype) END
$$;

-- A name of at most 63 bytes (NAMEDATALEN - 1): a longer one ends in a digest of the whole.
CREATE FUNCTION audit.short_name(p_name text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    kept text := left(p_name, 52);
BEGIN
    IF octet_length(convert_to(p_name, 'UTF8')) <= 63 THEN
        RETURN p_name;
    END IF;
    WHILE octet_length(convert_to(kept, 'UTF8')) > 52 LOOP
        kept := left(kept, -1);
    END LOOP;
    RETURN kept || '~' || left(encode(sha256(convert_to(p_name, 'UTF8')), 'hex'), 10);
END
$$;

-- How a table of the log is named in <log>_state, <log> and <log>_history (cdc/warehouse/projection.py, state_name).
CREATE FUNCTION audit.view_name(p_table text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    part text[] := parse_ident(p_table);
BEGIN
    RETURN audit.short_name(CASE WHEN strpos(part[1] || part[2], '.') > 0 THEN p_table WHEN part[1] = 'public' THEN part[2]
                                 ELSE part[1] || '.' || part[2] END);
END
$$;

-- The row key of the other image of a keyless row (docs/formats.md §3.1): SHA-256 of the image without the members that are null.
CREATE FUNCTION audit.keyless_row(p_image json) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT encode(sha256(convert_to('{' || coalesce(string_agg(to_json(i.key)::text || ':' || i.value::text, ',' ORDER BY i.n), '') || '}', 'UTF8')), 'hex')
      FROM json_each(p_image) WITH ORDINALITY AS i(key, value, n) WHERE json_typeof(i.value) <> 'null'
$$;

-- First baseline of a log: from this seq on a row that is absent is absent, before it unknown. Null while there is none.
CREATE FUNCTION audit.baseline(p_log text) RETURNS bigint LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT e.seq FROM audit.entry e WHERE e.log = p_log AND e.kind = 'baseline'
       AND audit.readable(e.entry) #>> '{content,notification}' = 'COMPLETED' ORDER BY e.seq LIMIT 1
$$;

-- Whether an entry carries the end of its transaction. No value can hold these characters: within a text each quote is escaped.
CREATE FUNCTION audit.ends_transaction(p_entry text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT strpos(p_entry, '"transaction":{"end":{') > 0
$$;

-- Whether an entry is a replay: recorded, not applied. Only where the word is there at all is it looked for as a member.
CREATE FUNCTION audit.is_replay(p_entry text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN strpos(p_entry, '"replay_of":') = 0 THEN false ELSE audit.readable(p_entry) ->> 'replay_of' IS NOT NULL END
$$;

-- An instant (ns since 1970, on the ordered clock) → seq of the last entry at or before it that is not inside a transaction; -1: none.
CREATE FUNCTION audit.as_of(p_log text, p_at bigint) RETURNS bigint LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE AS $$
DECLARE
    low    bigint := -1;
    high   bigint;
    middle bigint;
    clock  bigint;
    near   record;
    before bigint;
BEGIN
    SELECT size INTO high FROM audit.log WHERE log = p_log;
    WHILE high - low > 1 LOOP   -- entry `low` is at or before the instant, entry `high` after it
        middle := (low + high) / 2;
        SELECT e.ordered_at INTO STRICT clock FROM audit.entry e WHERE e.log = p_log AND e.seq = middle;
        IF clock <= p_at THEN low := middle; ELSE high := middle; END IF;
    END LOOP;
    -- Inside a transaction? The next entry of one says so by its order, and where there is no next one, the last by having no end.
    SELECT e.transaction_id AS id, (audit.readable(e.entry) #>> '{transaction,order}')::bigint > 1 AS inside INTO near
      FROM audit.entry e WHERE e.log = p_log AND e.seq > low AND e.transaction_id IS NOT NULL ORDER BY e.seq LIMIT 1;
    IF NOT FOUND THEN
        SELECT e.transaction_id AS id, NOT audit.ends_transaction(e.entry) AS inside INTO near
          FROM audit.entry e WHERE e.log = p_log AND e.seq <= low AND e.transaction_id IS NOT NULL ORDER BY e.seq DESC LIMIT 1;
    END IF;
    IF near.inside IS NOT TRUE THEN
        RETURN low;
    END IF;
    -- Then back to before its first entry, and before the description of a table version that this one may share its record with.
    SELECT e.seq INTO before FROM audit.entry e
     WHERE e.log = p_log AND e.seq <= low AND e.transaction_id IS NOT NULL AND (e.transaction_id <> near.id OR audit.ends_transaction(e.entry))
     ORDER BY e.seq DESC LIMIT 1;
    SELECT e.seq - CASE e.ordinal WHEN 0 THEN 1 ELSE 2 END INTO low FROM audit.entry e
     WHERE e.log = p_log AND e.seq > coalesce(before, -1) AND e.transaction_id IS NOT NULL ORDER BY e.seq LIMIT 1;
    RETURN low;
END
$$;

-- Which typed view each table has in <log>_history, and the SQLSTATE that kept it from showing a newer table version.
CREATE TABLE pipeline.history_view (
    log        text NOT NULL REFERENCES audit.log,
    table_name text NOT NULL,
    view_name  text NOT NULL,
    through    bigint,        -- seq of the newest table version that it shows
    behind     text,
    PRIMARY KEY (log, table_name)
);

-- The text of a table's view: one row for each change and truncate, each column before and after it.
CREATE FUNCTION pipeline.history_query(p_log text, p_table text) RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    col     record;
    listed  text := '';
    members text := '';
    item    text;
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
        ' e.recorded_at AS _recorded_at, e.transaction_id AS _transaction, m.replay_of IS NOT NULL AS _replay' || listed
        || ' FROM audit.entry e LEFT JOIN audit.body b USING (log, seq)'
        ' CROSS JOIN LATERAL json_to_record(audit.readable(e.entry)) AS m(after json, before json, linked_key json, replay_of text)'
        ' CROSS JOIN LATERAL json_to_record(coalesce(audit.readable(b.body), ''{}'')) AS o(after json, before json)'
        ' CROSS JOIN LATERAL (SELECT coalesce(o.before, m.before, ''{}'') AS before, coalesce(o.after, m.after, ''{}'') AS after) i'
        || format(' CROSS JOIN LATERAL json_to_record(i.before) AS old(%s) CROSS JOIN LATERAL json_to_record(i.after) AS new(%s)', members, members)
        || format(' WHERE e.log = %L AND e.table_name = %L AND e.kind IN (''change'', ''truncate'')', p_log, p_table);
END
$$;

-- Makes or extends a table's view. It never fails: a view that cannot be had now (somebody reads it, something of yours depends on a
-- column whose type changed) stays as it was and says so in pipeline.history_view; `cdc migrate` and the next table version try again.
CREATE FUNCTION pipeline.define_history(p_log text, p_table text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    in_schema text := p_log || '_history';
    name      text;
    query     text;
    newest    bigint;
BEGIN
    SELECT max(seq) INTO newest FROM pipeline.table_version WHERE log = p_log AND table_name = p_table;
    BEGIN
        name := audit.view_name(p_table);
        PERFORM pg_advisory_xact_lock(hashtextextended('pipeline.define_history/' || p_log, 0));
        query := pipeline.history_query(p_log, p_table);
        EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', in_schema);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO cdc_auditor', in_schema);
        BEGIN
            EXECUTE format('CREATE OR REPLACE VIEW %I.%I AS %s', in_schema, name, query);
        EXCEPTION WHEN invalid_table_definition THEN   -- a column has another type now
            EXECUTE format('DROP VIEW %I.%I', in_schema, name);
            EXECUTE format('CREATE VIEW %I.%I AS %s', in_schema, name, query);
        END;
        EXECUTE format('GRANT SELECT ON %I.%I TO cdc_auditor', in_schema, name);
    EXCEPTION WHEN OTHERS THEN
        INSERT INTO pipeline.history_view AS h (log, table_name, view_name, behind) VALUES (p_log, p_table, coalesce(name, p_table), SQLSTATE)
            ON CONFLICT (log, table_name) DO UPDATE SET behind = excluded.behind;
        RETURN false;
    END;
    INSERT INTO pipeline.history_view AS h (log, table_name, view_name, through) VALUES (p_log, p_table, name, newest)
        ON CONFLICT (log, table_name) DO UPDATE SET through = excluded.through, behind = NULL;
    RETURN true;
END
$$;

-- With the commit that brings a table version, and only then.
CREATE FUNCTION pipeline.extend_history() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pipeline.define_history(new.log, new.table_name);
    RETURN NULL;
END
$$;
CREATE TRIGGER extend_history AFTER INSERT ON pipeline.table_version FOR EACH ROW EXECUTE FUNCTION pipeline.extend_history();

-- Makes the views that are missing or behind; returns the tables whose view still is.
CREATE FUNCTION pipeline.define_all_history() RETURNS SETOF text LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.log || '.' || t.table_name
      FROM (SELECT log, table_name, max(seq) AS newest FROM pipeline.table_version GROUP BY log, table_name) AS t
      LEFT JOIN pipeline.history_view h USING (log, table_name)
     WHERE h.through IS DISTINCT FROM t.newest AND NOT pipeline.define_history(t.log, t.table_name)
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit, pipeline FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.readable(text), audit.instant(bigint), audit.value_text(json), audit.as_numeric(json), audit.iso_text(text, text),
    audit.as_date(json), audit.as_time(json), audit.as_timestamp(json), audit.as_timestamptz(json), audit.as_bytea(json), audit.as_cell(json),
    audit.type_of(json, json), audit.common_type(text[]), audit.typed(text, text), audit.view_name(text), audit.short_name(text),
    audit.keyless_row(json), audit.baseline(text), audit.ends_transaction(text), audit.is_replay(text),
    audit.as_of(text, bigint) TO cdc_auditor;
GRANT SELECT ON pipeline.history_view TO cdc_auditor;

SELECT pipeline.define_all_history();
