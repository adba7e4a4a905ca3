"""Types that JSON does not know, as the plain values they mean; the compiled half calls this for the rare ones.

NumPy and pandas are recognized by their looks and never imported. Must never guess: what has no plain meaning raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class Unstorable(Exception):
    """A value that cannot be stored as it is; the text says why and never shows it."""


def from_milliseconds(millis: int) -> datetime:
    """The instant this many milliseconds after 1970, in UTC; exact, also before 1970."""
    return _EPOCH + timedelta(milliseconds=millis)


def plain(value: Any) -> Any:
    """The value in types that JSON knows, or closer to them."""
    name = type(value).__name__
    if name in ("NaTType", "NAType"):
        # Before datetime, because NaT is one.
        return None
    if isinstance(value, datetime):
        # A naive time is UTC, whatever zone this machine is in.
        utc = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
        return utc.isoformat("T", "milliseconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00.000Z"
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise Unstorable("bytes cannot be stored; decode them to text")
    if hasattr(value, "dtype"):
        return _from_numpy(value)
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "__index__"):
        return value.__index__()
    if hasattr(value, "__float__"):
        return value.__float__()
    raise Unstorable(f"a value of type {name} cannot be stored; give text, a number, a time, a list or a dict")


def _from_numpy(value: Any) -> Any:
    # Scalars and arrays of NumPy, and pandas Series.
    kind = getattr(value.dtype, "kind", "O")
    if kind in "VScm":
        raise Unstorable(f"a value of NumPy kind {kind} cannot be stored")
    if kind == "M" and hasattr(value, "astype"):
        # `tolist` of nanoseconds would be integers, so reduce them to milliseconds first.
        return value.astype("datetime64[ms]").tolist()
    if kind == "f" and not getattr(value, "ndim", 0):
        # The decimal text of a float32 is the number that was meant; as a float64 it would grow digits.
        return Decimal(str(value))
    return value.tolist()
