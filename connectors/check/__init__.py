"""What would lose or change evidence, looked for where it happens: source, configuration, Kafka Connect.

Read-only. Every finding is of a check that ``connectors.listed`` has, and carries the SQL or command that mends it.
:func:`source` looks at a database through the connector's own role, so that it sees what Debezium will see.
"""

from __future__ import annotations

from connectors.check.position import Position, unknown
from connectors.definition import Definition
from connectors.errors import ConnectorError, SourceUnfit
from connectors.finding import Finding
from connectors.kinds import KINDS


def source(
    definition: Definition, dsn: str, position: Position = unknown, *, role: str | None = None
) -> tuple[Finding, ...]:
    """Look at the source database through ``dsn`` and say what is to be known of it.

    ``role``: whom fixes grant to, where ``dsn`` is not the connector's own.

    Raises:
        Unreachable: the database does not answer or refuses the role.
        AddressError: the DSN is none.
        ConnectorError: its catalog cannot be read.
    """
    if definition.kind == "mariadb":
        from connectors import mariadb_check

        return mariadb_check.source(definition, dsn, position)
    if not KINDS[definition.kind].replicated:
        title = KINDS[definition.kind].title
        raise ConnectorError(
            f"{definition.path}: sources of {title} are not looked at: cdc replicate does not read them",
            hint="cdc connectors validate",
        )
    from connectors.check import postgres

    return postgres.source(definition, dsn, position, role)


def demand_fit(definition: Definition, dsn: str) -> tuple[Finding, ...]:
    """Refuse a source that cannot be captured without losing evidence; return the warnings to live with.

    Raises:
        SourceUnfit: the message has every error, the hint the SQL that mends them.
        Unreachable: the database does not answer.
    """
    found = source(definition, dsn)
    errors = [finding for finding in found if finding.refuse]
    if errors:
        lines = "".join(f"\n  {finding.code}: {finding.problem}" for finding in errors)
        fixes = "\n    ".join(dict.fromkeys(finding.fix for finding in errors if finding.fix))
        raise SourceUnfit(
            f"the source database of {definition.name} cannot be captured as evidence yet:{lines}",
            hint=f"run in database {definition.database.name}, as its owner:\n    {fixes}" if fixes else None,
        )
    # Whoever asks is about to have the slot read.
    return tuple(each for each in found if each.severity == "warning" and each.code != "slot_inactive")
