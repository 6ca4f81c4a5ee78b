-- How entries are stored: in line and as they are up to 8 KB. With the default a row beyond 2 KB, which many are, is
-- compressed by the writer's backend: that costs more than everything else that it does to store a row.
ALTER TABLE audit.entry ALTER COLUMN entry SET STORAGE MAIN;

CREATE OR REPLACE FUNCTION audit.cut_partitions(p_log text, p_through bigint) RETURNS int
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
        -- The constraint spares ATTACH its scan; afterwards the partition's bounds say the same, and say it once per row.
        EXECUTE format('CREATE TABLE audit.%I (LIKE audit.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE, '
                       'CONSTRAINT bounds CHECK (log = %L AND seq >= %s AND seq < %s))', piece, parent, p_log, first, first + width);
        EXECUTE format('ALTER TABLE audit.%I ATTACH PARTITION audit.%I FOR VALUES FROM (%s) TO (%s)', parent, piece, first, first + width);
        EXECUTE format('ALTER TABLE audit.%I DROP CONSTRAINT bounds', piece);
        EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.%I FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', piece);
        cut := cut + 1;
    END LOOP;
    RETURN cut;
END
$$;
