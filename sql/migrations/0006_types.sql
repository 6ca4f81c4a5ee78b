-- How a column is typed is said by its schema entry (docs/formats.md §5, `state`); entries from before that member are typed as ever.
ALTER FUNCTION audit.type_of(json, json) RENAME TO type_unstated;
CREATE FUNCTION audit.type_of(p_column json, p_plan json) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN p_plan ->> 'protect' = 'clear' AND p_column ->> 'state' IS NOT NULL THEN p_column ->> 'state'
                ELSE audit.type_unstated(p_column, p_plan) END
$$;

REVOKE ALL ON FUNCTION audit.type_of(json, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.type_of(json, json) TO cdc_auditor;

-- Of a timestamptz array Debezium writes another instant for -infinity than of a column.
ALTER FUNCTION audit.iso_text(text, text) RENAME TO iso_text_one;
CREATE FUNCTION audit.iso_text(p_text text, p_zone text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE p_text WHEN '+292269055-12-02T23:00:00.000000Z' THEN '-infinity' ELSE audit.iso_text_one(p_text, p_zone) END
$$;

-- The base64 of a text, as Debezium writes values of types that it does not know.
CREATE FUNCTION audit.as_decoded(p_value json) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT convert_from(decode(audit.value_text(p_value), 'base64'), 'UTF8')
$$;

-- A bit string: its bytes, least significant bit first, or the word for one of one bit.
CREATE FUNCTION audit.as_bits(p_value json, p_length int) RETURNS varbit LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE t.wire WHEN 'true' THEN varbit '1' WHEN 'false' THEN varbit '0' ELSE
           (SELECT string_agg((CASE WHEN i < octet_length(b.bytes) * 8 THEN get_bit(b.bytes, i) ELSE 0 END)::text, '' ORDER BY i DESC)::varbit
              FROM (SELECT decode(t.wire, 'base64') AS bytes) b CROSS JOIN generate_series(0, p_length - 1) AS i WHERE b.bytes IS NOT NULL) END
      FROM (SELECT audit.value_text(p_value) AS wire) t
$$;

CREATE FUNCTION audit.as_point(p_value json) RETURNS point LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT point((p_value #>> '{struct,x}')::float8, (p_value #>> '{struct,y}')::float8)
$$;
CREATE FUNCTION audit.as_line(p_value json) RETURNS line LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ('{' || (p_value #>> '{struct,a}') || ',' || (p_value #>> '{struct,b}') || ',' || (p_value #>> '{struct,c}') || '}')::line
$$;
CREATE FUNCTION audit.as_circle(p_value json) RETURNS circle LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT circle(audit.as_point(p_value #> '{struct,center}'), (p_value #>> '{struct,radius}')::float8)
$$;

-- SQL that types what `p_value`, an expression of type json, says.
CREATE OR REPLACE FUNCTION audit.typed(p_value text, p_type text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN p_type LIKE '%[]' THEN
                    format('CASE json_typeof(%1$s) WHEN ''array'' THEN ARRAY(SELECT %2$s FROM json_array_elements(%1$s) WITH ORDINALITY AS e(value, n) ORDER BY e.n) END',
                           p_value, audit.typed('e.value', left(p_type, -2)))
                WHEN p_type IN ('numeric', 'date', 'time', 'timestamp', 'timestamptz', 'bytea', 'cell', 'point', 'line', 'circle')
                    THEN format('audit.as_%s(%s)', p_type, p_value)
                WHEN p_type ~ '^bit varying\(\d+\)$' THEN format('audit.as_bits(%s, %s)', p_value, substring(p_type, '\d+'))
                WHEN p_type ~ 'multirange$' OR p_type IN ('tsquery', 'jsonpath', 'pg_lsn', 'xid', 'xid8', 'cid', 'tid', 'txid_snapshot', 'pg_snapshot')
                    THEN format('audit.as_decoded(%s)::%s', p_value, p_type)
                WHEN p_type = 'text' THEN format('audit.value_text(%s)', p_value)
                ELSE format('audit.value_text(%s)::%s', p_value, p_type::regtype) END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.iso_text(text, text), audit.as_decoded(json), audit.as_bits(json, int), audit.as_point(json), audit.as_line(json),
    audit.as_circle(json) TO cdc_auditor;
