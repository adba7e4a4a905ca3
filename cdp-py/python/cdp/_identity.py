"""The verbs about who is who: why two identifiers are one person, and what an operator decides about them.

Every rule lives in the core. This file only gathers arguments; it must never judge a value itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ._results import Frame
from ._verbs import Identifier, Time, Verbs


class IdentityVerbs(Verbs):
    """What `cdp.Cdp` says about identity."""

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

    def link(self, *, seed: int = 0, dry_run: bool = False) -> Any:
        """Finds profiles that are probably one person, as the `linkage` part of the identity definition has it.

        Gives `{model_version, verdict, reasons, records, suggestions, links, added, removed, columns, ...}`. Likely pairs are
        kept for `link_suggestions`; with `"auto_link": true` and a model judged green the likeliest become links of class
        `probable`. What an earlier run found is replaced; a run over the same facts changes nothing. (`cdp.link` does the
        same for a table without a store.)

        Example:
            >>> db.define({"kind": "identity", "name": "people", "preset": "segment", "linkage": {}})
            >>> db.link()["suggestions"]
        """
        return self._call("link", seed=seed, dry_run=dry_run)

    def link_suggestions(self, *, limit: int | None = None, after: str | None = None) -> Frame:
        """The likely pairs of the last run about which nothing is decided, the likeliest first.

        Columns: `suggestion`, `weight`, `probability`, `model_version`, and for `a` and `b` each `profile_id` and `ids` (JSON).

        Example:
            >>> db.link_suggestions(limit=20).to_pandas()
        """
        return self._frame("link_suggestions", limit=limit, after=after)

    def review_link(self, suggestion: str, accept: bool, *, reason: str | None = None, dry_run: bool = False) -> Any:
        """Decides about a suggestion: accepted it is a `merge`, rejected a `separate`, and later runs respect both.

        The opposite review or `unlink` takes it back. The result is that of `merge`.

        Example:
            >>> db.review_link(suggestion, True, reason="same address")
        """
        return self._call("review_link", suggestion=suggestion, accept=accept, reason=reason, dry_run=dry_run)

    def evaluate_links(self, labels: Iterable[Mapping[str, Any]]) -> Any:
        """How good a run would be against labels, `{a, b, linked}` or `{identifier, person}` each; stores nothing.

        Example:
            >>> db.evaluate_links([{"a": {"user_id": "u1"}, "b": {"user_id": "u2"}, "linked": True}])["clusters"]["f1"]
        """
        return self._call("evaluate_links", labels=list(labels))

    def identity_report(self) -> Any:
        """How unification fares: profiles, match rate, sizes, accounts, refused links by reason, hubs, decisions,
        and whether single profiles are linked by probability (`linkage`: `on`, `waits` for a `link`, `off`).

        Example:
            >>> db.identity_report()["refused_links"]
        """
        return self._call("identity_report")
