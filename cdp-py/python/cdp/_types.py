"""Types of arguments that several verbs take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypeAlias

Time: TypeAlias = str | int | datetime | date
"""A time: RFC 3339 text, milliseconds since 1970, or a datetime (a naive one is UTC)."""
AsOf: TypeAlias = Time | Mapping[str, Time]
"""An instant to ask for: a time, or `{"valid": time, "known": time}`."""
Identifier: TypeAlias = Mapping[str, Any]
"""One identifier, `{"user_id": "14646"}`, or `{"profile_id": ...}`."""
