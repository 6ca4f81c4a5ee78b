-- 12 columns; under the policy one is a token, two are sealed, and customer_id names the subject.
CREATE TABLE public.trades (
    trade_id     bigint PRIMARY KEY,
    customer_id  int NOT NULL,
    account      text NOT NULL,
    holder       text NOT NULL,
    note         text NOT NULL,
    symbol       text NOT NULL,
    side         text NOT NULL,
    quantity     int NOT NULL,
    price        numeric(18, 6) NOT NULL,
    status       text NOT NULL,
    placed_at    timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
);

-- Inserts in key order, {customers} customers with two accounts each.
CREATE PROCEDURE public.fill(p_rows int, p_size int, p_customers int) LANGUAGE plpgsql AS $$
BEGIN
    FOR head IN 0 .. p_rows - 1 BY p_size LOOP
        INSERT INTO public.trades
        SELECT n, c, 'ACC-' || lpad((c * 2 + n % 2)::text, 9, '0'), 'Customer Number ' || c || ' of the Bench',
               'note ' || md5(n::text), 'SYM' || n % 500, CASE WHEN n % 3 = 0 THEN 'sell' ELSE 'buy' END, n % 1000 + 1,
               (n % 100000)::numeric / 1000 + 1, 'new', now(), now()
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
        UPDATE public.trades SET status = 'filled', quantity = quantity + 1, price = price + 0.25, updated_at = clock_timestamp()
         WHERE trade_id = ANY (keys[head : head + p_size - 1]);
        COMMIT;
    END LOOP;
END
$$;
