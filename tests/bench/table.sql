-- The table, and what fills and changes it; names in braces are replaced. customer_id names the subject.
CREATE TABLE public.trades ({columns});

-- Inserts in key order, p_customers customers with two accounts each.
CREATE PROCEDURE public.fill(p_rows int, p_size int, p_customers int) LANGUAGE plpgsql AS $$
BEGIN
    FOR head IN 0 .. p_rows - 1 BY p_size LOOP
        INSERT INTO public.trades
        SELECT {values}
          FROM generate_series(head, least(head + p_size, p_rows) - 1) AS n,
               LATERAL (SELECT hashint4(n)::bigint & 2147483647) AS h (v), LATERAL (SELECT (h.v % p_customers)::int) AS k (c);
        COMMIT;
    END LOOP;
END
$$;

-- Updates in random key order: each row once, so that every one has a predecessor somewhere in the log. What is personal stays.
CREATE PROCEDURE public.change(p_rows int, p_size int, p_seed float8) LANGUAGE plpgsql AS $$
DECLARE
    keys bigint[];
BEGIN
    PERFORM setseed(p_seed);
    SELECT array_agg(n ORDER BY random()) INTO keys FROM generate_series(0, p_rows - 1) AS n;
    FOR head IN 1 .. p_rows BY p_size LOOP
        UPDATE public.trades SET {changed}
         WHERE trade_id = ANY (keys[head : head + p_size - 1]);
        COMMIT;
    END LOOP;
END
$$;
