"""What the published schema accepts the reader accepts, and the other way round.

Left out, because no schema can say it: whether an ``exclude`` is a regular expression, keys that stand twice, how YAML
spells a number. And Python's ``$`` matches before a last line break, which that of ECMA 262 does not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import kinds
from connectors.definition import parse
from connectors.errors import DefinitionError
from connectors.schema import schema

VALIDATOR = jsonschema.Draft7Validator(schema())
HERE = Path("/nowhere/shop.yaml")

REFERENCES = st.sampled_from(
    ["${secret:shop/x}", "${env:CDC_X}", "${file:/run/x.properties:k}", "${directory:/run:k}", "${vault:secret/data/x:k}"]
)
BROKEN = st.sampled_from(["${secret:x}", "${env:}", "${file:/a}", "${", "${vault:x}", "a${env:X", "${env:A}${", "$${env:A}{"])
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12),
    st.sampled_from(["shop", "Shop", "a b", "a.b", "cdc", "cdc_audit", "a,b", "127.0.0.1", "yes", "7", "Mixed-Case", "a" * 80]),
    REFERENCES,
    BROKEN,
)
ODD = st.one_of(st.integers(-5, 5_000_000_000), st.booleans(), st.none(), st.lists(TEXTS, max_size=2), st.just({}), TEXTS, st.just(""))
NUMBERS = st.one_of(st.sampled_from([0, 1, 3, 9, 10, 99, 100, 5_000, 5_001, 600_000, 600_001]), ODD)
NAMES = st.one_of(st.sampled_from(["public", "dbo", "sales", "Mixed Case"]), TEXTS)
SETTINGS = st.dictionaries(
    st.sampled_from(
        ["max.batch.size", "skipped.operations", "transforms", "transforms.one.regex", "transforms.x.type", "slot.name",
         "database.password", "database.initial.statements", "driver.trustStorePassword", "exactly.once.support",
         "topic.creation.default.partitions", "topic.creation.default.retention.ms", "key.converter", "sasl.jaas.config",
         "producer.override.acks", "producer.override.linger.ms", "heartbeat.action.query", "1x", "a b", "name"]
    ),
    st.one_of(
        REFERENCES, BROKEN, st.sampled_from(["one", "a,one", "a, one", "one,a", "SELECT 1", "http://u:p@h/", "line\nbreak", "true"]),
        st.integers(-1, 10), st.booleans(), st.none(), st.lists(st.integers(), max_size=1),
    ),
    max_size=3,
)  # fmt: skip


@st.composite
def good(draw: st.DrawFn) -> dict[str, Any]:
    """A definition that both must accept."""
    kind = kinds.KINDS[draw(st.sampled_from(list(kinds.KINDS)))]
    document: dict[str, Any] = {
        "name": "shop",
        "kind": kind.name,
        "topic": "shop",
        "database": {"host": "db", "port": 1234, "name": "shop", "user": "cdc", "password": draw(REFERENCES)},
        draw(st.sampled_from(["schemas", "tables"])): ["sales.orders"],
    }
    if "schemas" in document:
        document["schemas"] = ["sales"]
    fields = {"server_id": 7, "schema_history": {"bootstrap_servers": "kafka:9092"}, "publication": "cdc_x", "replica_set": "rs0"}
    for number, name in enumerate(kind.fields):
        if number < kind.needed or draw(st.booleans()):
            document[name] = fields[name]
    return document


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A definition with up to four members made otherwise; most are wrong then, in one way or another."""
    document = draw(good())
    database = document["database"]
    values: dict[str, st.SearchStrategy[Any]] = {
        "name": TEXTS, "kind": st.sampled_from([*kinds.KINDS, "oracle"]), "topic": TEXTS, "schemas": st.lists(NAMES, max_size=2) | ODD,
        "tables": st.lists(st.builds("{}.{}".format, NAMES, NAMES) | TEXTS, max_size=2) | ODD,
        "exclude": st.lists(st.sampled_from([r"public\.p_\d+", "a,b", "x"]), max_size=2) | ODD.filter(lambda it: not isinstance(it, list)),
        "replication_factor": NUMBERS, "heartbeat_interval_ms": NUMBERS, "poll_interval_ms": NUMBERS, "server_id": NUMBERS,
        "publication": TEXTS | st.sampled_from(["cdc_shop", "cdc-shop", "Cdc"]), "replica_set": TEXTS, "settings": SETTINGS,
        "schema_history": st.dictionaries(st.sampled_from(["bootstrap_servers", "x"]), TEXTS, max_size=2) | ODD, "colour": ODD,
    }  # fmt: skip
    inner: dict[str, st.SearchStrategy[Any]] = {
        "host": TEXTS, "port": NUMBERS | st.sampled_from(["5432", "x", 65_535, 65_536]), "name": TEXTS, "user": TEXTS, "password": TEXTS,
        "sslmode": st.sampled_from(["disable", "trust", "prefer", "verify-ca", "verify-full", "maybe"]) | ODD, "sslrootcert": TEXTS,
        "colour": ODD,
    }  # fmt: skip
    for _ in range(draw(st.integers(1, 4))):
        where, choices = draw(st.sampled_from([(document, values), (database, inner)]))
        name = draw(st.sampled_from(sorted(choices)))
        if draw(st.booleans()) and draw(st.booleans()):
            where.pop(name, None)
        else:
            where[name] = draw(choices[name])
    return document


def read(document: dict[str, Any]) -> str | None:
    """What the reader says against it."""
    try:
        parse(yaml.safe_dump(document, allow_unicode=True, width=10_000), HERE)
    except DefinitionError as error:
        return str(error)
    return None


@settings(deadline=None)
@given(good())
def test_a_good_definition_is_good_to_both(document):
    assert read(document) is None
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(mutated())
def test_schema_and_reader_agree(document):
    said = read(document)
    errors = [error.message for error in VALIDATOR.iter_errors(document)]
    assert (said is None) == (errors == []), (document, said, errors)
