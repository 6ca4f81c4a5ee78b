"""The tables that a source captures, from its catalog, as policies see them."""

from __future__ import annotations

from cdc.config import SourceConfig
from cdc.entry import qualified_name
from cdc.errors import ConfigError
from cdc.values.catalog import state_type
from connectors import definition, inventory, proposal
from connectors.errors import Unreachable
from connectors.inventory import Relation
from governance.suggest import Column, Reference, Table


def captured_tables(source: SourceConfig, dsn: str | None, *, insist: bool) -> tuple[Table, ...]:
    """Read the catalog through ``dsn``, or through the source's own.

    Without ``insist`` (a DSN that stands in the environment, perhaps for another source) its own is tried as well.

    Raises:
        ConfigError: there is neither, or none is of the source's database.
        ConnectorError: the definition is wrong, the database does not answer or cannot be read.
    """
    places = [place for place in (dsn, None if dsn and insist else source.dsn) if place]
    if not places:
        raise ConfigError(
            f"{source.declared}: [sources.{source.name}] has no dsn", hint="set it there, or $CDC_SOURCE_DSN"
        )
    described = definition.load(source.definition)
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


def _table(relation: Relation) -> Table:
    key = relation.table.key
    return Table(
        title=qualified_name(relation.schema, relation.name),
        schema=relation.schema,
        name=relation.name,
        columns=tuple(
            Column(c.name, c.type, c.base, c.enum, c.array, c.automatic, state_type(c.own, c.base, c.bottom, c.enum))
            for c in relation.columns
        ),
        key=key.columns if key else (),
        references=tuple(
            Reference(foreign.columns, qualified_name(foreign.schema, foreign.table), foreign.references)
            for foreign in relation.foreign_keys
        ),
    )
