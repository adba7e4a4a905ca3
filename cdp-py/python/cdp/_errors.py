"""The one error of the product as a tree of exceptions: one class per kind, chosen by what the caller can do.

Must never hold a value that belongs to a person: messages come from the core, which leaves them out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Fault(NamedTuple):
    """One fault of a document."""

    pointer: str
    """Where, as a JSON pointer: `/rule/all/0/within`."""
    message: str
    """What was wrong and what was allowed."""


class CdpError(Exception):
    """The root of every exception of this package.

    Attributes:
        kind: the same word in every language: `invalid`, `not_found`, ...
        code: the same as `kind`.
        message: what was wrong, without the hint.
        hint: the next step, or None.
        pointer: the JSON pointer of the first fault of a document, or None.
        faults: every fault of a document.
    """

    kind: str = "internal"

    def __init__(
        self, message: str, hint: str | None = None, pointer: str | None = None, faults: Iterable[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message if hint is None else f"{message}\nhint: {hint}")
        self.message = message
        self.hint = hint
        self.pointer = pointer
        self.faults = tuple(Fault(*fault) for fault in faults)

    @property
    def code(self) -> str:
        """The same as `kind`; Node calls it `code`."""
        return self.kind

    def __reduce__(self) -> tuple[type[CdpError], tuple[object, ...]]:
        return type(self), (self.message, self.hint, self.pointer, self.faults)


class InvalidError(CdpError, ValueError):
    """The input is wrong: fix it and call again."""

    kind = "invalid"


class NotFoundError(CdpError):
    """What was named (a definition, a model) is not there."""

    kind = "not_found"


class ClosedError(CdpError):
    """The store was closed: open it again."""

    kind = "closed"


class ConflictError(CdpError):
    """The input contradicts what the store already holds."""

    kind = "conflict"


class ErasedError(CdpError):
    """The person was erased on request."""

    kind = "erased"


class ConsentMissingError(CdpError):
    """The consent policy does not allow this use."""

    kind = "consent_missing"


class BusyError(CdpError):
    """Another process holds the write lock: try again later."""

    kind = "busy"


class IncompatibleError(CdpError):
    """The file belongs to another application or to a newer version: it was left unchanged."""

    kind = "incompatible"


class CorruptError(CdpError):
    """The file is damaged: restore a backup."""

    kind = "corrupt"


class IoError(CdpError):
    """The operating system refused: disk full, no permission, no such file."""

    kind = "io"


class CallInterruptedError(CdpError):
    """A long call was interrupted; nothing of the open transaction was kept."""

    kind = "interrupted"


class InternalError(CdpError):
    """A defect of this library: please report it."""

    kind = "internal"


KINDS: dict[str, type[CdpError]] = {
    error.kind: error
    for error in (
        InvalidError, NotFoundError, ClosedError, ConflictError, ErasedError, ConsentMissingError, BusyError, IncompatibleError,
        CorruptError, IoError, CallInterruptedError, InternalError,
    )
}  # fmt: skip


def from_parts(
    kind: str, message: str, hint: str | None, pointer: str | None, faults: tuple[tuple[str, str], ...]
) -> CdpError:
    """The exception of a kind; the compiled half calls this."""
    return KINDS.get(kind, InternalError)(message, hint, pointer, faults)
