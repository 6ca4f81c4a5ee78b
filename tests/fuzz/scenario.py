"""One seeded schema and its life. Everything follows from seed and number; nothing is asked of a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from tests.fuzz import postgres as db
from tests.fuzz.postgres import Type, quoted

OPEN = frozenset({"add-default", "same-name", *db.OPEN_TYPES})
"""Kinds of changes that are known not to come through (docs/reliability.md): only on demand."""


@dataclass
class Column:
    name: str
    type: Type
    nullable: bool = True
    made: bool = False
    """The database fills it: identity or generated."""


@dataclass
class Table:
    """A table as the scenario believes it to be. ``key``: names of its key columns; empty without a key."""

    schema: str
    name: str
    columns: list[Column]
    key: list[str]
    shape: str
    """plain, partitioned, or why it is not captured: unlogged, inherited, virtual."""
    parent: str | None = None
    """SQL that gives a value for the first key column's foreign key."""
    next_key: int = 0
    partitions: int = 0
    added: int = 0
    widened: bool = False
    """A column was added: state has it from the first change after that on."""
    reshaped: bool = False
    """A column was dropped or renamed, so its state may be suspended."""

    @property
    def sql(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def captured(self) -> bool:
        return self.shape in {"plain", "partitioned"}


@dataclass
class Scenario:
    """``create`` makes the tables, ``fill`` the rows that a snapshot finds; ``transactions`` is what follows."""

    seed: int
    number: int
    with_open: frozenset[str] = frozenset()
    tables: list[Table] = field(default_factory=list)
    create: list[str] = field(default_factory=list)
    fill: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = Random(f"{self.seed}/{self.number}")
        self._types = (*db.TYPES, *(db.OPEN_TYPES[name] for name in sorted(self.with_open & db.OPEN_TYPES.keys()) for _ in range(8)))
        self.schema = db.fitted(self._random.choice(db.SCHEMA_WORDS), f" f{self.number}")
        self.create.append(f"CREATE SCHEMA {quoted(self.schema)}")
        for index in range(self._random.choice((1, 1, 2, 3))):
            self._make(index)
        for table in self.tables:
            self.fill += [self._insert(table) for _ in range(self._random.choice((0, 1, 3)))]

    # Tables.

    def _make(self, index: int) -> None:
        random = self._random
        shape = random.choices(("plain", "partitioned", "unlogged", "inherited", "virtual"), (70, 18, 3, 3, 3))[0]
        key_kind = random.choices(("one", "two", "identity", "unique", "none"), (40, 15, 15, 10, 20))[0]
        count = 1 if random.random() < 0.05 else random.choice((2, 3, 5, 8, 20))
        words = random.sample(db.WORDS, count + 2)
        key_columns = {"one": 1, "two": 2, "identity": 1, "unique": 1, "none": 0}[key_kind]
        columns = [Column(words[n], db.INT if key_kind == "identity" else random.choice(db.KEYS), nullable=False) for n in range(key_columns)]
        columns += [Column(words[n], random.choice(self._types), nullable=random.random() < 0.7) for n in range(key_columns, max(count, 1))]
        name = db.fitted(random.choice(db.WORDS), f" t{index}") if random.random() < 0.6 else f"t{index}"
        key = [column.name for column in columns[:key_columns]]
        table = Table(self.schema, name, columns, key, shape)
        parts, spoken = [], random.random() < 0.5
        for n, column in enumerate(columns):
            parts.append(f"{quoted(column.name)} {column.type.sql}{'' if column.nullable else ' NOT NULL'}{self._extra(key_kind, n, column)}")
        if key_columns and key_kind != "unique":
            parts.append(f"PRIMARY KEY ({', '.join(map(quoted, key))})")
        if key_columns and random.random() < 0.3 and key_kind != "identity" and shape == "plain":
            self._refer(table, parts)
        if random.random() < 0.15 and shape in {"plain", "partitioned"}:
            made = Column(words[-1], db.INT, made=True)
            columns.append(made)
            parts.append(f"{quoted(made.name)} integer GENERATED ALWAYS AS (7 * {random.randrange(9)}) STORED")
        if shape == "virtual":
            made = Column(words[-1], db.INT, made=True)
            columns.append(made)
            parts.append(f"{quoted(made.name)} integer GENERATED ALWAYS AS (1 + 1) VIRTUAL")
        unlogged = "UNLOGGED " if shape == "unlogged" else ""
        by = f" PARTITION BY HASH ({quoted(key[0])})" if shape == "partitioned" and key else ""
        if shape == "partitioned" and not key:
            by = f" PARTITION BY LIST ({quoted(columns[0].name)})" if columns[0].type.sql not in {"json", "xml", "point", "circle", "jsonpath"} else ""
            table.shape = "partitioned" if by else "plain"
        self.create.append(f"CREATE {unlogged}TABLE {table.sql} ({', '.join(parts)}){by}")
        if key_kind == "unique":
            self.create.append(f"CREATE UNIQUE INDEX ON {table.sql} ({quoted(key[0])})")
        if shape == "inherited":
            self.create.append(f"CREATE TABLE {quoted(self.schema)}.{quoted(f'heir {index}')} () INHERITS ({table.sql})")
        if by:
            self._partition(table, hashed=bool(key))
        if spoken and key:
            self.create.append(f"COMMENT ON TABLE {table.sql} IS 'fuzz'")
        self.tables.append(table)

    def _extra(self, key_kind: str, n: int, column: Column) -> str:
        if key_kind == "identity" and n == 0:
            column.made = True
            return f" GENERATED {self._random.choice(('ALWAYS', 'BY DEFAULT'))} AS IDENTITY"
        if not column.nullable and n > 1 and self._random.random() < 0.5:
            return f" DEFAULT {column.type.literal(self._random)}"
        return ""

    def _refer(self, table: Table, parts: list[str]) -> None:
        first = table.columns[0]
        for other in self.tables:
            if other.captured and len(other.key) == 1 and other.columns[0].type.sql == first.type.sql and not other.reshaped:
                action = self._random.choice(("CASCADE", "RESTRICT", "CASCADE"))
                parts.append(
                    f"FOREIGN KEY ({quoted(first.name)}) REFERENCES {other.sql} ({quoted(other.key[0])}) ON DELETE {action} ON UPDATE CASCADE"
                )
                table.parent = f"(SELECT {quoted(other.key[0])} FROM {other.sql} ORDER BY md5({quoted(other.key[0])}::text || '<n>') LIMIT 1)"
                return

    def _partition(self, table: Table, *, hashed: bool) -> None:
        """Two hash partitions, or a default one; a third can be attached later to lists."""
        table.partitions = 2
        part = f"{quoted(self.schema)}.{quoted(db.fitted(table.name, ' p'))}"
        if not hashed:
            self.create.append(f"CREATE TABLE {part} PARTITION OF {table.sql} DEFAULT")
            return
        for n in range(2):
            name = f"{quoted(self.schema)}.{quoted(db.fitted(table.name, f' p{n}'))}"
            self.create.append(f"CREATE TABLE {name} PARTITION OF {table.sql} FOR VALUES WITH (MODULUS 2, REMAINDER {n})")

    # Changes.

    def transactions(self, count: int) -> Iterator[list[str]]:
        """Transactions, each a list of statements that begins with BEGIN and ends with COMMIT or ROLLBACK."""
        random = self._random
        for _ in range(count):
            statements = ["BEGIN"]
            for _ in range(random.choice((1, 1, 2, 4, 12))):
                if random.random() < 0.15:
                    inner = [self._change() for _ in range(random.choice((1, 2)))]
                    statements += ["SAVEPOINT inner_one", *inner]
                    statements.append(random.choice(("ROLLBACK TO inner_one", "RELEASE inner_one")))
                else:
                    statements.append(self._change())
            statements.append("COMMIT" if random.random() < 0.9 else "ROLLBACK")
            yield statements
            if random.random() < 0.08:
                yield ["BEGIN", *self._reshape(), "COMMIT"]

    def _change(self) -> str:
        random = self._random
        table = random.choice(self.tables)
        kinds = (self._insert, self._update, self._delete, self._move, self._truncate, self._message, self._twice)
        return random.choices(kinds, (40, 30, 12, 10, 3, 2, 3))[0](table)

    def _insert(self, table: Table) -> str:
        columns = [column for column in table.columns if not column.made]
        if not columns:
            return f"INSERT INTO {table.sql} DEFAULT VALUES"
        rows = [f"({', '.join(self._value(table, column) for column in columns)})" for _ in range(self._random.choice((1, 1, 1, 2, 5)))]
        return f"INSERT INTO {table.sql} ({', '.join(quoted(column.name) for column in columns)}) VALUES {', '.join(rows)}"

    def _twice(self, table: Table) -> str:
        """Rows that are there once more: copies without a key, refused with one."""
        names = ", ".join(quoted(column.name) for column in table.columns if not column.made)
        if not names:
            return f"INSERT INTO {table.sql} DEFAULT VALUES"
        return f"INSERT INTO {table.sql} ({names}) SELECT {names} FROM {table.sql} t ORDER BY md5(t::text) LIMIT 3"

    def _value(self, table: Table, column: Column) -> str:
        random = self._random
        if table.key and column.name in table.key:
            if table.parent is not None and column.name == table.key[0]:
                return table.parent.replace("<n>", str(random.randrange(100)))
            table.next_key += 1
            return db.key_literal(column.type, table.next_key if random.random() < 0.95 else random.randrange(1, table.next_key + 1))
        if column.nullable and random.random() < 0.25:
            return "NULL"
        return column.type.literal(random)

    def _some(self, table: Table) -> str:
        return (
            f"(tableoid, ctid) IN (SELECT t.tableoid, t.ctid FROM {table.sql} t"
            f" ORDER BY md5(t::text || '{self._random.randrange(100)}') LIMIT {self._random.choice((1, 1, 2, 10))})"
        )

    def _update(self, table: Table) -> str:
        free = [column for column in table.columns if not column.made and column.name not in table.key]
        if not free:
            return self._insert(table)
        chosen = self._random.sample(free, self._random.randint(1, len(free)))
        sets = [f"{quoted(c.name)} = {quoted(c.name) if self._random.random() < 0.1 else self._value(table, c)}" for c in chosen]
        return f"UPDATE {table.sql} SET {', '.join(sets)} WHERE {self._some(table)}"

    def _delete(self, table: Table) -> str:
        return f"DELETE FROM {table.sql} WHERE {self._some(table)}"

    def _move(self, table: Table) -> str:
        """A key change."""
        keys = [column for column in table.columns if column.name in table.key and not column.made]
        if not keys:
            return self._update(table)
        column = self._random.choice(keys)
        return (
            f"UPDATE {table.sql} SET {quoted(column.name)} = {self._value(table, column)} WHERE (tableoid, ctid) IN"
            f" (SELECT t.tableoid, t.ctid FROM {table.sql} t ORDER BY md5(t::text) LIMIT 1)"
        )

    def _truncate(self, table: Table) -> str:
        tables = {table.sql, self._random.choice(self.tables).sql}
        return f"TRUNCATE {', '.join(sorted(tables))}{self._random.choice(('', ' RESTART IDENTITY'))} CASCADE"

    def _message(self, _table: Table) -> str:
        return f"SELECT pg_logical_emit_message({self._random.choice(('true', 'false'))}, 'fuzz', {db.text_literal('é 1')})"

    def _reshape(self) -> list[str]:
        """DDL on one table; what an earlier roll-back could have undone is not asked of it."""
        random = self._random
        table = random.choice(self.tables)
        kind = random.choices(("add", "add-default", "drop", "rename", "partition"), (50, 20 if "add-default" in self.with_open else 0, 10, 10, 30))[0]
        free = [c for c in table.columns if c.name not in table.key and not c.made]
        if kind in {"add", "add-default"}:
            table.added += 1
            name = f"added {len(table.columns) if 'same-name' in self.with_open else table.added}"
            column = Column(name, random.choice([kind for kind in self._types if kind.sealable]))  # no policy lists it, so it is sealed
            default = f" DEFAULT {column.type.literal(random)}" if kind == "add-default" else ""
            table.columns.append(column)
            table.widened = True
            return [f"ALTER TABLE {table.sql} ADD COLUMN {quoted(column.name)} {column.type.sql}{default}"]
        if kind == "drop" and len(free) > 1 and table.partitions == 0:
            table.columns.remove(gone := random.choice(free[1:]))
            table.reshaped = True
            return [f"ALTER TABLE {table.sql} DROP COLUMN {quoted(gone.name)} CASCADE"]
        if kind == "rename" and free:
            column = random.choice(free)
            old, column.name = column.name, f"renamed {random.randrange(1000)}"
            table.reshaped = True
            return [f"ALTER TABLE {table.sql} RENAME COLUMN {quoted(old)} TO {quoted(column.name)}"]
        if kind == "partition" and table.partitions and not table.key:
            table.partitions += 1
            name = f"{quoted(self.schema)}.{quoted(db.fitted(table.name, f' q{table.partitions}'))}"
            return [
                f"CREATE TABLE {name} (LIKE {table.sql} INCLUDING GENERATED)",
                f"ALTER TABLE {table.sql} ATTACH PARTITION {name} FOR VALUES IN ({table.columns[0].type.literal(random)})",
            ]
        return [self._insert(table)]
