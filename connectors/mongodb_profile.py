"""The profile of a Debezium 3.6 MongoDB connector. Every setting carries its reason.

The real connector has accepted these settings (``tests/real/test_profiles.py``); no MongoDB has been captured with
them, and ``cdc replicate`` does not read what it writes: a document is one JSON text there, not columns. Source:
Debezium 3.6 documentation, "MongoDB connector".

There is no TRUNCATE, no statement at a heartbeat, so no source epoch, and no history of tables.
"""

from __future__ import annotations

from connectors.definition import Definition
from connectors.kinds import SIGNAL
from connectors.secrets import SecretLookup, resolve
from connectors.setting import (
    Setting,
    Settings,
    connection,
    failing,
    heartbeat,
    include_patterns,
    once,
    one_topic,
    queue,
    said,
    signals,
    topic_prefix,
)

CONNECTOR_CLASS = "io.debezium.connector.mongodb.MongoDbConnector"


def expand(definition: Definition, secrets: SecretLookup) -> Settings:
    """The whole configuration with its reasons."""
    return {
        **_connection(definition, secrets),
        **_captured(definition),
        **one_topic(definition),
        **once("nothing is left out; MongoDB has no TRUNCATE events, whatever this says"),
        **failing(),
        "cursor.oversize.handling.mode": Setting(
            "fail", "an event above 16 MB stops the task; `skip` would leave it out without a word"
        ),
        **heartbeat(definition, ", and the position moves on before the oplog has gone past it"),
        **queue(definition),
    }


def _connection(definition: Definition, secrets: SecretLookup) -> Settings:
    database = definition.database
    members = f"?replicaSet={definition.replica_set}" if definition.replica_set else ""
    return {
        **connection(definition, secrets, CONNECTOR_CLASS, "one change stream, one order", "mongodb"),
        "mongodb.connection.string": said(
            f"mongodb://{resolve(database.host, secrets)}:{resolve(database.port, secrets)}/{members}",
            "database.host, database.port, replica_set: the other members are found through this one",
        ),
        "mongodb.authsource": said(database.name, "database.name: where its user is defined"),
        "mongodb.ssl.enabled": said(
            str(database.sslmode != "disable").lower(), "database.sslmode; Debezium's default is plain text"
        ),
        "mongodb.ssl.invalid.hostname.allowed": said(
            str(database.sslmode == "verify-ca").lower(), "database.sslmode: whether the certificate may name another"
        ),
    }


def _captured(definition: Definition) -> Settings:
    return {
        **topic_prefix(definition),
        "collection.include.list": said(",".join(include_patterns(definition)), "schemas, tables, exclude"),
        "capture.scope": Setting("deployment", "one change stream over all databases: one order"),
        "capture.mode": Setting(
            "change_streams_update_full_with_pre_image",
            "the document before and after each change: the collections need changeStreamPreAndPostImages",
        ),
        "capture.mode.full.update.type": Setting(
            "post_image", "the document as it was then (MongoDB 6.0); a look-up shows what it has become since"
        ),
        "snapshot.mode": Setting("initial", "one baseline, then the log; never a silent second one"),
        "snapshot.max.threads": Setting("1", "documents in one order"),
        **signals(definition, SIGNAL),
    }
