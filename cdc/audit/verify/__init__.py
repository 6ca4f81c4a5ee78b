"""Verification of a log, by a second reader of docs/formats.md that shares no code with the writer.

What verification is, step by step; each has a module, and each finding names its step:

 (1) *seq*: entries are numbered from 0 without holes, as many as ``audit.log`` says (``passing``).
 (2) *leaf*, *tree*: the leaf column is SHA-256(0x00 ‖ entry), and the tree over the hashes computed here has the edge
     in ``audit.log``: §9 (``tree``, ``claims``).
 (3) *entry*: its bytes are canonical and at most 65,535, its members are those of its kind, its images those of their
     schema and plan, its key that of its images: §1, §2, §3, §3.1, §6 (``canonical``, ``entry``, ``shape``,
     ``values``, ``schemas``, ``keyless``).
 (4) *body*: what an entry moved aside is there, with the length and the hash that it names: §3.3 (``entry``,
     ``bodies``).
 (5) *columns*: every other column of ``audit.entry`` but ``recorded_at`` is what the entry says: §11 (``columns``).
 (6) *order*: origin, topic, source epoch are the same throughout; Kafka offset and ordinal rise (``order``).
     *clock*: ``ordered_at`` is what the clocks give and never goes back: §3.4 (``order``).
 (7) *table versions*: schema and plan are described before their first use, under the digests of their content: §5
     (``schemas``).
 (8) *replays*: an event at a source position that the log has already says so, and nothing else does: §3
     (``replays``).
 (9) *versions*: ``version`` and ``prev`` chain the changes of each row; a key change is a pair: §3 (``history``).
(10) *continuity*: a before image is the after image of the row's version before; nothing is created twice or changed
     when gone (``continuity``).
(11) *transactions*: in one piece, numbered from 1, as many entries of each table as their END says: §3.6
     (``transactions``).
(12) *checkpoint*: the first entries of the log still have the root that somebody kept elsewhere: §10 (``checkpoint``,
     ``claims``).
(13) *stream*: the row of ``pipeline.stream`` is where the log ends, and records = entries + skips: §4 (``stream``).
(14) *state*: every row of current state is the fold of the history, none is missing and none too many (``state``,
     ``text``; of a table whose key changed ``rekey``).

Steps (1) to (12) are one pass over the entries in the order of seq; (13) and (14) follow. Memory: about 350 bytes for
each row key that the log has ever changed; entries and images are not kept (``history``).

What a verdict cannot say is in the report (``report``): above all, without (12) a log that was rewritten together with
its tree passes.

The package imports the standard library and itself, nothing else: it also runs where nothing else is installed. It
takes rows as texts (``rows``) and knows no database.
"""

from .checkpoint import Checkpoint, NotACheckpoint
from .findings import Finding, LogReport, Verdict, overall
from .given import Given
from .log import verify_log
from .rows import (
    ENTRY_COLUMNS,
    BodyRow,
    EntryRow,
    RowWait,
    StatedTree,
    StateRow,
    StateTable,
    StoredEntry,
    Stream,
    TableVersionRow,
)

__all__ = [
    "ENTRY_COLUMNS",
    "BodyRow",
    "Checkpoint",
    "EntryRow",
    "Finding",
    "Given",
    "LogReport",
    "NotACheckpoint",
    "RowWait",
    "StateRow",
    "StateTable",
    "StatedTree",
    "StoredEntry",
    "Stream",
    "TableVersionRow",
    "Verdict",
    "overall",
    "verify_log",
]
