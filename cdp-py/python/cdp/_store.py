"""The store as Python people use it: one method per verb of the core's table, with keywords for identifiers.

Every rule lives in the core. This file only gathers arguments and names results; it must never judge a value itself, nor
open a file: the core knows which ones SQLite holds.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from . import _native
from ._errors import InvalidError
from ._identity import IdentityVerbs
from ._predict import PredictVerbs
from ._results import Decision, Frame, Profile, Receipt, _html
from ._verbs import AsOf, Identifier, Time, given, one_identifier

Definition: TypeAlias = Mapping[str, Any]
"""One definition; the documentation lists their kinds."""
Progress: TypeAlias = bool | Callable[[int, str], object]
"""True shows a line on stderr; a callable gets the rows done and the stage, and returning False interrupts.

Of an atomic ingest it is called in the middle of the transaction, where a call of the store raises `InvalidError`.
"""

# Segment's own fields of a message; every other keyword of a collecting verb is an identifier type.
_SEGMENT_IDS = ("user_id", "anonymous_id", "group_id", "previous_id")
# Ten updates a second are what an eye can follow.
_SECONDS_BETWEEN_UPDATES = 0.1


def open(
    path: str | os.PathLike[str] | None = None,
    *,
    read_only: bool | None = None,
    create: bool | None = None,
    durability: str | None = None,
    clock: Time | None = None,
    id_seed: str | None = None,
    key: str | None = None,
    limits: Mapping[str, int] | None = None,
    strict_consent: bool | None = None,
    busy_timeout_ms: int | None = None,
) -> Cdp:
    """Opens a store, creating the file if it is not there; without a path, a store in memory.

    Args:
        path: the file. A second `open` of a path in one process shares the store.
        read_only: refuse every write. A large store then opens in an instant and holds nobody in memory until everybody is
            asked about, or many single people were.
        create: False raises instead of creating the file.
        durability: `full` (the default) or `relaxed`.
        clock: a time makes a clock that stands still and moves by `advance(to)` only; for tests and replays.
        id_seed: makes profile ids reproducible.
        key: refused until files can be encrypted.
        limits: sizes to change, such as the largest message in bytes.
        strict_consent: unknown consent denies every purpose.
        busy_timeout_ms: how long a write waits for another process, 30 000 by default.

    Raises:
        IoError: the file cannot be opened.
        IncompatibleError: the file belongs to another application or a newer version.

    Example:
        >>> with cdp.open("shop.db") as db:
        ...     db.track("Product Added", user_id="u1")
    """
    return Cdp(
        given(
            path=None if path is None else os.fspath(path), read_only=read_only, create=create, durability=durability, clock=clock,
            id_seed=id_seed, key=key, limits=limits, strict_consent=strict_consent, busy_timeout_ms=busy_timeout_ms,
        )
    )  # fmt: skip


class Cdp(IdentityVerbs, PredictVerbs):
    """An open store; `cdp.open` makes one. Use it as a context manager, from any thread, never across a fork.

    Every verb may raise `ClosedError` after `close()`, `BusyError` when another process keeps the write lock, and
    `InvalidError` (also a `ValueError`) for wrong input.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._path: str | None = options.get("path")
        self._store = _native.Store(options)

    # Opening and closing

    def __enter__(self) -> Cdp:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the store. Closing twice is fine; any other verb then raises `ClosedError`."""
        self._store.close()

    @property
    def closed(self) -> bool:
        """Whether the store was closed."""
        return self._store.closed

    def interrupt(self) -> None:
        """Ends the long calls that run in other threads; they raise `CallInterruptedError` and keep nothing."""
        self._store.interrupt()

    def __del__(self) -> None:
        store = getattr(self, "_store", None)
        if store is not None and self._path is not None and not store.closed:
            warnings.warn("a store was not closed; use it as a context manager or call close()", ResourceWarning, stacklevel=2)

    def __reduce__(self) -> Any:
        raise TypeError("a store cannot be pickled; open its path again in the other process")

    def __repr__(self) -> str:
        return f"<cdp.Cdp {'in memory' if self._path is None else self._path!r}{' (closed)' if self.closed else ''}>"

    def _repr_html_(self) -> str:
        rows = "" if self.closed else "".join(f"<tr><th>{_html(k)}</th><td>{_html(v)}</td></tr>" for k, v in self.stats().items())
        return f"<table><caption>{_html(repr(self))}</caption>{rows}</table>"

    # Defining

    def define(
        self, definitions: Definition | Iterable[Definition] | str | os.PathLike[str], *, dry_run: bool | None = None
    ) -> list[dict[str, Any]]:
        """Stores definitions in one transaction: features, audiences, sources, policies and the other kinds.

        Args:
            definitions: a dict, a list of them, the path of a `.json` file, or of a folder of `.json` files. Order is free.
            dry_run: only say what would change.

        Returns:
            One `{kind, name, version, status, warnings}` per definition.

        Raises:
            InvalidError: with every fault and its JSON pointer in `.faults`; nothing is stored.

        Example:
            >>> db.define({"kind": "feature", "name": "orders", "event": "Order Completed", "agg": "count"})
        """
        if isinstance(definitions, (str, os.PathLike)):
            definitions = os.fsdecode(definitions)
        elif not isinstance(definitions, Mapping):
            definitions = list(definitions)
        answer: list[dict[str, Any]] = self._call("define", definitions=definitions, dry_run=dry_run)
        return answer

    def definitions(self) -> list[dict[str, Any]]:
        """All definitions as they stand, as `define` takes them."""
        answer: list[dict[str, Any]] = self._call("definitions")
        return answer

    def drop_definition(self, kind: str, name: str) -> Any:
        """Removes a definition and what was derived from it; facts stay.

        Raises:
            NotFoundError: no such definition.
            ConflictError: another definition needs it.
        """
        return self._call("drop_definition", kind=kind, name=name)

    def schema(self) -> Any:
        """What the store has seen: events with their properties, and traits."""
        return self._call("schema")

    # Collecting

    def identify(
        self, message: Mapping[str, Any] | None = None, *, traits: Mapping[str, Any] | None = None, timestamp: Time | None = None,
        message_id: str | None = None, context: Mapping[str, Any] | None = None, **ids: Any,
    ) -> Receipt:  # fmt: skip
        """Records who somebody is: identifiers that belong together, and traits.

        Args:
            message: a whole Segment message in either casing, instead of keywords.
            traits: attributes of the person; None deletes one.
            timestamp: when it happened; the clock's now if left out.
            message_id: makes a repeated call count once; random if left out.
            ids: identifiers by type: `user_id="u1", email="x@example.com"`.

        Returns:
            The receipt with `message_id` and `profile_id`.

        Raises:
            InvalidError: the message cannot be accepted. Nothing is stored, not even as a reject.

        Example:
            >>> db.identify(user_id="u1", email="x@example.com", traits={"country": "France"})
        """
        return self._collect("identify", message, traits=traits, timestamp=timestamp, message_id=message_id, context=context, **ids)

    def track(
        self, event: str | Mapping[str, Any], *, properties: Mapping[str, Any] | None = None, timestamp: Time | None = None,
        message_id: str | None = None, context: Mapping[str, Any] | None = None, **ids: Any,
    ) -> Receipt:  # fmt: skip
        """Records something a person did; arguments, result and errors as for `identify`.

        Example:
            >>> db.track("Order Completed", user_id="u1", properties={"order_id": "o1", "revenue": 120})
        """
        message, event_name = _first(event)
        return self._collect(
            "track", message, event=event_name, properties=properties, timestamp=timestamp, message_id=message_id, context=context, **ids
        )

    def page(
        self, name: str | Mapping[str, Any] | None = None, *, category: str | None = None, properties: Mapping[str, Any] | None = None,
        timestamp: Time | None = None, message_id: str | None = None, context: Mapping[str, Any] | None = None, **ids: Any,
    ) -> Receipt:  # fmt: skip
        """Records that a page was viewed; arguments, result and errors as for `identify`."""
        return self._view("page", name, category, properties, timestamp=timestamp, message_id=message_id, context=context, **ids)

    def screen(
        self, name: str | Mapping[str, Any] | None = None, *, category: str | None = None, properties: Mapping[str, Any] | None = None,
        timestamp: Time | None = None, message_id: str | None = None, context: Mapping[str, Any] | None = None, **ids: Any,
    ) -> Receipt:  # fmt: skip
        """Records that a screen of an app was viewed; arguments, result and errors as for `identify`."""
        return self._view("screen", name, category, properties, timestamp=timestamp, message_id=message_id, context=context, **ids)

    def group(
        self, group_id: str | Mapping[str, Any], *, traits: Mapping[str, Any] | None = None, timestamp: Time | None = None,
        message_id: str | None = None, context: Mapping[str, Any] | None = None, **ids: Any,
    ) -> Receipt:  # fmt: skip
        """Records that a person belongs to an account, and the account's traits; otherwise as `identify`.

        Example:
            >>> db.group("acme", user_id="u1", traits={"plan": "business"})
        """
        message, group = _first(group_id)
        return self._collect(
            "group", message, group_id=group, traits=traits, timestamp=timestamp, message_id=message_id, context=context, **ids
        )

    def alias(
        self, previous_id: str | Mapping[str, Any], *, timestamp: Time | None = None, message_id: str | None = None,
        context: Mapping[str, Any] | None = None, **ids: Any,
    ) -> Receipt:  # fmt: skip
        """Records that two identifiers are one person; otherwise as `identify`.

        Example:
            >>> db.alias("anonymous-1", user_id="u1")
        """
        message, previous = _first(previous_id)
        return self._collect("alias", message, previous_id=previous, timestamp=timestamp, message_id=message_id, context=context, **ids)

    def _view(
        self, verb: str, name: str | Mapping[str, Any] | None, category: str | None, properties: Mapping[str, Any] | None, **fields: Any
    ) -> Receipt:
        message, page_name = _first(name)
        return self._collect(verb, message, name=page_name, category=category, properties=properties, **fields)

    def _collect(self, verb: str, message: Mapping[str, Any] | None, **fields: Any) -> Receipt:
        fields = given(**fields)
        if message is not None:
            if fields:
                raise InvalidError(f"{verb} takes a whole message or keywords, not both", f"put {', '.join(fields)} into the message")
            return Receipt(self._store.call(verb, dict(message)))
        own = ("event", "name", "category", "properties", "traits", "timestamp", "message_id", "context", *_SEGMENT_IDS)
        ids = {name: fields.pop(name) for name in list(fields) if name not in own}
        return Receipt(self._store.call(verb, {**fields, "ids": ids} if ids else fields))

    def ingest(
        self, data: Any, *, source: str | None = None, format: str | None = None, first_row: int | None = None,
        checkpoint: str | None = None, atomic: bool | None = None, batch_rows: int | None = None, progress: Progress = False,
    ) -> Receipt:  # fmt: skip
        """Takes in many rows or messages. A wrong row never raises: it is kept as a reject with its reason.

        Args:
            data: a path (`.csv`, `.json`, `.ndjson`, also `.gz`), bytes, a file object, a DataFrame or any other Arrow
                producer, or dicts from any iterable. In DataFrames NaN means missing.
            source: the name of the source definition that maps the rows; without one, rows are Segment messages.
            format: only where neither the source nor the name of the file says it.
            first_row: the number of the first row, for a caller who splits a file.
            checkpoint: kept by the store in the same transaction as the data.
            atomic: all rows or none, in one transaction.
            batch_rows: rows per transaction otherwise.
            progress: True for a line on stderr, or a callable `(rows, stage)`; returning False interrupts.

        Returns:
            A receipt whose counts add up.

        Raises:
            NotFoundError: no source of that name.
            IoError: the data cannot be read.
            CallInterruptedError: the callback said so, or `interrupt` was called. Ctrl-C raises KeyboardInterrupt. The call
                stops within a moment; batches that were committed before stay, of an atomic call nothing.

        Example:
            >>> receipt = db.ingest("online_retail.csv.gz", source="shop_csv", progress=True)
            >>> receipt.accepted, receipt.rejected
        """
        options = given(
            source=source, format=format, first_row=first_row, checkpoint=checkpoint, atomic=atomic, batch_rows=batch_rows
        )  # fmt: skip
        if progress is True:
            with _StderrLine() as line:
                return Receipt(self._store.ingest(data, options, line))
        return Receipt(self._store.ingest(data, options, progress if callable(progress) else None))

    def rejects(
        self, *, source: str | None = None, reason: str | None = None, limit: int | None = None, after: str | None = None
    ) -> Frame:
        """Rows that were not accepted, with reason, field, detail and the raw row, oldest first."""
        return self._frame("rejects", source=source, reason=reason, limit=limit, after=after)

    def redrive(self, *, source: str | None = None, reason: str | None = None) -> Receipt:
        """Drives rejected rows again, after their source definition was mended; those accepted leave the rejects."""
        return Receipt(self._call("redrive", source=source, reason=reason))

    def checkpoints(self) -> dict[str, str]:
        """How far each source was read: the checkpoint that came with its last data."""
        answer: dict[str, str] = self._call("checkpoints")
        return answer

    def advance(self, to: Time | None = None) -> Any:
        """Moves the store's time forward (to now by default) and records the audience changes that fell due."""
        return self._call("advance", to=to)

    # Unifying

    def profile(self, identifier: Identifier | None = None, *, as_of: AsOf | None = None, **ids: Any) -> Profile | None:
        """The person behind one identifier, or None if nobody matches.

        Args:
            identifier: a dict with one key, instead of a keyword.
            as_of: the instant; later facts do not count. Now by default.
            ids: one identifier by its type: `user_id="14646"`; `profile_id=` works as well.

        Raises:
            InvalidError: the type is not declared; the hint is the line to add.

        Example:
            >>> person = db.profile(user_id="14646")
            >>> person.traits["country"], person.features["total_spend"]
        """
        found = self._call("profile", identifier=one_identifier("profile", identifier, ids), as_of=as_of)
        return None if found is None else Profile(found)

    def profiles(
        self, *, where: Mapping[str, Any] | None = None, order_by: str | None = None, columns: list[str] | None = None,
        limit: int | None = None, after: str | None = None, as_of: AsOf | None = None,
    ) -> Frame:  # fmt: skip
        """Everybody, or those for whom the rule `where` holds.

        Args:
            order_by: a column, or `-column` for descending.
            columns: default `profile_id, user_id, email`; also `traits.x`, `features.x`. An unknown one raises.
            limit: rows per page; without it, all. `frame.next` is the `after` of the next page.
        """
        return self._frame("profiles", where=where, order_by=order_by, columns=columns, limit=limit, after=after, as_of=as_of)

    def events(
        self, identifier: Identifier | None = None, *, event: str | None = None, limit: int | None = None, after: str | None = None,
        as_of: AsOf | None = None, **ids: Any,
    ) -> Frame:  # fmt: skip
        """The events of one person in order of time.

        Example:
            >>> db.events(user_id="14646", event="Order Completed", limit=20).to_pandas()
        """
        identifier = one_identifier("events", identifier, ids)
        return self._frame("events", identifier=identifier, event=event, limit=limit, after=after, as_of=as_of)

    def resolve(self, profile_ids: Iterable[str]) -> Any:
        """Where each profile id that was ever handed out leads now; None for one that never was."""
        return self._call("resolve", profile_ids=list(profile_ids))

    # Aggregating

    def features(
        self, identifier: Identifier | None = None, names: list[str] | None = None, *, as_of: AsOf | None = None, **ids: Any
    ) -> dict[str, Any] | None:
        """Feature values of one person at an instant, all or those of `names`; None if nobody matches.

        A feature without events yields its default. Windows are half-open `(t-w, t]`.
        """
        identifier = one_identifier("features", identifier, ids)
        answer: dict[str, Any] | None = self._call("features", identifier=identifier, names=names, as_of=as_of)
        return answer

    def feature_table(
        self, names: list[str] | None = None, *, as_of: AsOf | None = None, where: Mapping[str, Any] | None = None
    ) -> Frame:
        """Feature values of everybody, one row per profile and one column per feature."""
        return self._frame("feature_table", names=names, as_of=as_of, where=where)

    # Segmenting

    def members(
        self, audience: str, *, as_of: AsOf | None = None, columns: list[str] | None = None, order_by: str | None = None,
        limit: int | None = None, after: str | None = None,
    ) -> Frame:  # fmt: skip
        """The members of an audience at an instant; columns and pages as for `profiles`.

        Raises:
            NotFoundError: no such audience; the hint lists those there are.

        Example:
            >>> db.members("high_value_30d", columns=["user_id", "features.total_spend"]).to_pandas()
        """
        return self._frame("members", audience=audience, as_of=as_of, columns=columns, order_by=order_by, limit=limit, after=after)

    def preview(self, rule: Mapping[str, Any], *, as_of: AsOf | None = None) -> Any:
        """How many people a rule would hold, known and anonymous, without storing it."""
        return self._call("preview", rule=rule, as_of=as_of)

    def explain_member(
        self, audience: str, identifier: Identifier | None = None, *, as_of: AsOf | None = None, **ids: Any
    ) -> Any:
        """Why a person is or is not in an audience: each leaf of the rule with the value it saw."""
        identifier = one_identifier("explain_member", identifier, ids)
        return self._call("explain_member", audience=audience, identifier=identifier, as_of=as_of)

    def audience_changes(self, audience: str | None = None, *, after: str | None = None, limit: int | None = None) -> Frame:
        """Who entered and left, in order, each with its exact instant; `frame.next` continues it."""
        return self._frame("audience_changes", audience=audience, after=after, limit=limit)

    def rebuild(self, audience: str | None = None) -> Any:
        """Computes memberships anew from the facts; the answer never differs, this is for checking and repair."""
        return self._call("rebuild", audience=audience)

    # Activating

    def decide(
        self, policy: str, identifier: Identifier | None = None, event: Mapping[str, Any] | None = None, *, as_of: AsOf | None = None,
        **ids: Any,
    ) -> Decision:  # fmt: skip
        """What a policy chooses for a person, optionally as if `event` had just happened. Nothing is stored.

        An unknown person is an empty profile; without consent the policy's `otherwise` is chosen.

        Example:
            >>> db.decide("checkout", user_id="14646", event={"event": "Order Completed", "properties": {"amount": 120}})
        """
        identifier = one_identifier("decide", identifier, ids)
        return Decision(self._call("decide", policy=policy, identifier=identifier, event=event, as_of=as_of))

    def export(
        self, audience: str | None = None, *, destination: str | None = None, path: str | os.PathLike[str] | None = None,
        format: str | None = None, purpose: str | None = None, channel: str | None = None, columns: list[str] | None = None,
    ) -> Any:  # fmt: skip
        """Writes the members of an audience, or a destination's, to a file; only those whose consent allows the purpose.

        Returns:
            `{rows, withheld: {consent_unknown, consent_denied, no_identifier}}`.

        Example:
            >>> db.export(audience="high_value_30d", path="vip.csv", purpose="marketing", channel="email")
        """
        return self._call(
            "export", audience=audience, destination=destination, path=None if path is None else os.fspath(path), format=format,
            purpose=purpose, channel=channel, columns=columns,
        )  # fmt: skip

    def tables(self) -> Any:
        """The tables that `table` reads, with their columns."""
        return self._call("tables")

    def table(
        self, name: str, *, columns: list[str] | None = None, where: Mapping[str, Any] | None = None, as_of: AsOf | None = None,
        limit: int | None = None,
    ) -> Frame:  # fmt: skip
        """A whole table (`events`, `profiles`, `memberships`, ...) for pandas, polars or DuckDB.

        Example:
            >>> events = db.table("events")
            >>> duckdb.sql("select event, count(*) from events group by 1")
        """
        return self._frame("table", name=name, columns=columns, where=where, as_of=as_of, limit=limit)

    # Governing

    def consent(
        self, identifier: Identifier | None = None, *, purpose: str, status: str, channel: str | None = None,
        timestamp: Time | None = None, message_id: str | None = None, **ids: Any,
    ) -> Receipt:  # fmt: skip
        """Records a choice of a person about a purpose, for one channel or for all.

        Args:
            status: what the person chose: `granted` or `denied`.
            timestamp: when the choice was made; the clock's now if left out.
            message_id: makes a repeated call count once.

        Example:
            >>> db.consent(user_id="u1", purpose="marketing", channel="email", status="granted")
        """
        return Receipt(
            self._call(
                "consent", identifier=one_identifier("consent", identifier, ids), purpose=purpose, channel=channel, status=status,
                timestamp=timestamp, message_id=message_id,
            )
        )  # fmt: skip

    def consents(self, identifier: Identifier | None = None, *, as_of: AsOf | None = None, **ids: Any) -> Any:
        """The consent state of a person at an instant."""
        return self._call("consents", identifier=one_identifier("consents", identifier, ids), as_of=as_of)

    # Looking after the store

    def fingerprint(self, as_of: AsOf | None = None) -> Any:
        """A hash of everything that holds at an instant: equal facts and definitions give equal hashes in any language."""
        return self._call("fingerprint", as_of=as_of)

    def verify(self) -> Any:
        """Checks the file and that every derived thing equals what the facts give."""
        return self._call("verify")

    def stats(self, format: str | None = None) -> Any:
        """Counts and sizes of the store."""
        return self._call("stats", format=format)

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Copies the store to a new file that only its owner can read, while others go on reading and writing."""
        self._call("backup", path=os.fspath(path))

    def version(self) -> Any:
        """The version of the core and of the file format."""
        return self._call("version")

def _first(argument: str | Mapping[str, Any] | None) -> tuple[Mapping[str, Any] | None, str | None]:
    # The first argument of a collecting verb is a name, or a whole Segment message.
    return (argument, None) if isinstance(argument, Mapping) else (None, argument)


class _StderrLine:
    """Shows the progress of a call as one line that is written over."""

    def __init__(self) -> None:
        self._shown_at = 0.0

    def __call__(self, rows: int, stage: str) -> None:
        now = time.monotonic()
        if now - self._shown_at >= _SECONDS_BETWEEN_UPDATES:
            self._shown_at = now
            print(f"\r{rows:,} rows, {stage}", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> _StderrLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown_at:
            print(file=sys.stderr)
