"""What the verbs share: types of arguments, the one identifier that many need, and the way to the core.

It must never judge a value itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypeAlias

from . import _native
from ._errors import InvalidError
from ._results import Frame

Time: TypeAlias = str | int | datetime | date
"""A time: RFC 3339 text, milliseconds since 1970, or a datetime (a naive one is UTC)."""
AsOf: TypeAlias = Time | Mapping[str, Time]
"""An instant to ask for: a time, or `{"valid": time, "known": time}`."""
Identifier: TypeAlias = Mapping[str, Any]
"""One identifier, `{"user_id": "14646"}`, or `{"profile_id": ...}`."""


def given(**arguments: Any) -> dict[str, Any]:
    """The arguments that are there."""
    return {name: value for name, value in arguments.items() if value is not None}


def one_identifier(verb: str, identifier: Identifier | None, ids: dict[str, Any]) -> Identifier:
    """The identifier of a verb that takes one, as a dict or as a keyword."""
    named = ([identifier] if identifier is not None else []) + ([ids] if ids else [])
    if len(named) == 1 and isinstance(named[0], Mapping) and len(named[0]) == 1:
        return named[0]
    raise InvalidError(f"{verb} takes exactly one identifier", f'for example {verb}(..., user_id="14646") or {{"user_id": "14646"}}')


class Verbs:
    """How the methods of `cdp.Cdp` reach the core."""

    _store: _native.Store

    def _call(self, verb: str, **request: Any) -> Any:
        answer = self._store.call(verb, given(**request))
        return Frame(answer) if isinstance(answer, _native.Frame) else answer

    def _frame(self, verb: str, **request: Any) -> Frame:
        frame: Frame = self._call(verb, **request)
        return frame
