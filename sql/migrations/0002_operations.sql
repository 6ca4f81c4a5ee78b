-- The `operations` log: what people and programs did is evidence too. Its entries are made here, by a definer function, so that
-- whoever may act cannot act unrecorded, and the actor is the session user, not a parameter.
SELECT audit.create_log('operations', 'operations/1');

-- RFC 6962 edge of a tree of p_size leaves, after one more leaf.
CREATE FUNCTION audit.append_leaf(p_size bigint, p_edge bytea[], p_leaf bytea) RETURNS bytea[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    edge bytea[] := p_edge;
    node bytea := p_leaf;
    rest bigint := p_size;
BEGIN
    WHILE rest % 2 = 1 LOOP
        node := sha256('\x01'::bytea || edge[cardinality(edge)] || node);
        edge := trim_array(edge, 1);
        rest := rest / 2;
    END LOOP;
    RETURN edge || node;
END
$$;

-- Appends one operation and returns its seq. `p_detail` is a flat object of texts; to_json escapes as RFC 8785 does.
CREATE FUNCTION audit.append_operation(p_name text, p_detail jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    log_row audit.log%ROWTYPE;
    detail  text;
    clock   bigint;
    entry   text;
    leaf    bytea;
BEGIN
    IF coalesce(p_name, '') = '' THEN
        RAISE EXCEPTION 'an operation has a name' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF jsonb_typeof(p_detail) IS DISTINCT FROM 'object'
       OR EXISTS (SELECT FROM jsonb_each(p_detail) WHERE jsonb_typeof(value) <> 'string' OR key !~ '^[a-z][a-z0-9_]*$') THEN
        RAISE EXCEPTION 'detail is a flat object of texts with lower-case names' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO log_row FROM audit.log WHERE log = 'operations' FOR UPDATE;
    SELECT coalesce(string_agg(to_json(key)::text || ':' || to_json(value)::text, ',' ORDER BY key COLLATE "C"), '')
      INTO detail FROM jsonb_each_text(p_detail);
    SELECT greatest((extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000, max(e.ordered_at))
      INTO clock FROM audit.entry e WHERE e.log = 'operations' AND e.seq = log_row.size - 1;
    PERFORM audit.cut_partitions('operations', log_row.size);
    entry := format('{"content":{"actor":%s,"detail":{%s},"name":%s},"format":"1","kind":"operation","ordered_at":"%s","origin":%s,"salt":"%s","seq":"%s"}',
                    to_json(session_user::text), detail, to_json(p_name), clock, to_json(log_row.origin),
                    replace(gen_random_uuid()::text, '-', ''), log_row.size);
    IF octet_length(convert_to(entry, 'UTF8')) > 65535 THEN   -- the longest entry without a body (docs/formats.md §3.3)
        RAISE EXCEPTION 'the operation is too long for an entry' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    leaf := sha256('\x00'::bytea || convert_to(entry, 'UTF8'));
    INSERT INTO audit.entry (log, seq, kind, ordered_at, entry, leaf) VALUES ('operations', log_row.size, 'operation', clock, entry, leaf);
    UPDATE audit.log SET size = log_row.size + 1, edge = audit.append_leaf(log_row.size, log_row.edge, leaf) WHERE log = 'operations';
    RETURN log_row.size;
END
$$;

REVOKE ALL ON FUNCTION audit.append_leaf(bigint, bytea[], bytea), audit.append_operation(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.append_operation(text, jsonb) TO cdc_replicator, cdc_auditor;
