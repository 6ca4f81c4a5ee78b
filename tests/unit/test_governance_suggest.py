"""A suggested policy: nothing but harmless keys in clear, joins kept, every choice with its reason, and the file loads."""

from __future__ import annotations

import pytest

from governance import personal, policy
from governance.errors import PolicyError
from governance.plan import SubjectRule
from governance.policy_text import write
from governance.review import as_listed, explain, review
from governance.suggest import Choice, Column, Reference, Table, TableChoice, suggest


def column(name: str, base: str = "text", **more: bool) -> Column:
    return Column(name, base, base, **({"enum": False, "array": False, "automatic": False} | more))


def table(name: str, columns: list[Column], key: tuple[str, ...] = (), *references: Reference, schema: str = "public") -> Table:
    return Table(f"{schema}.{name}", schema, name, tuple(columns), key, references)


CUSTOMERS = table(
    "customers",
    [column("customer_id", "int4", automatic=True), column("email"), column("full_name"), column("name"), column("score", "int4"), column("referrer")],
    ("customer_id",),
    Reference(("referrer",), "public.customers", ("email",)),
)
PRODUCTS = table("products", [column("sku"), column("name"), column("rank", "int4")], ("sku",))
ORDERS = table(
    "orders",
    [column("order_id", "uuid"), column("customer_id", "int4"), column("sku"), column("placed_on", "date"), column("state", "state", enum=True)],
    ("order_id", "placed_on", "state"),
    Reference(("customer_id",), "public.customers", ("customer_id",)),
    Reference(("sku",), "public.products", ("sku",)),
)
LINES = table(
    "lines",
    [column("order_id", "uuid"), column("sku"), column("note"), column("ssn", "int8")],
    ("order_id", "sku", "ssn"),
    Reference(("order_id",), "public.orders", ("order_id",)),
    Reference(("sku",), "public.products", ("sku",)),
)
LOOSE = table("loose", [column("a"), column("b", "int4")])
ALL = (CUSTOMERS, PRODUCTS, ORDERS, LINES, LOOSE)


def chosen(*clear: str) -> dict[str, Choice]:
    return {f"{t.table.name}.{c.column.name}": c for t in suggest("shop", ALL, clear) for c in t.columns}


def test_what_is_in_no_key_is_sealed_and_only_harmless_keys_are_clear():
    found = chosen()
    assert {place for place, choice in found.items() if choice.protect == "clear"} == {
        "customers.customer_id", "orders.order_id", "orders.customer_id", "orders.placed_on", "orders.state", "lines.order_id",
    }  # fmt: skip
    assert {place for place, choice in found.items() if choice.protect == "token"} == {
        "customers.email", "customers.referrer", "products.sku", "orders.sku", "lines.sku", "lines.ssn",
    }  # fmt: skip
    assert all(choice.protect == "seal" for place, choice in found.items() if place.startswith("loose"))
    assert found["customers.customer_id"].why == "key: a number that the database counts"
    assert found["orders.customer_id"].why == "refers to public.customers.customer_id: a number"
    assert found["lines.order_id"].why == "key, refers to public.orders.order_id: an identifier without meaning of its own"
    assert found["products.sku"].why == "key: equal values get equal tokens"
    assert found["customers.email"].why == "referred to: equal values get equal tokens"


def test_what_a_foreign_key_ties_together_has_one_domain():
    found = chosen()
    assert {found[place].domain for place in ("products.sku", "orders.sku", "lines.sku")} == {"shop_products_sku"}
    assert {found[place].domain for place in ("customers.email", "customers.referrer")} == {"shop_customers_email"}
    assert found["lines.ssn"].domain == "shop_lines_ssn"


def test_two_columns_whose_domains_would_be_called_alike_have_two():
    one = table("A b", [column("k")], ("k",))
    other = Table('public."A_b"', "public", "A_b", (column("k"),), ("k",), ())
    domains = [choice.columns[0].domain for choice in suggest("shop", (one, other))]
    assert domains == ["shop_a_b_k", "shop_a_b_k_2"]


def test_clear_opens_what_it_names_and_what_is_joined_with_it():
    found = chosen("orders.sku", "public.customers.s*")
    assert {found[place].protect for place in ("products.sku", "orders.sku", "lines.sku", "customers.score")} == {"clear"}
    assert found["orders.sku"].why == "asked for with --clear"
    assert found["lines.sku"].why == "joins public.orders.sku, asked for with --clear"
    assert found["customers.email"].protect == "token"
    with pytest.raises(PolicyError, match=r"--clear orders\.nothing: matches no column"):
        chosen("orders.nothing")


def test_a_reference_to_a_table_that_is_not_captured_is_none():
    orphan = table("orphan", [column("x")], (), Reference(("x",), "elsewhere.t", ("id",)))
    assert suggest("shop", (orphan,))[0].columns[0].protect == "seal"


def test_subjects_are_suggested_for_people_and_for_what_refers_to_them():
    subjects = {choice.table.name: choice.subjects for choice in suggest("shop", ALL)}
    assert subjects["customers"] == subjects["orders"] == (SubjectRule("customer", "customer_id"),)
    assert subjects["products"] == subjects["lines"] == ()


@pytest.mark.parametrize(
    ("name", "table_name", "says"),
    [
        ("email", "t", "e-mail"), ("EmailAddress", "t", "e-mail"), ("contact_email", "t", "e-mail"), ("phoneNumber", "t", "telephone"),
        ("home_phone", "t", "telephone"), ("birth_date", "t", "birth"), ("dob", "t", "birth"), ("FirstName", "t", "name"), ("last_name", "t", "name"),
        ("name", "customers", "name"), ("tax_id", "t", "tax"), ("ssn", "t", "tax"), ("passport_id", "t", "tax"), ("iban", "t", "bank"), ("account_number", "t", "bank"),
        ("PostalCode", "t", "postal"), ("street2", "t", "postal"), ("ip_address", "t", "network"), ("password_hash", "t", "credential"), ("remarks", "t", "free text"),
    ],
)  # fmt: skip
def test_names_that_suggest_personal_data(name, table_name, says):
    assert says in (personal.meaning(name, table_name) or "nothing")


@pytest.mark.parametrize("name", ["id", "customer_id", "address_id", "CityID", "name", "title", "amount", "created_at", "status", "sku", "addressee_count"])
def test_names_that_do_not(name):
    assert personal.meaning(name, "products") is None


def test_the_text_loads_and_says_why():
    text = write("shop", suggest("shop", ALL, ["customers.full_name"]))
    loaded = policy.parse(text)
    assert loaded.source == "shop"
    assert loaded.tables["public.customers"].key == ("customer_id",)
    assert loaded.tables["public.customers"].columns["email"].class_ == "personal"
    assert loaded.tables["public.customers"].columns["full_name"].protect == "clear"
    assert loaded.tables["public.loose"].key is None
    assert {rule.retention for title, rule in loaded.tables.items() if not title.startswith("cdc.")} == {"books-and-records"}
    assert "      customer_id: clear   # int4; key: a number that the database counts\n" in text
    assert "    # subject: {type: customer, column: customer_id}\n" in text
    assert "      sku: {protect: token, domain: shop_products_sku}   # text; refers to public.products.sku: equal values get equal tokens\n" in text
    assert "      note: {protect: seal, class: personal}   # text; its name suggests free text, which can name anybody\n" in text
    for title, rule in loaded.tables.items():
        assert loaded.compile(title, list(rule.columns), rule.key or ()).problems == ()


def test_its_own_review_has_nothing_to_say():
    loaded = policy.parse(write("shop", suggest("shop", ALL)))
    assert review(loaded, ALL) == ()


def reviewed(text_was: str, text_now: str) -> set[tuple[str, str, bool]]:
    text = write("shop", suggest("shop", ALL))
    assert text_was in text
    return {(f.code, f.place, f.wrong) for f in review(policy.parse(text.replace(text_was, text_now, 1)), ALL)}


@pytest.mark.parametrize(
    ("was", "now", "finds"),
    [
        ("  public.loose:", "  public.lose:", {("table-unlisted", "public.loose", True), ("table-missing", "public.lose", True)}),
        ("      rank: seal", "      rnk: seal", {("column-unlisted", "public.products.rank", True), ("column-missing", "public.products.rnk", True)}),
        ("    key: [sku]", "    key: [name]", None),
        ("      order_id: clear   # uuid; key: an", "      order_id: {protect: token, domain: x}   # uuid; key: an", {("join", "public.lines.order_id", False)}),
        ("    # subject: {type: customer, column: customer_id}", "    subject: {type: customer, column: customer_id}", set()),
    ],
)  # fmt: skip
def test_the_review_finds(was, now, finds):
    if finds is None:  # the loader refuses a sealed key column already
        with pytest.raises(PolicyError, match="seal on a key column"):
            reviewed(was, now)
    else:
        assert reviewed(was, now) == finds


def test_a_sealed_key_that_the_file_does_not_call_a_key_is_found():
    text = write("shop", suggest("shop", ALL)).replace("    key: [sku]\n", "", 1).replace("      sku: {protect: token, domain: shop_products_sku}", "      sku: seal", 1)
    found = review(policy.parse(text), ALL)
    assert ("key-protection", "public.products.sku") in {(f.code, f.place) for f in found}
    why = {(row.table, row.column): (row.protect, row.why) for row in explain(policy.parse(text), ALL)}
    assert why["public.products", "sku"] == ("token", "seal in the policy, but in the key: tokenised")


def test_explained_are_all_columns_with_what_was_decided_for_them():
    text = write("shop", suggest("shop", (CUSTOMERS,)))
    rows = explain(policy.parse(text), (table("customers", [*CUSTOMERS.columns, column("added")], ("customer_id", "added")), LOOSE))
    why = {f"{row.table}.{row.column}": (row.protect, row.domain, row.why) for row in rows}
    assert why["public.customers.score"] == ("seal", None, "as listed")
    assert why["public.customers.added"] == ("token", "shop.public.customers.added", "not listed, in the key: tokenised")
    assert why["public.loose.a"] == ("seal", None, "its table is not listed: sealed")
    listed = explain(policy.parse(text), as_listed(policy.parse(text)))
    assert [row.column for row in listed if row.table == "public.customers"] == [c.name for c in CUSTOMERS.columns]
    assert next(row.in_key for row in listed if row.column == "customer_id")


def test_a_choice_is_complete():
    (choice,) = suggest("shop", (LOOSE,))
    assert choice == TableChoice(LOOSE, tuple(Choice(c, "seal", None, None, "") for c in LOOSE.columns), ())
