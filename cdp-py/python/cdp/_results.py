"""What the verbs return: receipts, profiles and tables, with attributes, and escaped displays for notebooks.

Must never import pandas, polars or pyarrow before the caller asks for one of them: `import cdp` needs nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, KeysView
from html import escape
from typing import TYPE_CHECKING, Any, overload

from . import _native
from ._errors import InvalidError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

# How many rows a notebook shows of a table.
_ROWS_SHOWN = 10


class Record:
    """A result with fixed fields, readable as attributes; `to_dict()` gives the plain dict."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._fields[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}; it has {', '.join(self._fields)}") from None

    def __getitem__(self, name: str) -> Any:
        return self._fields[name]

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def keys(self) -> KeysView[str]:
        """The names of the fields; with `[]` this makes `dict(record)` work."""
        return self._fields.keys()

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._fields]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and type(other) is type(self) and self._fields == other._fields

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[type[Record], tuple[dict[str, Any]]]:
        return type(self), (self._fields,)

    def __repr__(self) -> str:
        # Names only: a representation ends up in logs, and values may be personal.
        return f"{type(self).__name__}({', '.join(self._fields)})"

    def to_dict(self) -> dict[str, Any]:
        """The fields as a plain dict, with the names of the documentation."""
        return dict(self._fields)

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(name)}</th><td>{_html(value)}</td></tr>" for name, value in self._fields.items())
        return f"<table><caption>{escape(type(self).__name__)}</caption>{rows}</table>"


class Receipt(Record):
    """What became of the data of one call.

    `accepted + duplicates + suppressed + rejected + ignored == messages`, always.
    """

    __slots__ = ()
    rows: int
    messages: int
    accepted: int
    duplicates: int
    conflicting: int
    suppressed: int
    rejected: int
    ignored: int
    merges: int
    new_profiles: int
    first_rejects: list[dict[str, Any]]
    warnings: list[str]
    message_id: str | None
    profile_id: str | None

    def __repr__(self) -> str:
        shown = ("rows", "accepted", "duplicates", "suppressed", "rejected", "ignored")
        return f"Receipt({', '.join(f'{name}={self._fields.get(name)}' for name in shown)})"


class Profile(Record):
    """One person: every identifier, trait, feature value and membership at the asked instant.

    Times are RFC 3339 text in UTC with milliseconds.
    """

    __slots__ = ()
    id: str
    ids: dict[str, list[str]]
    traits: dict[str, Any]
    features: dict[str, Any]
    audiences: list[str]
    cohorts: dict[str, Any]
    consents: Any
    first_seen: str | None
    last_seen: str | None
    merged_from: list[str]

    def __repr__(self) -> str:
        # Names of things only, as for every record: traits are personal.
        return f"Profile({self.id}, {len(self.traits)} traits, {len(self.features)} features, audiences={self.audiences})"


class Prediction(Record):
    """A predicted cohort or propensity of one person or text."""

    __slots__ = ()
    cohort: str | None
    score: float | None
    scores: dict[str, float]
    method: str
    model_version: int | None
    label: str | None
    last_error: str | None

    def __repr__(self) -> str:
        return f"Prediction(cohort={self.cohort!r}, score={self.score!r})"


class Decision(Record):
    """What a policy chose for one person, and why."""

    __slots__ = ()
    choice: Any
    matched: Any
    known: bool
    reasons: list[Any]
    evaluated: list[Any]

    def __repr__(self) -> str:
        return f"Decision(choice={self.choice!r}, matched={self.matched!r}, known={self.known})"


class ModelReport(Record):
    """How the training of a predictor went."""

    __slots__ = ()


class Frame:
    """A table of results.

    Any library that reads the Arrow PyCapsule interface takes it as it is: `pyarrow.table(frame)`,
    `polars.DataFrame(frame)`, and DuckDB by the name of the variable. Iterating gives one dict per row, with instants as
    `datetime` in UTC. Amounts are the nearest float; with `exact=True` they are exact decimals.
    """

    __slots__ = ("_frame",)

    def __init__(self, frame: _native.Frame) -> None:
        self._frame = frame

    def __len__(self) -> int:
        return len(self._frame)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in their order."""
        return self._frame.columns

    @property
    def next(self) -> str | None:
        """Pass as `after` to get the next page; None on the last one."""
        return self._frame.next

    @property
    def about(self) -> dict[str, Any]:
        """Facts about the table as a whole, such as how many of its people are known."""
        return self._frame.about

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self._frame.row(row) for row in range(len(self._frame)))

    @overload
    def __getitem__(self, key: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, key: slice) -> list[dict[str, Any]]: ...
    @overload
    def __getitem__(self, key: str) -> list[Any]: ...
    def __getitem__(self, key: int | slice | str) -> Any:
        """A row by its number, rows by a slice, or a column's values by its name."""
        if isinstance(key, str):
            column = self._frame.column(key)
            if column is None:
                raise InvalidError(f"the frame has no column `{key}`", f"columns: {', '.join(self.columns)}")
            return column
        if isinstance(key, slice):
            return [self._frame.row(row) for row in range(*key.indices(len(self)))]
        return self._frame.row(range(len(self))[key])

    def to_dicts(self, *, exact: bool = False) -> list[dict[str, Any]]:
        """The rows as dicts; with `exact=True` amounts are `decimal.Decimal`."""
        return list(self.exact() if exact else self)

    def to_arrow(self, *, exact: bool = False) -> pyarrow.Table:
        """The table as a `pyarrow.Table`; with `exact=True` amounts are decimal128(38, 9)."""
        import pyarrow

        return pyarrow.table(self.exact() if exact else self)

    def to_pandas(self, *, exact: bool = False) -> pandas.DataFrame:
        """The table as a pandas DataFrame (needs pandas and pyarrow)."""
        return self.to_arrow(exact=exact).to_pandas()

    def to_polars(self, *, exact: bool = False) -> polars.DataFrame:
        """The table as a polars DataFrame (needs polars)."""
        import polars

        return polars.DataFrame(self.exact() if exact else self)

    def exact(self) -> Frame:
        """The same table with amounts as exact decimals instead of floats."""
        return Frame(self._frame.exact())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        return f"Frame({len(self)} rows; {', '.join(self.columns)})"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        rows = "".join("<tr>" + "".join(f"<td>{_html(cell)}</td>" for cell in row.values()) + "</tr>" for row in self[:_ROWS_SHOWN])
        more = f"{len(self)} rows" + (f", the first {_ROWS_SHOWN} shown" if len(self) > _ROWS_SHOWN else "")
        return f"<table><caption>{more}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _html(value: object) -> str:
    # Customer data is hostile HTML: nothing reaches the page unescaped.
    return "" if value is None else escape(str(value))
