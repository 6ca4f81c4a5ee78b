-- Which columns a table had when the log first described it: what a worker asks where a row without a key is not there as it was.
CREATE FUNCTION pipeline.first_columns(p_log text, p_table text) RETURNS text[]
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT (SELECT array_agg(c ->> 'name') FROM json_array_elements(coalesce(audit.readable(b.body), audit.readable(e.entry)) #> '{content,columns}') AS c)
      FROM pipeline.table_version v JOIN audit.entry e USING (log, seq) LEFT JOIN audit.body b USING (log, seq)
     WHERE v.log = p_log AND v.table_name = p_table ORDER BY v.seq LIMIT 1
$$;

REVOKE ALL ON FUNCTION pipeline.first_columns(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pipeline.first_columns(text, text) TO cdc_replicator;
