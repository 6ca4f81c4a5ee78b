"""The tables that a source captures, from its catalog, as policies see them."""

from __future__ import annotations

from cdc.config import SourceConfig
from cdc.entry import qualified_name
from cdc.errors import ConfigError
from connectors import definition, inventory, proposal
from connectors.inventory import Relation
from governance.suggest import Column, Reference, Table


def captured_tables(source: SourceConfig, dsn: str | None) -> tuple[Table, ...]:
    """Read the catalog through ``dsn``, or through the source's own.

    Raises:
        ConfigError: there is neither.
        ConnectorError: the definition is wrong, the database does not answer or cannot be read.
    """
    dsn = dsn or source.dsn
    if dsn is None:
        raise ConfigError(
            f"{source.declared}: [sources.{source.name}] has no dsn", hint="set it there, or $CDC_SOURCE_DSN"
        )
    described = definition.load(source.definition)
    with inventory.opened(dsn, f"the source database of {source.name}") as connection:
        found = inventory.read(connection)
    if found.server.database != described.database.name:
        raise ConfigError(
            f"the DSN is of database {found.server.database}; {source.name} is database {described.database.name}",
            hint="is $CDC_SOURCE_DSN still set for another source?",
        )
    return tuple(_table(relation) for relation in proposal.captured(found, described))


def _table(relation: Relation) -> Table:
    key = relation.table.key
    return Table(
        title=qualified_name(relation.schema, relation.name),
        schema=relation.schema,
        name=relation.name,
        columns=tuple(Column(c.name, c.type, c.base, c.enum, c.array, c.automatic) for c in relation.columns),
        key=key.columns if key else (),
        references=tuple(
            Reference(foreign.columns, qualified_name(foreign.schema, foreign.table), foreign.references)
            for foreign in relation.foreign_keys
        ),
    )
