"""The same for MariaDB: one numbered, seeded schema and its life, in its dialect. Everything follows from seed and number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.postgres import Literal, Type

WORDS = (
    "order", "select", "user", "Table", "Mixed Case", "größe", "表", "имя", "a.b", "it's", "with, comma", "%s", "{0}", "$1",
    "semi;colon", "-- no", "a" * 59, "ё" * 40, "_key", "_version", "_seq", "_deleted", "_copies", "_committed_at", "op", "before",
    "after", "source", "schema", "payload", "c0", " lead", "null", "1st", "camelCase", "x", "y", "note", "état", "a/b", "#", "[x]", "*",
)  # fmt: skip
OPEN = frozenset({"add-default", "engine"})
"""What is known not to come through (docs/reliability.md): only on demand."""


def quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def text_literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _of(*literals: str) -> Literal:
    return lambda random: random.choice(literals)


_TEXTS = ("", "a", "NULL", "\\N", "tab\tnew\nline\r", "it's", '"q"', "é😀", "\u2028", "x" * 300, "%s {0}", "__debezium_unavailable_value", " pad ", "y" * 9000)


def _text(random: Random) -> str:
    return text_literal(random.choice(_TEXTS) + (str(random.randrange(100)) if random.random() < 0.5 else ""))


def _whole(bits: int, *, unsigned: bool = False) -> Literal:
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return lambda random: str(random.choice((low, high, 0, 1, random.randrange(max(low, -100), 100))))


def _json(random: Random) -> str:
    return text_literal(json.dumps(random.choice(({"a": [1, 2.50, None, "é'"]}, [], {}, "text", 17, None)), ensure_ascii=random.random() < 0.5))


def _bytes(most: int) -> Literal:
    return lambda random: f"x'{random.randbytes(random.randrange(most + 1)).hex()}'"


INT = Type("int", _whole(32))
TYPES = (
    INT, Type("text", _text), Type("longtext", _text),
    Type("tinyint", _whole(8)), Type("smallint unsigned", _whole(16, unsigned=True)), Type("mediumint", _whole(24)),
    Type("int unsigned", _whole(32, unsigned=True)), Type("bigint", _whole(64)), Type("bigint unsigned", _whole(64, unsigned=True)),
    Type("boolean", _of("true", "false")),
    Type("decimal(12,3)", _of("0", "1.5", "-99999999.999", "0.001")),
    Type("decimal(65,30)", _of("12345678901234567890123456789012345.123456789012345678901234567890", "-0.000000000000000000000000000001", "0", "7")),
    Type("double", _of("0", "1.5", "-2.25e-300", "1e15", "0.1", "1.7976931348623157e308", "-0.00001")),
    Type("float", _of("0", "1.5", "-0.25", "1024")),
    Type("varchar(20)", lambda random: text_literal(random.choice(_TEXTS)[:20])),
    Type("varchar(30) CHARACTER SET latin1", _of("'café'", "'€'", "''", "'a b '")),
    Type("char(5)", _of("'a'", "'abcde'", "''")),
    Type("date", _of("'2024-02-29'", "'9999-12-31'", "'1600-01-01'")),
    Type("datetime", _of("'2024-02-29 12:00:00'", "'9999-12-31 23:59:59'", "'1969-12-31 23:59:59'")),
    Type("datetime(3)", _of("'2024-02-29 12:00:00.123'", "'2000-01-01'")),
    Type("datetime(6)", _of("'2024-02-29 12:00:00.123456'", "'1969-12-31 23:59:59.999999'")),
    Type("timestamp(6) NULL", _of("'2024-02-29 12:00:00.123456'", "'2038-01-19 03:14:07.999999'")),
    Type("time", _of("'00:00:00'", "'838:59:59'", "'-838:59:59'", "'24:00:00'", "'-00:00:01'")),
    Type("time(6)", _of("'12:30:00.5'", "'-838:59:58.999999'", "'00:00:00.000001'")),
    Type("year", _of("1901", "2155", "2024")),
    Type("binary(4)", _of("x'00ff'", "x'ffffffff'", "x'00000000'")), Type("varbinary(9)", _bytes(9)), Type("mediumblob", _bytes(3000)),
    Type("bit(1)", _of("b'1'", "b'0'")), Type("bit(9)", _of("b'101010101'", "b'0'", "b'1'")), Type("bit(64)", _of("18446744073709551615", "1", "0")),
    Type("enum('a','b,c','é')", _of("'a'", "'b,c'", "'é'")), Type("set('x','y','z z')", _of("'x,z z'", "''", "'y'")),
    Type("json", _json), Type("point", _of("st_geomfromtext('POINT(1 2)')", "st_geomfromtext('POINT(-0.5 1e10)')")),
)  # fmt: skip
KEYS = (
    INT, INT, Type("bigint unsigned", _whole(64, unsigned=True)), Type("varchar(20)", _text), Type("varchar(20) COLLATE utf8mb4_bin", _text),
    Type("date", _of("'2024-01-01'")), Type("decimal(10,2)", _of("1")), Type("datetime(6)", _of("'2024-01-01'")), Type("varbinary(20)", _bytes(9)),
)  # fmt: skip
_UNSPOKEN = frozenset({"text", "longtext", "mediumblob", "json", "point"})
"""Types without a default."""


def key_literal(kind: Type, number: int) -> str:
    """The key value of that number."""
    if kind.sql == "date":
        return f"date '2000-01-01' + INTERVAL {number} DAY"
    if kind.sql == "datetime(6)":
        return f"timestamp '2000-01-01 00:00:00' + INTERVAL {number} MICROSECOND"
    if kind.sql.startswith("varbinary"):
        return f"x'{number:08x}00'"
    if kind.sql == "decimal(10,2)":
        return f"{number}.50"
    if kind.sql.startswith("varchar"):
        return text_literal(f"k{number}\té\n" if number % 3 else f" {number}'\\")
    return str(number)


@dataclass
class Column:
    name: str
    type: Type
    nullable: bool = True
    made: bool = False


@dataclass
class Table:
    """A table as the scenario believes it to be."""

    schema: str
    name: str
    columns: list[Column]
    key: list[str]
    captured: bool = True
    parent: str | None = None
    next_key: int = 0
    innodb: bool = True
    widened: bool = False
    reshaped: bool = False

    @property
    def sql(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"


@dataclass
class Scenario:
    """``create`` makes the tables, ``fill`` the rows that a snapshot finds; ``transactions`` is what follows."""

    seed: int
    number: int
    with_open: frozenset[str] = frozenset()
    prefix: str = "fuzz"
    tables: list[Table] = field(default_factory=list)
    create: list[str] = field(default_factory=list)
    fill: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(f"mariadb/{self.seed}/{self.number}")
        self.schema = f"{self.prefix}{self._random.choice(('', ' Mixed', '-größe', ' select'))} f{self.number}"
        self.create.append(f"CREATE DATABASE {quoted(self.schema)} CHARACTER SET utf8mb4")
        for index in range(self._random.choice((1, 1, 2, 3))):
            self._make(index)
        for table in self.tables:
            self.fill += [self._insert(table) for _ in range(self._random.choice((0, 1, 3)))]

    def _make(self, index: int) -> None:
        random = self._random
        kind = random.choices(("one", "two", "counted", "unique", "none"), (40, 15, 15, 10, 20))[0]
        count = 1 if random.random() < 0.05 else random.choice((2, 3, 5, 8, 20))
        words = random.sample(WORDS, count + 3)
        keys = {"one": 1, "two": 2, "counted": 1, "unique": 1, "none": 0}[kind]
        columns = [Column(words[n], INT if kind == "counted" else random.choice(KEYS), nullable=False) for n in range(keys)]
        columns += [Column(words[n], random.choice(TYPES), nullable=random.random() < 0.7) for n in range(keys, max(count, 1))]
        parents = [other for other in self.tables if other.captured and other.innodb and len(other.key) == 1]
        referring = bool(parents) and keys > 0 and kind not in {"counted", "unique"} and random.random() < 0.6
        if referring:
            columns[0].type = parents[0].columns[0].type
        name = f"{random.choice(WORDS)[:55]} t{index}" if random.random() < 0.6 else f"t{index}"
        table = Table(self.schema, name, columns, [column.name for column in columns[:keys]])
        parts = []
        for n, column in enumerate(columns):
            null = "" if column.nullable else " NOT NULL"
            counted = " AUTO_INCREMENT" if kind == "counted" and n == 0 else ""
            column.made = bool(counted)
            spoken = not column.nullable and n > 1 and column.type.sql not in _UNSPOKEN and random.random() < 0.5
            default = f" DEFAULT {column.type.literal(random)}" if spoken else ""
            parts.append(f"{quoted(column.name)} {column.type.sql}{null}{default}{counted}")
        if keys:
            listed = ", ".join(map(quoted, table.key))
            parts.append(f"UNIQUE KEY ({listed})" if kind == "unique" else f"PRIMARY KEY ({listed})")
        if referring:
            self._refer(table, parents[0], parts)
        if random.random() < 0.2:
            how = random.choice(("STORED", "VIRTUAL"))
            columns.append(Column(words[-1], INT, made=True))
            parts.append(f"{quoted(words[-1])} int GENERATED ALWAYS AS (7 * {random.randrange(9)}) {how}")
        if random.random() < 0.1 and table.captured:
            columns.append(Column(words[-2], INT))
            parts.append(f"{quoted(words[-2])} int INVISIBLE")
        split, types = "", {column.type.sql for column in columns}
        if table.parent is None and table.captured and keys and kind != "unique" and columns[0].type.sql in {"int", "bigint unsigned"} and "point" not in types and random.random() < 0.2:
            split = f" PARTITION BY HASH ({quoted(table.key[0])}) PARTITIONS 3"
        engine = ""
        if "engine" in self.with_open and table.parent is None and table.captured and not split:
            engine = random.choice(("", "", "", " ENGINE=Aria", " ENGINE=MyISAM"))
            table.captured = not engine
        table.innodb = not (engine or split)
        self.create.append(f"CREATE TABLE {table.sql} ({', '.join(parts)}){engine}{split}")
        self.tables.append(table)

    def _refer(self, table: Table, other: Table, parts: list[str]) -> None:
        """A foreign key; one that cascades keeps the table out."""
        action = self._random.choice(("CASCADE", "RESTRICT", "RESTRICT"))
        table.captured = action != "CASCADE"
        parts.append(f"FOREIGN KEY ({quoted(table.key[0])}) REFERENCES {other.sql} ({quoted(other.key[0])}) ON DELETE {action}")
        table.parent = f"(SELECT {quoted(other.key[0])} FROM {other.sql} ORDER BY md5(concat({quoted(other.key[0])}, '<n>')) LIMIT 1)"

    def transactions(self, count: int) -> Iterator[list[str]]:
        """Transactions, each from BEGIN to COMMIT or ROLLBACK; a DDL, which commits, alone."""
        random = self._random
        for _ in range(count):
            statements = ["BEGIN"]
            for n in range(random.choice((1, 1, 2, 4, 12))):
                if random.random() < 0.15:
                    inner = [self._change() for _ in range(random.choice((1, 2)))]
                    statements += [f"SAVEPOINT s{n}", *inner, random.choice((f"ROLLBACK TO s{n}", f"RELEASE SAVEPOINT s{n}"))]
                else:
                    statements.append(self._change())
            yield [*statements, "COMMIT" if random.random() < 0.9 else "ROLLBACK"]
            if random.random() < 0.03:
                yield [f"TRUNCATE TABLE {random.choice(self.tables).sql}"]
            if random.random() < 0.08:
                yield [self._reshape()]

    def _change(self) -> str:
        table = self._random.choice(self.tables)
        kinds = (self._insert, self._update, self._delete, self._move, self._twice, self._replace)
        return self._random.choices(kinds, (40, 30, 12, 10, 4, 4))[0](table)

    def _insert(self, table: Table, verb: str = "INSERT", more: str = "") -> str:
        columns = [column for column in table.columns if not column.made]
        rows = [f"({', '.join(self._value(table, column) for column in columns)})" for _ in range(self._random.choice((1, 1, 1, 2, 5)))]
        return f"{verb} INTO {table.sql} ({', '.join(quoted(column.name) for column in columns)}) VALUES {', '.join(rows)}{more}"

    def _replace(self, table: Table) -> str:
        """REPLACE, or INSERT that updates: the server decides which changes it writes."""
        free = [column for column in table.columns if not column.made and column.name not in table.key]
        if self._random.random() < 0.5 or not free:
            return self._insert(table, "REPLACE")
        one = self._random.choice(free)
        return self._insert(table, more=f" ON DUPLICATE KEY UPDATE {quoted(one.name)} = {self._value(table, one)}")

    def _twice(self, table: Table) -> str:
        """Rows that are there once more: copies without a key, passed over with one."""
        names = ", ".join(quoted(column.name) for column in table.columns if not column.made)
        if not names:
            return f"INSERT INTO {table.sql} () VALUES ()"
        return f"INSERT IGNORE INTO {table.sql} ({names}) SELECT {names} FROM {table.sql} LIMIT 3"

    def _value(self, table: Table, column: Column) -> str:
        random = self._random
        if column.name in table.key:
            if table.parent is not None and column.name == table.key[0]:
                return table.parent.replace("<n>", str(random.randrange(100)))
            table.next_key += 1
            return key_literal(column.type, table.next_key if random.random() < 0.95 else random.randrange(1, table.next_key + 1))
        if column.nullable and random.random() < 0.25:
            return "NULL"
        return column.type.literal(random)

    def _some(self, table: Table) -> str:
        """Rows in an order that the data alone decides, as far as it does."""
        by = [quoted(column.name) for column in table.columns if column.name in table.key] or [quoted(column.name) for column in table.columns[:3]]
        return f" ORDER BY md5(concat_ws('|', {', '.join(by)}, '{self._random.randrange(100)}')) LIMIT {self._random.choice((1, 1, 2, 10))}"

    def _update(self, table: Table) -> str:
        free = [column for column in table.columns if not column.made and column.name not in table.key]
        if not free:
            return self._insert(table)
        chosen = self._random.sample(free, self._random.randint(1, len(free)))
        sets = [f"{quoted(c.name)} = {quoted(c.name) if self._random.random() < 0.1 else self._value(table, c)}" for c in chosen]
        return f"UPDATE {table.sql} SET {', '.join(sets)}{self._some(table)}"

    def _delete(self, table: Table) -> str:
        return f"DELETE FROM {table.sql}{self._some(table)}"

    def _move(self, table: Table) -> str:
        """A key change."""
        keys = [column for column in table.columns if column.name in table.key and not column.made]
        if not keys or table.parent is not None:
            return self._update(table)
        column = self._random.choice(keys)
        return f"UPDATE {table.sql} SET {quoted(column.name)} = {self._value(table, column)} ORDER BY md5({quoted(column.name)}) LIMIT 1"

    def _reshape(self) -> str:
        random = self._random
        table = random.choice(self.tables)
        kind = random.choices(("add", "add-default", "drop", "rename", "index", "again"), (50, 20 if "add-default" in self.with_open else 0, 10, 10, 10, 10))[0]
        free = [c for c in table.columns if c.name not in table.key and not c.made]
        if kind in {"add", "add-default"}:
            column = Column(f"added {len(table.columns)}", random.choice(TYPES))
            default = f" DEFAULT {column.type.literal(random)}" if kind == "add-default" and column.type.sql not in _UNSPOKEN else ""
            where = random.choice(("", "", " FIRST", f" AFTER {quoted(table.columns[0].name)}"))
            table.columns.append(column)
            table.widened = True
            return f"ALTER TABLE {table.sql} ADD COLUMN {quoted(column.name)} {column.type.sql}{default}{where}"
        if kind == "drop" and len(free) > 1:
            table.columns.remove(gone := random.choice(free[1:]))
            table.reshaped = True
            return f"ALTER TABLE {table.sql} DROP COLUMN {quoted(gone.name)}"
        if kind == "rename" and free:
            column = random.choice(free)
            old, column.name = column.name, f"renamed {random.randrange(1000)}"
            table.reshaped = True
            return f"ALTER TABLE {table.sql} RENAME COLUMN {quoted(old)} TO {quoted(column.name)}"
        if kind == "index":
            return f"ALTER TABLE {table.sql} ADD INDEX ({quoted(table.columns[0].name)}{'(5)' if table.columns[0].type.sql in _UNSPOKEN else ''})"
        return f"ALTER TABLE {table.sql} COMMENT = {text_literal('it''s; a -- comment')}, ALGORITHM=COPY"
