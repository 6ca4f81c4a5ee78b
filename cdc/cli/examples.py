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
        ("cdc local up --plugins all", "Connect with every connector that a definition can be of"),
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
    "cdc supervise": (
        ("cdc supervise", "beside the workers, always on; metrics at 127.0.0.1:9464"),
        ("cdc supervise --listen 0.0.0.0:9464 --log-format json", "for Prometheus elsewhere, and a log collector"),
        ("cdc supervise --once --output json", "out of cron: what is wrong now; exit code 6 when something is"),
        ("cdc supervise --once --observe 90", "the same with forecasts, from what 90 seconds show"),
    ),
    "cdc status": (
        ("cdc status", "owner, position, lag, complete through"),
        ("cdc status --watch --every 5", "again every 5 seconds, with rates"),
        ("cdc status --output json", "for programs; exit code 4 when a stream is halted"),
    ),
    "cdc check": (
        ("cdc check", "sources, connectors, Kafka, Connect, warehouse, privacy store"),
        ("cdc check --output json", "for a program; exit code 6 when there is an error"),
    ),
    "cdc rebuild": (
        ("cdc rebuild trading public.orders", "after a change of the table that suspended its state"),
        ("cdc rebuild orders --output json", "for programs: seconds, entries, columns that became text"),
    ),
    "cdc stream show": (("cdc stream show", "what has halted, why, and which command goes on; exit code 4"),),
    "cdc stream accept-gap": (
        ("cdc stream accept-gap trading --reason 'retention was too short, ticket 4711'", "asks, then goes on"),
        ("cdc stream accept-gap trading --slot-lost --reason 'ticket 4711'", "before its connector begins anew"),
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
        ("cdc connectors apply trading --rollback --reason 'ticket 4711'", "put the old one back if it fails"),
        ("cdc connectors apply --prune", "also delete what no source has any more; asks"),
    ),
    "cdc connectors plan": (
        ("cdc connectors plan", "what apply would change, and what somebody else has edited"),
        ("cdc connectors plan trading --output json", "for a program; exit code 10: changes are pending"),
        ("cdc connectors plan --context staging", "of another Connect cluster"),
    ),
    "cdc connectors describe": (
        ("cdc connectors describe trading", "state, causes, offsets, slot, configuration"),
        ("cdc connectors describe trading --trace", "with whole stack traces, without values"),
    ),
    "cdc connectors validate": (("cdc connectors validate", "per setting; exit code 6 when something is wrong"),),
    "cdc connectors pause": (("cdc connectors pause trading --reason 'ticket 4711'", "one; the source keeps WAL"),),
    "cdc connectors resume": (("cdc connectors resume --all", "everything of this installation"),),
    "cdc connectors stop": (("cdc connectors stop 'shop*'", "by a pattern, in quotes"),),
    "cdc connectors restart": (
        ("cdc connectors restart --all", "whatever has failed"),
        ("cdc connectors restart trading --tasks all", "also what runs"),
        ("cdc connectors restart trading --task 0 --no-wait", "one task, without waiting for it"),
    ),
    "cdc connectors rollback": (("cdc connectors rollback trading", "to what the last apply replaced"),),
    "cdc connectors delete": (
        ("cdc connectors delete shop --keep-offsets", "a later one goes on there"),
        ("cdc connectors delete shop --reset-offsets --yes", "a later one takes a new snapshot; does not ask"),
    ),
    "cdc connectors export": (("cdc connectors export --folder exported", "all, a file each"),),
    "cdc connectors edit": (("cdc connectors edit shop", "in $EDITOR; then the plan, then a question"),),
    "cdc connectors check": (
        ("cdc connectors check", "every source, connector and topic; exit code 6 on errors"),
        ("cdc connectors check trading --strict --output json", "of one, for a program; warnings count"),
        ("cdc connectors check trading --fix-sql", "the SQL that mends the source, for psql"),
    ),
    "cdc connectors drift": (
        ("cdc connectors drift", "tables that are gone at a source, defaults and conversions that no row change told"),
        ("cdc connectors drift trading --output json", "of one source, for a program"),
    ),
    "cdc connectors list": (
        ("cdc connectors list", "what runs, what failed and why, what is absent"),
        ("cdc connectors list --state failed --output csv", "what needs you"),
    ),
    "cdc connectors explain": (
        ("cdc connectors explain trading", "each setting, its reason, and who says it"),
        ("cdc connectors explain --definition staging.yaml --output json", "of a file that is no source yet"),
    ),
    "cdc connectors schema": (("cdc connectors schema > definition.schema.json", "for an editor"),),
    "cdc connectors snapshot plan": (
        ("cdc connectors snapshot plan trading public.orders", "rows, bytes, time; changes nothing"),
        ("cdc connectors snapshot plan trading", "of all tables that have a key"),
    ),
    "cdc connectors snapshot start": (
        ("cdc connectors snapshot start trading orders --reason 'ticket 4711' --wait", "and stay until it is done"),
        ("cdc connectors snapshot start trading orders --where 'status = 4' --reason x", "some of its rows"),
    ),
    "cdc connectors snapshot status": (
        ("cdc connectors snapshot status trading", "table by table: rows so far, and of how many"),
        ("cdc connectors snapshot status trading --output json", "for programs"),
    ),
    "cdc connectors snapshot pause": (
        ("cdc connectors snapshot pause trading --reason 'the market opens'", "until it is told to go on"),
    ),
    "cdc connectors snapshot resume": (
        ("cdc connectors snapshot resume trading --reason 'the market closed'", "go on"),
    ),
    "cdc connectors snapshot stop": (
        ("cdc connectors snapshot stop trading --reason 'the wrong table'", "asks; what was read stays"),
    ),
    "cdc connectors slots": (
        ("cdc connectors slots", "of every source's server: who reads, what is kept, what is lost"),
        ("cdc connectors slots trading --output json", "one server's, with every member"),
    ),
    "cdc connectors offsets get": (("cdc connectors offsets get trading", "partition, offset, LSN"),),
    "cdc connectors offsets set": (
        ("cdc connectors offsets set trading --lsn 0/16B3740 --stop --reason 'ticket 4711'", "says what it means"),
    ),
    "cdc connectors offsets reset": (
        ("cdc connectors offsets reset trading --stop --accept-loss --reason 'ticket 4711'", "all tables anew"),
    ),
    "cdc connectors topics": (("cdc connectors topics trading", "one, unless it was configured otherwise before"),),
    "cdc connectors plugins list": (("cdc connectors plugins list", "connectors, converters, transformations"),),
    "cdc connectors plugins describe": (
        ("cdc connectors plugins describe postgres --search slot", "options that speak of slots"),
    ),
    "cdc connectors loggers get": (
        ("cdc connectors loggers get", "what is set"),
        ("cdc connectors loggers get io.debezium", "what holds for one"),
    ),
    "cdc connectors loggers set": (
        ("cdc connectors loggers set io.debezium WARN --scope cluster", "on every worker, until it is restarted"),
    ),
    "cdc connectors logs": (
        ("cdc connectors logs trading --problems", "its warnings and errors"),
    ),
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
