"""The auditor's questions as SQL files: psql gives the same answers as the commands."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from random import Random

import psycopg2
import pytest

from cdc.local.postgres import binaries
from cdc.warehouse.migrate import sql_folder
from tests.audit import ask, configuration
from tests.history import History
from tests.real.test_audit_as_of import at
from tests.warehouse import log, query, worker

FILES = sorted((sql_folder() / "audit").glob("*.sql"))
Rows = list[dict[str, str]]


def psql(database, name: str, **variables: str) -> list[Rows]:
    """The results of a file, run as its header says."""
    parts = psycopg2.extensions.parse_dsn(database.auditor_dsn)
    given = [option for pair in variables.items() for option in ("-v", "=".join(pair))]
    done = subprocess.run(
        [binaries() / "psql", "-X", "-q", "--csv", "-v", "ON_ERROR_STOP=1", *given, "-P", "null=<null>", "-f", sql_folder() / "audit" / f"{name}.sql"],
        env={**{f"PG{key.upper()}": str(value) for key, value in parts.items() if key != "dbname"}, "PGDATABASE": parts["dbname"], "PGCLIENTENCODING": "UTF8", "PGTZ": "UTC"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    headers = COLUMNS[name]
    results: list[Rows] = []
    for line in csv.reader(io.StringIO(done.stdout, newline="")):
        if len(results) < len(headers) and line == headers[len(results)]:
            results.append([])
        else:
            results[-1].append(dict(zip(headers[len(results) - 1], line, strict=True)))
    assert len(results) == len(headers)
    return results


MOMENT = ["seq", "transaction_id", "committed", "known"]
COLUMNS = {
    "tables": [["source", "table", "seq", "view", "key", "columns", "suspended", "history_view_behind"]],
    "completeness": [
        ["origin", "entries", "complete_through", "complete_seq", "known_since_seq", "known_since", "open_transaction", "halted_code"],
        ["seq", "from", "through", "reason", "read_anew"],
        ["table_name", "suspended_code", "suspended_seq"],
        ["table_name", "rows_waiting", "since_seq"],
        ["seq", "table_name", "kafka_offset"],
    ],
    "history": [["seq", "version", "committed", "operation", "transaction_id", "replay", "linked_key", "before", "after"]],
    "as_of": [MOMENT, ["row_key", "seq", "version", "row"]],
    "as_of_keyless": [MOMENT, ["row_key", "seq", "copies", "row"]],
    "transaction": [["seq", "order", "kind", "operation", "table_name", "row_key", "version", "replay", "before", "after", "content", "end"]],
}  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_file_says_what_it_answers_and_is_run_here(file):
    text = file.read_text()
    assert file.stem in COLUMNS
    assert text.startswith("-- ")
    assert text.splitlines()[0].rstrip().endswith("?")
    assert f"-f sql/audit/{file.name}" in text
    assert "\n-- Shows: " in text
    assert "\n-- Limit: " in text
    used = set(re.findall(r":'(\w+)'", text))
    assert used == set(re.findall(r"-v (\w+)=", text))


@pytest.fixture(params=range(3))
def lived(warehouse_database, tmp_path, request):
    random = Random(f"sql {request.param}")
    with worker(warehouse_database) as it:
        it.bring(History(random).grow(30).feed.records, limit=random.choice((5, 1000)))
    return warehouse_database, configuration(warehouse_database, tmp_path), random


def test_tables_at_instants(lived):
    database, path, random = lived
    entries = [json.loads(text) for _, text, _, _ in log(database)]
    instants = sorted({int(entry["ordered_at"]) // 1000 * 1000 for entry in entries})  # timestamptz has microseconds
    ((known,),) = query(database.auditor_dsn, "SELECT audit.baseline('trading')")
    described = psql(database, "tables")[0]
    assert len(described) >= 4
    for instant in [*random.sample(instants, min(4, len(instants))), instants[-1]]:
        for table in described:
            name = "as_of" if table["key"] != "<null>" else "as_of_keyless"
            (moment,), rows = psql(database, name, source=table["source"], table=table["table"], at=at(instant))
            said = ask(path, "as-of", f"{table['source']}.{table['table']}", "--at", at(instant), "--output", "json")
            if int(moment["seq"]) < known:
                assert (moment["known"], rows, said.code) == ("f", [], 4)
                continue
            assert moment["known"] == "t"
            document = said.document
            assert (int(moment["seq"]), moment["transaction_id"]) == (
                document["as_of"]["seq"],
                document["as_of"]["transaction"] or "<null>",
            )
            ours = [
                (json.dumps(row["key"], separators=(",", ":"), ensure_ascii=False) if name == "as_of" else row["key"], row["seq"], row["version"] or row["copies"], row["row"])
                for row in document["rows"]
            ]  # fmt: skip
            assert [
                (row["row_key"], int(row["seq"]), int(row.get("version") or row["copies"]), json.loads(row["row"]))
                for row in rows
            ] == ours


def test_lives_of_rows(lived):
    database, path, random = lived
    keys = query(database.auditor_dsn, "SELECT DISTINCT table_name, row_key FROM audit.entry WHERE row_key LIKE '[%%'")
    for table, key in random.sample(sorted(keys), 4):
        (rows,) = psql(database, "history", source="trading", table=table, key=key)
        values = [part["token"] if isinstance(part, dict) else part for part in json.loads(key)]
        ours = ask(path, "history", table, "--full", "--output", "ndjson", "--", *values).lines
        truncates = {row["seq"] for row in rows if row["operation"] == "t"}
        shown = [row for row in rows if row["operation"] != "t"]
        assert [line["seq"] for line in ours if line["operation"] != "t"] == [int(row["seq"]) for row in shown]
        assert {str(line["seq"]) for line in ours if line["operation"] == "t"} <= truncates
        for row, line in zip(shown, [line for line in ours if line["operation"] != "t"], strict=True):
            assert row["version"] == ("<null>" if line["version"] is None else str(line["version"]))
            assert (row["replay"] == "t") is (line["replay_of"] is not None)
            for side in ("before", "after"):
                assert json.loads("null" if row[side] == "<null>" else row[side]) == line.get(side)
            assert json.loads("null" if row["linked_key"] == "<null>" else row["linked_key"]) == line["linked_key"]


def test_transactions(lived):
    database, path, random = lived
    ids = query(
        database.auditor_dsn, "SELECT DISTINCT transaction_id FROM audit.entry WHERE transaction_id IS NOT NULL"
    )
    for (name,) in random.sample(sorted(ids), 4):
        (rows,) = psql(database, "transaction", source="trading", id=name)
        document = ask(path, "transaction", name, "--full", "--output", "json").document
        assert [int(row["seq"]) for row in rows] == [line["seq"] for line in document["changes"]]
        for row, line in zip(rows, document["changes"], strict=True):
            assert (row["kind"], row["table_name"]) == (line["kind"], line["table"] or "<null>")
            assert row["order"] == ("<null>" if line["order"] is None else str(line["order"]))
            for side in ("before", "after"):
                assert json.loads("null" if row[side] == "<null>" else row[side]) == line.get(side)
            if line["kind"] == "message":
                assert json.loads(row["content"]) == line["message"]
        ends = [json.loads(row["end"]) for row in rows if row["end"] != "<null>"]
        assert [(end["count"], end["tables"]) for end in ends] == [
            (run["end"]["count"], run["end"]["tables"]) for run in document["occurrences"]
        ]


def test_completeness(lived):
    database, path, _ = lived
    (stream,), gaps, suspended, waiting, quarantined = psql(database, "completeness", source="trading")
    known = ask(path, "as-of", "orders", "--at", "now", "--output", "json").document["completeness"]
    assert (stream["origin"], int(stream["entries"]), int(stream["complete_seq"]), int(stream["known_since_seq"])) == (
        known["origin"], known["entries"], known["complete_seq"], known["known_since"]["seq"],
    )  # fmt: skip
    assert (gaps, suspended, waiting, quarantined, known["waiting"], known["quarantined"]) == ([], [], [], [], [], [])
    assert (stream["open_transaction"], stream["halted_code"]) == ("<null>", "<null>")
    assert stream["complete_through"][:10] == known["complete_through"][:10]
