"""Policies: strict to read, and a plan that never exposes what the policy does not say."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from governance import policy
from governance.errors import PolicyError
from governance.plan import ColumnPlan, SubjectRule
from tests.independent import canonical

GOOD = """\
source: trading
messages: clear
tables:
  public.customers:
    subject: {type: customer, column: customer_id}
    retention: books-and-records
    key: [customer_id]
    columns:
      customer_id: clear
      full_name: {protect: seal, class: personal}
      email: {protect: token, domain: email, class: personal}
      ssn: {protect: seal, tier: 2}
      on: clear
  public."Odd Name":
    retention: operational
    columns:
      password: drop
"""


def test_a_good_one():
    loaded = policy.parse(GOOD)
    assert (loaded.source, loaded.messages) == ("trading", "clear")
    table = loaded.tables["public.customers"]
    assert table.subject == SubjectRule("customer", "customer_id")
    assert table.retention == "books-and-records"
    assert table.columns["email"].domain == "email"
    assert table.columns["ssn"].tier == 2
    assert table.columns["on"].protect == "clear"
    assert loaded.tables['public."Odd Name"'].columns["password"].protect == "drop"


def test_defaults_protect():
    loaded = policy.parse("source: s\ntables:\n  a.b:\n    columns: {c: clear}\n")
    assert loaded.messages == "seal"
    assert loaded.tables["a.b"].retention == "books-and-records"


@pytest.mark.parametrize("name", ["trading", "portfolio", "portfolio.mariadb"])
def test_shipped_policies_load_and_protect_every_personal_column(name):
    loaded = policy.load(Path(policy.__file__).parent / "policies" / f"{name}.yaml")
    assert loaded.source == name.split(".")[0]
    for table, rule in loaded.tables.items():
        plan = loaded.compile(table, list(rule.columns), [])
        assert plan.problems == ()
        for column in plan.columns:
            assert column.protect != "clear" or column.class_ != "personal", f"{table}.{column.column}"


def table(**fields: str) -> str:
    body = {"columns": "{a: clear, b: seal}"} | fields
    return "source: s\ntables:\n  p.t:\n" + "".join(f"    {name}: {value}\n" for name, value in body.items())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("source: [", "p.yaml:1: not YAML"),
        ("source: s\x07", "not YAML"),
        ("- a", "p.yaml:1: not a mapping"),
        ("source: s", "tables is missing"),
        ("tables: {}", "source is missing"),
        ("source: s\ntables: {}\nextra: 1", "p.yaml:3: 'extra' is not known here"),
        ("source: s\nsource: t\ntables: {}", "p.yaml:2: source comes twice"),
        ("source: S!\ntables: {}", "'S!' is no source name"),
        ("source: 7\ntables: {}", "source: not a text"),
        ("source: s\nmessages: open\ntables: {}", "p.yaml:2: messages: 'open' is not known"),
        ("source: s\ntables: []", "tables: not a mapping"),
        ("source: s\ntables: {customers: {columns: {}}}", "'customers' is no table name"),
        ("source: s\ntables: {Public.customers: {columns: {}}}", "is no table name"),
        ("source: s\ntables: {p.t: {}}", "p.t: columns is missing"),
        ("source: s\ntables:\n  p.t: {columns: {}}\n  p.t: {columns: {}}", "p.yaml:4: tables: p.t comes twice"),
        (table(columns="[a]"), "p.yaml:4: p.t: not a mapping"),
        (table(columns="{a: clear, a: seal}"), "p.t: a comes twice"),
        (table(columns="{<<: {a: clear}}"), "not a name"),
        (table(columns="{a: open}"), "p.yaml:4: p.t.a: 'open' is not known"),
        (table(columns="{a: true}"), "p.t.a: not a text"),
        (table(columns="{a: null}"), "p.t.a: not a text"),
        (table(columns="{a: [clear]}"), "p.t.a: not a text"),
        (table(columns="{a: {class: personal}}"), "p.t.a: protect is missing"),
        (table(columns="{a: {protect: seal, klass: personal}}"), "p.t.a: 'klass' is not known here"),
        (table(columns="{a: token}"), "p.t.a: a token needs a domain"),
        (table(columns="{a: {protect: token}}"), "p.t.a: a token needs a domain"),
        (table(columns="{a: {protect: token, domain: p.t.a}}"), "p.t.a: 'p.t.a' is no domain"),
        (table(columns="{a: {protect: seal, domain: email}}"), "p.t.a: seal has no domain"),
        (table(columns="{a: {protect: seal, class: 7}}"), "p.t.a: not a text"),
        (table(columns="{a: {protect: seal, tier: 256}}"), "p.t.a: the tier is not a whole number"),
        (table(columns="{a: {protect: seal, tier: -1}}"), "p.t.a: the tier is not a whole number"),
        (table(columns="{a: {protect: seal, tier: 1.0}}"), "p.t.a: the tier is not a whole number"),
        (table(columns="{a: drop}"), "p.t.a: drop in a books-and-records table"),
        (table(columns="{a: drop}", retention="books-and-records"), "p.t.a: drop in a books-and-records table"),
        (table(retention="book-and-records"), "p.t: 'book-and-records' is not known"),
        (table(subject="customer"), "p.t: not a mapping"),
        (table(subject="{type: customer}"), "p.t: column is missing"),
        (table(subject="{type: customer, column: z}"), "p.t: the subject column 'z' is not among the columns"),
        (table(subject="{type: source, column: a}"), "p.t: the subject type source is taken"),
        (table(key="a"), "p.t: key is not a list"),
        (table(key="[a, b]"), "p.t.b: seal on a key column"),
        (table(key="[b]", columns="{b: drop}", retention="operational"), "p.t.b: drop on a key column"),
        (table(owner="me"), "p.t: 'owner' is not known here"),
    ],
)
def test_malformed(tmp_path, text, says):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError) as caught:
        policy.load(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert caught.value.exit_code == 2


def test_unreadable(tmp_path):
    with pytest.raises(PolicyError, match="cannot read the policy"):
        policy.load(tmp_path / "none.yaml")
    (tmp_path / "p.yaml").write_bytes(b"source: \xff")
    with pytest.raises(PolicyError, match="not UTF-8"):
        policy.load(tmp_path / "p.yaml")


def test_plan_follows_the_columns_of_the_table():
    plan = policy.parse(GOOD).compile("public.customers", ["email", "customer_id", "nickname"], ["customer_id"])
    assert plan.columns == (
        ColumnPlan("email", "token", "email", "personal", 0),
        ColumnPlan("customer_id", "clear", None, None, 0),
        ColumnPlan("nickname", "seal", None, None, 0),
    )
    assert plan.known_table
    assert plan.unlisted == ("nickname",)
    assert plan.subject == SubjectRule("customer", "customer_id")
    assert [problem.split(":")[0] for problem in plan.problems] == [
        "public.customers.full_name",
        "public.customers.ssn",
        "public.customers.on",
    ]


def test_unknown_table_is_protected_whole():
    plan = policy.parse(GOOD).compile("public.new", ["id", "text"], ["id"])
    assert not plan.known_table
    assert [(c.column, c.protect, c.domain) for c in plan.columns] == [
        ("id", "token", "trading.public.new.id"),
        ("text", "seal", None),
    ]
    assert plan.subject is None
    assert plan.unlisted == ("id", "text")


def test_key_column_is_never_sealed():
    plan = policy.parse(GOOD).compile("public.customers", ["ssn", "customer_id"], ["ssn"])
    assert plan.columns[0] == ColumnPlan("ssn", "token", "trading.public.customers.ssn", None, 2)
    assert "part of the key: tokenised" in plan.problems[0]


def test_missing_subject_column_falls_back_to_the_source():
    plan = policy.parse(GOOD).compile("public.customers", ["email"], [])
    assert plan.subject is None
    assert "subject column customer_id does not exist" in plan.problems[0]
    assert plan.content()[-1] == {"subject": None, "type": None}


def test_digest_is_the_one_of_the_formats():
    loaded = policy.parse(GOOD)
    columns = ["customer_id", "email", "ssn"]
    plan = loaded.compile("public.customers", columns, ["customer_id"])
    expected = [
        {"column": "customer_id", "protect": "clear", "domain": None, "class": None, "tier": "0"},
        {"column": "email", "protect": "token", "domain": "email", "class": "personal", "tier": "0"},
        {"column": "ssn", "protect": "seal", "domain": None, "class": None, "tier": "2"},
        {"subject": "customer_id", "type": "customer"},
    ]
    assert plan.content() == expected
    assert plan.digest == hashlib.sha256(canonical.write(expected).encode()).hexdigest()
    assert plan == loaded.compile("public.customers", columns, ["customer_id"])
    assert plan.digest != loaded.compile("public.customers", columns[::-1], ["customer_id"]).digest
