"""What the local MariaDB server needs before ``portfolio`` can be captured: its tables, and those of capture."""

from __future__ import annotations

import hashlib

import pymysql

from cdc.errors import ConfigError
from cdc.local.mariadb import Server
from cdc.local.part import Report
from cdc.warehouse.migrate import sql_folder

_DONE = "CREATE TABLE IF NOT EXISTS cdc_local.prepared (digest char(16) PRIMARY KEY)"
"""In a database of its own, which is not captured. A DDL commits by itself, so this says that all of them were run."""


def source(server: Server, password: str, report: Report) -> None:
    """Run ``sql/source/mariadb/portfolio/*.sql`` and ``capture.sql`` once; what a broken run left is dropped.

    ``password``: of the account that captures.

    Raises:
        ConfigError: a statement fails; the message names the file and MariaDB's error number.
    """
    folder = sql_folder() / "source" / "mariadb"
    files = [*sorted((folder / "portfolio").glob("*.sql")), folder / "capture.sql"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS cdc_local")
        cursor.execute(_DONE)
        cursor.execute("SELECT digest FROM cdc_local.prepared")
        done = [row[0] for row in cursor.fetchall()]
        if done:
            if done != [digest]:
                report("mariadb: portfolio has older tables than sql/source/mariadb (cdc local reset starts anew)")
            return
        cursor.execute("DROP DATABASE IF EXISTS portfolio")
        cursor.execute("CREATE DATABASE portfolio CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
        cursor.execute("USE portfolio")
        for file in files:
            for statement in statements(file.read_text(encoding="utf-8")):
                try:
                    cursor.execute(statement)
                except pymysql.err.MySQLError as error:
                    raise ConfigError(f"{file}: MariaDB error {error.args[0]}") from None
        cursor.execute("ALTER USER cdc_capture@'%%' IDENTIFIED BY %s ACCOUNT UNLOCK", (password,))
        cursor.execute("INSERT INTO cdc_local.prepared VALUES (%s)", (digest,))
        report(f"mariadb: portfolio has its {len(files)} schema files")


def statements(script: str) -> list[str]:
    """A script's statements, without lines that are comments; each ends with a semicolon at a line's end."""
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    return [text.strip() for text in "\n".join(lines).split(";\n") if text.strip().rstrip(";")]
