"""The tables that a source captures, from its catalog, as policies see them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cdc.config import SourceConfig
from cdc.entry import qualified_name
from cdc.errors import ConfigError
from cdc.values.catalog import state_type
from cdc.values.mariadb_catalog import state_type as maria_state_type
from connectors import definition, inventory, mariadb_check, mariadb_inventory, proposal
from connectors.definition import Definition
from connectors.errors import SourceUnfit, Unreachable
from connectors.inventory import ForeignKey, Relation
from connectors.kinds import KINDS, titles
from governance.suggest import Column, Reference, Table


def captured_tables(source: SourceConfig, dsn: str | None, *, insist: bool) -> tuple[Table, ...]:
    """Read the catalog through ``dsn``, or through the source's own.

    Without ``insist`` (a DSN that stands in the environment, perhaps for another source) its own is tried as well.

    Raises:
        ConfigError: there is neither, or none is of the source's database.
        ConnectorError: the definition is wrong, the database does not answer or cannot be read.
    """
    described = definition.load(source.definition)
    kind = KINDS[described.kind]
    if not kind.replicated:
        raise ConfigError(
            f"{source.definition}: a policy is made for {titles(replicated=True)}; {source.name} is of {kind.title}",
            hint="docs/connectors.md, Other databases",
        )
    maria = described.kind == "mariadb"
    places = [place for place in (dsn, None if dsn and insist else source.dsn) if place]
    if not insist:  # a DSN of the other kind is another source's
        places = [place for place in places if place.startswith("mariadb://") == maria]
    if not places:
        raise ConfigError(
            f"{source.declared}: [sources.{source.name}] has no dsn", hint="set it there, or $CDC_SOURCE_DSN"
        )
    if maria:
        return _of_mariadb(source, described, places)
    for place in places:
        try:
            with inventory.opened(place, f"the source database of {source.name}") as connection:
                found = inventory.read(connection)
        except Unreachable:
            if place is places[-1]:
                raise
            continue
        if found.server.database == described.database.name:
            return tuple(_table(relation) for relation in proposal.captured(found, described))
    raise ConfigError(
        f"the DSN is of database {found.server.database}; {source.name} is database {described.database.name}",
        hint="is $CDC_SOURCE_DSN set for another source?",
    )


def _of_mariadb(source: SourceConfig, described: Definition, places: Sequence[str]) -> tuple[Table, ...]:
    """The same on MariaDB, whose catalog is the whole server's: one that lacks every table is another's."""
    for place in places:
        try:
            connected = mariadb_check.connect(place, f"the source database of {source.name}")
            with connected as connection, connection.cursor() as cursor:
                found = mariadb_inventory.demand_captured(mariadb_inventory.read(cursor).relations, described)
        except (SourceUnfit, Unreachable):
            if place is places[-1]:
                raise
            continue
        return tuple(_of_relation(relation) for relation in found)
    raise AssertionError  # there is a place, and the last one raises


def _of_relation(relation: mariadb_inventory.Relation) -> Table:
    columns = [_column(column, maria_state_type(column.type)) for column in relation.columns]
    return _described(relation.schema, relation.name, columns, relation.key, relation.foreign_keys)


def _table(relation: Relation) -> Table:
    key = relation.table.key
    names = relation.schema, relation.name
    columns = [_column(c, state_type(c.own, c.base, c.bottom, c.enum)) for c in relation.columns]
    return _described(*names, columns, key.columns if key else (), relation.foreign_keys)


def _column(column: inventory.Column, state: str) -> Column:
    return Column(column.name, column.type, column.base, column.enum, column.array, column.automatic, state)


def _described(
    schema: str, name: str, columns: Iterable[Column], key: tuple[str, ...], foreign: Iterable[ForeignKey]
) -> Table:
    return Table(
        title=qualified_name(schema, name),
        schema=schema,
        name=name,
        columns=tuple(columns),
        key=key,
        references=tuple(
            Reference(each.columns, qualified_name(each.schema, each.table), each.references) for each in foreign
        ),
    )
