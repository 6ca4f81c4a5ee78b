-- The table that the benchmark fills, in a database of its own. Runs as superuser. {database} is the database's name.
CREATE SCHEMA cdc;
CREATE TABLE cdc.heartbeat (id int PRIMARY KEY, beat_at timestamptz NOT NULL, system_identifier text NOT NULL, timeline int NOT NULL);
INSERT INTO cdc.heartbeat
SELECT 1, clock_timestamp(), s.system_identifier::text, c.timeline_id FROM pg_control_system() AS s, pg_control_checkpoint() AS c;
CREATE TABLE cdc.signal (id varchar(42) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));

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
ALTER TABLE cdc.heartbeat REPLICA IDENTITY FULL;
ALTER TABLE cdc.signal REPLICA IDENTITY FULL;
ALTER TABLE public.trades REPLICA IDENTITY FULL;
CREATE PUBLICATION cdc_{database} FOR TABLES IN SCHEMA public, cdc
    WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true, publish_generated_columns = stored);
GRANT USAGE ON SCHEMA public, cdc TO debezium;
GRANT SELECT ON ALL TABLES IN SCHEMA public, cdc TO debezium;
GRANT UPDATE ON cdc.heartbeat TO debezium;
GRANT INSERT ON cdc.signal TO debezium;
GRANT EXECUTE ON FUNCTION pg_control_system(), pg_control_checkpoint() TO debezium;

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
