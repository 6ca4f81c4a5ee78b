"""What one would type: the end of each command's ``--help``, in one place, so that a test can parse them all."""

from __future__ import annotations

import click

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "cdc": (
        ("cdc demo", "the main job before your eyes, to a checked end"),
        ("cdc local up", "a stack of your own: databases, Kafka, Connect"),
        ("cdc status --watch", "where each stream stands, again and again"),
        ("cdc audit history orders 1001", "one row's whole life"),
    ),
    "cdc demo": (
        ("cdc demo", "about two minutes; leaves nothing behind"),
        ("cdc demo --keep", "leaves the stack up, to look around"),
    ),
    "cdc local up": (
        ("cdc local up", "start or repair; quick when everything runs"),
        ("cdc local up --state /tmp/cdc", "another stack beside it"),
    ),
    "cdc local down": (("cdc local down", "stop; `cdc local up` goes on with the same data"),),
    "cdc local reset": (("cdc local reset --yes", "delete databases, topics, keys, without asking"),),
    "cdc local status": (
        ("cdc local status", "parts, addresses, log files"),
        ("cdc local status --output json", "every DSN too, with passwords"),
    ),
    "cdc replicate": (
        ("cdc replicate", "all sources, a process each; Ctrl-C ends in order"),
        ("cdc replicate trading", "one source; a second one stands by as a spare"),
        ("cdc replicate trading --until-caught-up", "end when the topic is in the warehouse"),
        ("cdc replicate --log-format json", "a JSON object a line, for a log collector"),
        ("cdc replicate trading --alive-file /tmp/alive", "in a container: a file that is young while the loop runs"),
    ),
    "cdc status": (
        ("cdc status", "owner, position, lag, complete through"),
        ("cdc status --watch --every 5", "again every 5 seconds, with rates"),
        ("cdc status --output json", "for programs; exit code 4 when a stream is halted"),
    ),
    "cdc rebuild": (
        ("cdc rebuild trading public.orders", "after a change of the table that suspended its state"),
        ("cdc rebuild orders --output json", "for programs: seconds, entries, columns that became text"),
    ),
    "cdc stream show": (("cdc stream show", "what has halted, why, and which command goes on; exit code 4"),),
    "cdc stream accept-gap": (
        ("cdc stream accept-gap trading --reason 'retention was too short, ticket 4711'", "asks, then goes on"),
    ),
    "cdc stream rebaseline": (
        ("cdc stream rebaseline trading --reason 'retention was too short, ticket 4711'", "all tables, read anew"),
        ("cdc stream rebaseline trading public.orders --reason 'ticket 4711'", "one; also when nothing is halted"),
    ),
    "cdc quarantine list": (
        ("cdc quarantine list", "of all sources: coordinates, reason, table"),
        ("cdc quarantine list trading --output csv", "of one, for a spreadsheet"),
        ("cdc quarantine list --all", "also what was replayed or dismissed, by whom"),
    ),
    "cdc quarantine show": (("cdc quarantine show trading 1207", "one of them, by its entry"),),
    "cdc quarantine replay": (
        ("cdc quarantine replay trading 1207", "after an upgrade that can read it"),
        ("cdc quarantine replay trading --all", "all that are in quarantine, in their order"),
    ),
    "cdc quarantine resolve": (
        ("cdc quarantine resolve trading 1207 --reason 'a test message of ours, ticket 4711'", "dismiss it, for ever"),
    ),
    "cdc migrate": (("cdc migrate", "safe to repeat; a running worker goes on"),),
    "cdc connectors init": (
        ("cdc connectors init shop", "from $CDC_SOURCE_DSN: definition, SQL, secret"),
        ("cdc connectors init shop --schema sales", "one schema of it"),
        ("cdc connectors init shop --apply-sql", "run the SQL too, after showing it"),
    ),
    "cdc connectors apply": (
        ("cdc connectors apply", "all that are configured"),
        ("cdc connectors apply trading --timeout 300", "one, and wait up to five minutes for it"),
    ),
    "cdc connectors drift": (
        ("cdc connectors drift", "tables that are gone at a source, defaults and conversions that no row change told"),
        ("cdc connectors drift trading --output json", "of one source, for a program"),
    ),
    "cdc connectors list": (("cdc connectors list", "what runs, what failed and why, what is absent"),),
    "cdc policy init": (
        ("cdc policy init shop", "from the catalog: keys clear or tokens, the rest sealed"),
        ("cdc policy init shop --clear 'orders.*'", "leave these columns in clear"),
    ),
    "cdc policy check": (("cdc policy check", "every policy against its database; exit code 6 on findings"),),
    "cdc policy explain": (
        ("cdc policy explain trading", "every table"),
        ("cdc policy explain trading customers", "one table, column by column, with the reason"),
    ),
    "cdc keys init": (("cdc keys init", "keyring and privacy store; what is there stays"),),
    "cdc keys status": (("cdc keys status", "that they belong together; shows no key"),),
    "cdc audit history": (
        ("cdc audit history orders 1001", "every version of one order, and what changed"),
        ("cdc audit history trading.public.executions 1001 2", "a key of two columns"),
        ("cdc audit history contact_points --key-stdin", "a key that is personal data, read from standard input"),
    ),
    "cdc audit as-of": (
        ("cdc audit as-of orders --at 2026-01-31T21:00:00Z", "the table at that instant"),
        ("cdc audit as-of orders --at now --where status=open", "some of its rows"),
        ("cdc audit as-of orders --at now --output csv", "for a spreadsheet"),
    ),
    "cdc audit transaction": (("cdc audit transaction 774", "everything it changed, in order"),),
    "cdc audit verify": (
        ("cdc audit verify", "every log and its current state"),
        ("cdc audit verify trading --checkpoint jan.txt", "also that it only grew since then"),
    ),
    "cdc audit checkpoint": (("cdc audit checkpoint --save jan.txt", "size and root of each log: keep it elsewhere"),),
    "cdc completion": (
        ("cdc completion bash >> ~/.bashrc", "then open a new shell"),
        ("cdc completion zsh >> ~/.zshrc", "zsh"),
        ("cdc completion fish > ~/.config/fish/completions/cdc.fish", "fish"),
    ),
}
"""Command → command lines, each with what it does."""


def attach(command: click.Command, path: str) -> click.Command:
    """Give a command, and what is below it, its examples as the end of ``--help``."""
    lines = EXAMPLES.get(path)
    if lines is not None and command.epilog is None:
        width = max(len(line) for line, _meaning in lines)
        shown = [f"  {line.ljust(width)}   {meaning}" for line, meaning in lines]
        command.epilog = "\b\nExamples:\n" + "\n".join(shown)
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            attach(below, f"{path} {name}")
    return command
