-- How a column is typed is said by its schema entry (docs/formats.md §5, `state`); entries from before that member are typed as ever.
ALTER FUNCTION audit.type_of(json, json) RENAME TO type_unstated;
CREATE FUNCTION audit.type_of(p_column json, p_plan json) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN p_plan ->> 'protect' = 'clear' AND p_column ->> 'state' IS NOT NULL THEN p_column ->> 'state'
                ELSE audit.type_unstated(p_column, p_plan) END
$$;

REVOKE ALL ON FUNCTION audit.type_of(json, json) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.type_of(json, json) TO cdc_auditor;
