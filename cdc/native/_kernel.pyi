from collections.abc import Callable, Sequence
from typing import Any, final

@final
class Cipher:
    header: bytes
    def __new__(cls, data_key: bytes, header: bytes) -> Cipher: ...
    def seal(self, kind_and_plaintext: bytes, ad_tail: bytes) -> bytes: ...

@final
class Rows:
    def __new__(
        cls,
        *,
        columns: Sequence[tuple[str, str]],
        schema: str,
        name: str,
        version: object,
        origin: type,
        transaction: type,
        event: type,
    ) -> Rows: ...
    def decode(self, value: bytes, start: int, offset: int, timestamp_ms: int) -> Any | None: ...

@final
class Table:
    def __new__(
        cls,
        *,
        columns: Sequence[tuple[bytes, str, str, int, bytes, str, Callable[[str], str]]],
        order: Sequence[int],
        key_at: Sequence[int],
        subject_at: int | None,
        subject_type: str,
        source: str,
        keys: object,
        event: type,
        table: object,
    ) -> Table: ...
    def protect(self, event: object) -> Any | None: ...

@final
class Draft:
    def fold(self, end: object) -> None: ...
    def finish(self) -> Any: ...

@final
class Form:
    def __new__(
        cls,
        *,
        origin: bytes,
        partition: bytes,
        plan: bytes,
        schema: bytes,
        table: bytes,
        topic_id: bytes,
        copied_name: bytes,
        place: bytes,
        salt_key: bytes,
        row: type,
        tail: Callable[..., bytes],
        long: Callable[[bytes, bytes], Any],
        longest: int,
    ) -> Form: ...
    def draft(
        self,
        event: object,
        *,
        seq: int,
        ordered_at: int,
        ordinal: int,
        epoch: str | None,
        replay_of: str | None,
        head_of_row: tuple[int, int | None] | None,
    ) -> Draft | None: ...
