"""The table that the benchmark fills: twelve columns, or in other widths five and then columns of many types in turn."""

from __future__ import annotations

from pathlib import Path

TRADES = 12
"""Columns of the table that is filled when no other width is asked for."""
HERE = Path(__file__).parent
ACCOUNT = "'ACC-' || lpad((c * 2 + n % 2)::text, 9, '0')"
HOLDER = "'Customer Number ' || c || ' of the Bench'"
TWELVE = (
    ("trade_id", "bigint PRIMARY KEY", "n"),
    ("customer_id", "int NOT NULL", "c"),
    ("account", "text NOT NULL", ACCOUNT),
    ("holder", "text NOT NULL", HOLDER),
    ("note", "text NOT NULL", "'note ' || md5(n::text)"),
    ("symbol", "text NOT NULL", "'SYM' || n % 500"),
    ("side", "text NOT NULL", "CASE WHEN n % 3 = 0 THEN 'sell' ELSE 'buy' END"),
    ("quantity", "int NOT NULL", "n % 1000 + 1"),
    ("price", "numeric(18, 6) NOT NULL", "(n % 100000)::numeric / 1000 + 1"),
    ("status", "text NOT NULL", "'new'"),
    ("placed_at", "timestamptz NOT NULL", "now()"),
    ("updated_at", "timestamptz NOT NULL", "now()"),
)
TWELVE_CHANGED = "status = 'filled', quantity = quantity + 1, price = price + 0.25, updated_at = clock_timestamp()"
FIRST = (
    ("trade_id", "bigint PRIMARY KEY", "n"),
    ("customer_id", "int NOT NULL", "c"),
    ("account", "text NOT NULL", ACCOUNT),
    ("holder", "text NOT NULL", HOLDER),
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
    if width == TRADES:
        return list(TWELVE)
    more = range(width - len(FIRST))
    return [*FIRST, *((f"column_{n:02d}", *TYPES[n % len(TYPES)]) for n in more)]


def table_sql(width: int) -> str:
    """The table and its procedures ``fill`` and ``change``."""
    columns = _columns(width)
    return (
        (HERE / "table.sql")
        .read_text()
        .replace("{columns}", ", ".join(f"{name} {kind}" for name, kind, _ in columns))
        .replace("{values}", ", ".join(value for _, _, value in columns))
        .replace("{changed}", TWELVE_CHANGED if width == TRADES else "status = 'filled'")
    )


def policy_text(name: str, width: int) -> str:
    """Of the twelve columns one token and two sealed; of other widths one of each; the rest clear."""
    if width == TRADES:
        return (HERE / "policy.yaml").read_text().format(name=name)
    protected = {"account", "holder"}
    clear = "\n".join(f"      {column}: clear" for column, _, _ in _columns(width) if column not in protected)
    return POLICY.format(name=name, clear=clear)
