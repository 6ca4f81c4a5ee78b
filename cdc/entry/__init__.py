"""The entry, one leaf of a log: its members, its canonical bytes, and the way back (docs/formats.md §1, §3)."""

from cdc.entry.canonical import EntryError, canonical, digest, member_order
from cdc.entry.change import ChangeForm
from cdc.entry.codec import MAX_ENTRY, decode, encode
from cdc.entry.model import (
    Body,
    Decimal,
    Digest,
    End,
    Entry,
    Flag,
    Json,
    Kind,
    Operation,
    Resolves,
    Subject,
    Transaction,
)
from cdc.entry.names import qualified_name, split_qualified_name, state_column
from cdc.entry.rules import check, is_value
from cdc.ledger.merkle import leaf_hash as leaf

__all__ = [
    "MAX_ENTRY",
    "Body",
    "ChangeForm",
    "Decimal",
    "Digest",
    "End",
    "Entry",
    "EntryError",
    "Flag",
    "Json",
    "Kind",
    "Operation",
    "Resolves",
    "Subject",
    "Transaction",
    "canonical",
    "check",
    "decode",
    "digest",
    "encode",
    "is_value",
    "leaf",
    "member_order",
    "qualified_name",
    "split_qualified_name",
    "state_column",
]
