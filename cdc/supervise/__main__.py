"""``python -m cdc.supervise > docs/metrics.md``: what is exported, for people."""

from __future__ import annotations

from collections.abc import Mapping

from cdc.supervise.metrics import COUNTERS, GAUGES, Described

_HEAD = """\
# Metrics

What `cdc supervise` exports at `/metrics` (`--listen`, by default `127.0.0.1:9464`), in Prometheus' text format;
beside it `/livez` and `/readyz`. Written by `python -m cdc.supervise`. What each alert means is in
[operations](operations.md#supervise).

Gauges are those of the last round (`[supervise] every`, by default 15 s) and are exchanged as one. What is not known
has no sample: when a part does not answer, `cdc_up` says so and the samples that come from it are absent. Times are
seconds, sizes bytes; instants are seconds since 1970. Forecasts are a straight line through the last hour
(`[supervise] forecast_window`), and absent until there are five rounds over a minute, or while nothing grows. Labels
are names of the configuration and words of fixed sets; none holds a key, an offset or a person. Numbers that end in
`_total` count from the start of the process.

Lag in seconds is by Kafka's time stamp of the oldest unread record; how fresh the log is, end to end, is `time() -
cdc_stream_complete_through_timestamp_seconds`: the connector's heartbeat moves it every 10 s also when the tables are
quiet. Kafka tells a client no topic's size in bytes; `cdc_topic_offsets` is what there is instead.

"""


def document() -> str:
    """The page."""
    return _HEAD + "\n".join([*_table("Gauges", GAUGES), "", *_table("Counters", COUNTERS)]) + "\n"


def _table(title: str, metrics: Mapping[str, Described]) -> list[str]:
    rows = [f"| `{name}` | {', '.join(f'`{label}`' for label in each.labels)} | {each.help} |"
            for name, each in metrics.items()]  # fmt: skip
    return [f"## {title}", "", "| metric | labels | is |", "|---|---|---|", *rows]


if __name__ == "__main__":
    print(document(), end="")
