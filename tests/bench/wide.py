"""The benchmark's table in other widths: five columns that every width has, then columns of many types in turn."""

from __future__ import annotations

FIRST = (
    ("trade_id", "bigint PRIMARY KEY", "n"),
    ("customer_id", "int NOT NULL", "c"),
    ("account", "text NOT NULL", "'ACC-' || lpad((c * 2 + n % 2)::text, 9, '0')"),
    ("holder", "text NOT NULL", "'Customer Number ' || c || ' of the Bench'"),
    ("status", "text NOT NULL", "'new'"),
)
TYPES = (
    ("text", "'note ' || md5(n::text)"),
    ("numeric(18, 6)", "(n % 100000)::numeric / 1000 + 1"),
    ("timestamptz", "now() - make_interval(secs => n % 86400)"),
    ("integer", "n % 1000"),
    ("boolean", "n % 2 = 0"),
    ("date", "date '2026-01-01' + n % 365"),
    ("uuid", "md5(n::text)::uuid"),
    ("jsonb", "jsonb_build_object('venue', 'X' || n % 20, 'lots', n % 7)"),
    ("double precision", "n / 7.0::float8"),
    ("bytea", "decode(md5(n::text), 'hex')"),
    ("timestamp(3)", "timestamp '2026-01-01' + make_interval(secs => n % 86400)"),
    ("text[]", "ARRAY['a' || n % 9, NULL, 'b']"),
    ("interval", "make_interval(mins => (n % 600)::int)"),
    ("smallint", "(n % 30000)::smallint"),
    ("inet", "'10.0.0.0'::inet + n % 65536"),
)
POLICY = """\
source: {name}
tables:
  public.trades:
    subject: {{type: customer, column: customer_id}}
    retention: books-and-records
    columns:
      account: {{protect: token, domain: account}}
      holder: {{protect: seal, class: personal}}
{clear}
  cdc.heartbeat:
    retention: operational
    columns: {{id: clear, beat_at: clear, system_identifier: clear, timeline: clear}}
"""


def _columns(width: int) -> list[tuple[str, str, str]]:
    """Name, type and SQL expression (over row number n and customer c) of each column."""
    more = range(width - len(FIRST))
    return [*FIRST, *((f"column_{n:02d}", *TYPES[n % len(TYPES)]) for n in more)]


def table_sql(width: int) -> str:
    """The table and the procedures ``fill`` and ``change``, as the 12-column table of ``source.sql`` has them."""
    columns = _columns(width)
    declared = ", ".join(f"{name} {kind}" for name, kind, _ in columns)
    values = ", ".join(value for _, _, value in columns)
    return f"""
CREATE TABLE public.trades ({declared});
CREATE PROCEDURE public.fill(p_rows int, p_size int, p_customers int) LANGUAGE plpgsql AS $$
BEGIN
    FOR head IN 0 .. p_rows - 1 BY p_size LOOP
        INSERT INTO public.trades SELECT {values}
          FROM generate_series(head, least(head + p_size, p_rows) - 1) AS n,
               LATERAL (SELECT hashint4(n)::bigint & 2147483647) AS h (v), LATERAL (SELECT (h.v % p_customers)::int) AS k (c);
        COMMIT;
    END LOOP;
END
$$;
CREATE PROCEDURE public.change(p_rows int, p_size int, p_seed float8) LANGUAGE plpgsql AS $$
DECLARE
    keys bigint[];
BEGIN
    PERFORM setseed(p_seed);
    SELECT array_agg(n ORDER BY random()) INTO keys FROM generate_series(0, p_rows - 1) AS n;
    FOR head IN 1 .. p_rows BY p_size LOOP
        UPDATE public.trades SET status = 'filled' WHERE trade_id = ANY (keys[head : head + p_size - 1]);
        COMMIT;
    END LOOP;
END
$$;
"""


def policy_text(name: str, width: int) -> str:
    """One token, one sealed column, the rest clear."""
    protected = {"account", "holder"}
    clear = "\n".join(f"      {column}: clear" for column, _, _ in _columns(width) if column not in protected)
    return POLICY.format(name=name, clear=clear)
