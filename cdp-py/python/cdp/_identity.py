"""The verbs about who is who: why two identifiers are one person, and what an operator decides about them.

Every rule lives in the core. This file only gathers arguments; it must never judge a value itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._types import Identifier, Time


class IdentityVerbs:
    """What `cdp.Cdp` says about identity."""

    if TYPE_CHECKING:

        def _call(self, verb: str, **request: Any) -> Any: ...

    def merge(
        self, a: Identifier, b: Identifier, *, timestamp: Time | None = None, reason: str | None = None, dry_run: bool = False
    ) -> Any:
        """Makes two identifiers one person, whatever the limits say: `{decision, type, linked, before, after, path}`.

        Args:
            timestamp: from when on they are one person, now by default. Of several decisions about a pair the latest holds.
            reason: kept with the decision; `db.table("link_decisions")` lists them.
            dry_run: change nothing, only tell which profiles `before` would become which `after`.

        Example:
            >>> db.merge({"user_id": "u1"}, {"user_id": "u2"}, reason="the customer called")
            >>> db.unlink({"user_id": "u1"}, {"user_id": "u2"})  # takes it back exactly
        """
        return self._call("merge", a=a, b=b, timestamp=timestamp, reason=reason, dry_run=dry_run)

    def unlink(
        self, a: Identifier, b: Identifier, *, timestamp: Time | None = None, reason: str | None = None, dry_run: bool = False
    ) -> Any:
        """Cuts the direct evidence between two identifiers, past and future, and takes a merge of the two back.

        Where another path still joins them, `linked` stays true and `path` shows it. Arguments and result as of `merge`.

        Example:
            >>> db.unlink({"user_id": "u1"}, {"anonymous_id": "kiosk"}, dry_run=True)["after"]
        """
        return self._call("unlink", a=a, b=b, timestamp=timestamp, reason=reason, dry_run=dry_run)

    def separate(
        self, a: Identifier, b: Identifier, *, timestamp: Time | None = None, reason: str | None = None, dry_run: bool = False
    ) -> Any:
        """Keeps two people apart whatever the path between them. Arguments and result as of `merge`.

        Example:
            >>> db.separate({"user_id": "father"}, {"user_id": "son"})
        """
        return self._call("separate", a=a, b=b, timestamp=timestamp, reason=reason, dry_run=dry_run)

    def explain_link(self, a: Identifier, b: Identifier) -> Any:
        """Why two identifiers are one person, or why not: `{linked, path, weakest, alternatives, refused}`.

        `path` is the shortest one, step by step `{from, to, message_id, source, decision, rule, class, occurred_at, messages}`;
        `weakest` the step with the fewest messages behind it; `alternatives` further paths that share no link. If they are
        not linked, `refused` is the shortest way over all evidence, with a `reason` at each step that does not count.

        Example:
            >>> db.explain_link({"user_id": "u1"}, {"email": "x@example.com"})["path"]
        """
        return self._call("explain_link", a=a, b=b)

    def identity_report(self) -> Any:
        """How unification fares: profiles, match rate, sizes, accounts, refused links by reason, hubs, decisions.

        Example:
            >>> db.identity_report()["refused_links"]
        """
        return self._call("identity_report")
