"""Ways to damage the example log, done the way a faulty writer would: leaf hashes are made anew, so only the contents give
them away. Both readers of the formats must notice each.
"""

from __future__ import annotations

import json

from tests.independent import example

STREAM = example.stream().entries
PLACES = {
    "schema": 0,
    "snapshot": 1,
    "fills": 3,
    "baseline": 5,
    "update": 6,
    "message": 7,
    "insert": 8,
    "key change, d": 10,
    "key change, c": 11,
    "truncate": 12,
    "end": 13,
    "replay": 14,
    "large": 16,
    "toast": 17,
    "later schema": 18,
    "later update": 19,
    "delete": 20,
}


def fresh():
    """The entries of the example log, none sharing a part with another."""
    return json.loads(json.dumps(STREAM))


def put(name, value):
    return lambda entry: entry.__setitem__(name, value)


def within(name, inner, value):
    return lambda entry: entry[name].__setitem__(inner, value)


def drop(*names):
    return lambda entry: [entry.pop(name) for name in names]


OTHER = "00" * 16 + "/1"
WRONG_SEAL = example.seal("ana@example.com", OTHER)

DAMAGES = [
    ("update", put("seq", "7"), "says seq"),
    ("update", put("origin", "trading/2"), "another origin"),
    ("update", put("origin", "operations/1"), "kind and origin"),
    ("update", put("salt", STREAM[0][0]["salt"]), "salt of another"),
    ("update", put("salt", "0" * 31), "salt is misspelt"),
    ("update", put("epoch", "1/1"), "source epoch"),
    ("later update", drop("epoch"), "source epoch"),
    ("update", put("ordered_at", "1"), "ordered_at does not follow"),
    ("update", put("ordered_at", "1"), "ordered_at goes back"),
    ("insert", put("committed_at", "9" * 19), "ordered_at does not follow"),
    ("update", put("topic_id", "A" * 22), "another topic"),
    ("update", put("partition", "1"), "another topic"),
    ("update", put("offset", "3"), "offset and ordinal"),
    ("update", put("ordinal", "1"), "offset and ordinal"),
    ("snapshot", put("ordinal", "2"), "offset and ordinal"),
    ("snapshot", put("ordinal", "0"), "not followed by its record's own"),
    ("truncate", drop("offset"), "offset is missing"),
    ("update", drop("plan"), "plan is missing"),
    ("update", put("content", {}), "content does not belong"),
    ("insert", put("transaction", {"id": "745", "order": "3", "end": "8"}), "cannot be judged"),
    ("update", put("note", "x"), "note does not belong"),
    ("update", put("flags", []), "flags are not"),
    ("update", put("kind", "changed"), "unknown kind"),
    ("update", put("body", {"length": "1", "sha256": "0" * 64}), "body is missing"),
    ("update", put("schema", "0" * 64), "no entry before introduces"),
    ("update", put("plan", "0" * 64), "no entry before introduces"),
    ("schema", put("schema", "0" * 64), "digests are not those"),
    ("schema", lambda entry: entry["content"]["plan"][0].update(tier="1"), "digests are not those"),
    ("schema", lambda entry: entry["content"]["plan"].pop(), "plan"),
    ("schema", put("content", {}), "content is not"),
    ("baseline", put("content", {"tables": {}}), "not a notification"),
    ("update", within("transaction", "order", "2"), "is missing before this one"),
    ("insert", within("transaction", "order", "4"), "is missing before this one"),
    ("update", within("transaction", "id", "744"), "begins before the one before"),
    ("message", drop("transaction"), "number of entries that its end"),
    ("insert", lambda entry: entry["transaction"]["end"].update(count="2"), "number of entries that its end"),
    ("insert", lambda entry: entry["transaction"]["end"]["tables"].update({"": "2"}), "by table"),
    ("insert", lambda entry: entry["transaction"]["end"].pop("tables"), "not count, offset and tables"),
    ("insert", lambda entry: entry["transaction"]["end"].update(offset="7"), "end of a transaction before"),
    ("insert", lambda entry: entry["transaction"]["end"].update(offset="9"), "offset and ordinal"),
    ("insert", lambda entry: entry["transaction"].pop("end"), "begins before the one before"),
    ("end", within("transaction", "order", "1"), "number of entries that its end"),
    ("update", put("version", "3"), "version does not follow"),
    ("update", put("prev", "0"), "prev is not"),
    ("update", put("prev", None), "prev is not"),
    ("update", drop("prev", "version"), "version and prev are for"),
    ("replay", put("version", "3"), "version and prev are for"),
    ("replay", drop("replay_of"), "version and prev are for"),
    ("update", within("before", "email", example.seal("other")), "before image is not"),
    ("update", within("before", "email", None), "before image is not"),
    ("delete", within("before", "note", "e"), "before image is not"),
    ("update", put("operation", "c"), "images do not suit"),
    ("update", drop("before"), "images do not suit"),
    ("update", put("subject", {"after": example.SUBJECT}), "subject does not name"),
    ("update", put("subject", {"after": "1", "before": "2"}), "subject does not name"),
    ("update", within("subject", "after", OTHER), "after: column email"),
    ("update", within("after", "email", "ana@example.org"), "after: column email"),
    ("update", within("after", "email", WRONG_SEAL), "after: column email"),
    ("update", within("after", "email", example.seal("x", tier=1)), "after: column email"),
    ("update", within("after", "email", {"seal": "AQ=="}), "after: column email"),
    ("update", within("after", "email", {"seal": "!"}), "after: column email"),
    ("update", within("after", "name", "customer 1"), "after: column name"),
    ("update", within("after", "name", {"token": "customer 1"}), "after: column name"),
    ("update", within("after", "pin", "1234"), "after: column pin"),
    ("later update", within("after", "note", {"seal": "AQ=="}), "after: column note"),
    ("update", within("after", "more", None), "columns of its schema"),
    ("update", lambda entry: entry["after"].pop("pin"), "columns of its schema"),
    ("update", within("after", "id", "2"), "key is not that of the after"),
    ("update", put("key", ["2"]), "key is not that of the before"),
    ("fills", put("key", "0" * 64), "not the digest of the image"),
    ("fills", drop("flags"), "flag keyless disagree"),
    ("key change, d", drop("linked_key"), "does not follow its delete"),
    ("key change, c", drop("linked_key"), "not followed by its create"),
    ("key change, c", put("linked_key", ["4"]), "not followed by its create"),
    ("truncate", put("table", "public.customers"), "a row that is gone"),
    ("truncate", put("table", "fills"), "table is misspelt"),
]
"""Where, what is done to the entry there, and what the independent reader says of it."""
