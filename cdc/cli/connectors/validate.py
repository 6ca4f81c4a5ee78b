"""``cdc connectors validate``: ask Kafka Connect what it makes of the configurations, without applying them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cdc import config
from cdc.cli.completion import sources
from cdc.cli.connectors.cluster import cluster_options, definitions, opened, secrets
from cdc.cli.output import Answer, Foot, Sheet, output_option, write

if TYPE_CHECKING:
    from connectors.client import ConnectClient
    from connectors.definition import Definition

_COLUMNS = ("connector", "setting", "problem")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one setting; without one, with the request."""

    connector: str
    setting: str | None
    problem: str


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=sources)
@output_option
@cluster_options
def validate(names: tuple[str, ...], output: str, path: Path | None, context: str | None) -> None:
    """Have Kafka Connect check the configurations of all sources, or those named; applies nothing.

    Debezium opens a connection to each database for this. Exit code 6: something is wrong.
    """
    settings = config.load(path, context)
    wanted = definitions(settings, names)
    found: list[Fault] = []
    with opened(settings) as client:
        write(_answer(_faults(settings, client, wanted, found), len(wanted), found), output)
    if found:
        raise SystemExit(6)


def _faults(
    settings: config.Config, client: ConnectClient, wanted: Sequence[Definition], found: list[Fault]
) -> Iterator[Fault]:
    from connectors.apply import desired
    from connectors.errors import ConnectorError, Unreachable

    lookup = secrets(settings)
    for definition in wanted:
        config_ = desired(definition, lookup).config
        try:
            wrong = client.validate(config_["connector.class"], definition.name, config_)
        except Unreachable:
            raise
        except ConnectorError as error:
            faults = [Fault(definition.name, None, str(error))]
        else:
            faults = [Fault(definition.name, setting, each) for setting, errors in wrong.items() for each in errors]
        for fault in faults:
            found.append(fault)
            yield fault


def _answer(items: Iterator[Fault], count: int, found: Sequence[Fault]) -> Answer[Fault]:
    def line(fault: Fault) -> list[list[str | None]]:
        return [[fault.connector, fault.setting, fault.problem]]

    def end() -> Foot:
        return Foot(
            {"valid": not found},
            [("valid" if not found else "invalid", f"{len(found)} problems in {count} connectors")],
        )

    return Answer(
        title="what Kafka Connect finds wrong",
        head={"question": "validate"},
        name="problems",
        items=items,
        document=lambda f: {"connector": f.connector, "setting": f.setting, "problem": f.problem},
        table=Sheet(_COLUMNS, line),
        csv=Sheet(_COLUMNS, line),
        foot=end,
    )
