"""Record linkage without a store: which rows of one or two frames are the same person, how sure, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import _native
from ._errors import InvalidError
from ._results import Frame

_Pairs = Iterable[tuple[Any, Any]]


class Links:
    """What `link` found. Made by `cdp.link`."""

    __slots__ = ("_clusters", "_links", "_pairs", "_quality")

    def __init__(self, links: _native.Links) -> None:
        self._links = links
        self._clusters: Frame | None = None
        self._pairs: Frame | None = None
        self._quality: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self._links)

    def __repr__(self) -> str:
        return f"Links({len(self)} records, {self.quality['verdict']})"

    @property
    def clusters(self) -> Frame:
        """Every record with its cluster: `record_id`, `cluster_id`; of two frames also `source` (`left` or `right`).

        The `cluster_id` is the identifier of the first record of the cluster. Of two frames it is text, and `right:` stands
        before it where the cluster has no record of the left frame: identifiers of two frames may be equal, clusters are not.
        """
        if self._clusters is None:
            self._clusters = Frame(self._links.clusters())
        return self._clusters

    @property
    def pairs(self) -> Frame:
        """The pairs that are not clearly two people, the likeliest first: `left`, `right`, `weight` (log2 of the odds),
        `probability`, `band` (`auto`, `review`, `reject`) and `linked` (whether both are in one cluster)."""
        if self._pairs is None:
            self._pairs = Frame(self._links.pairs())
        return self._pairs

    @property
    def quality(self) -> dict[str, Any]:
        """Whether the model may be trusted (`verdict`: `green`, `yellow`, or `red`, which links nothing), the reasons,
        what was measured, what blocking did and which roles the columns have."""
        if self._quality is None:
            self._quality = self._links.quality()
        return self._quality

    @property
    def recognized(self) -> dict[str, str] | list[dict[str, str]]:
        """The role of each column, `ignore` for those not compared; of two frames a list of two dicts."""
        found = [{of["column"]: of["role"] for of in columns} for columns in self.quality["recognized"]]
        return found[0] if len(found) == 1 else found

    @property
    def model(self) -> list[str]:
        """The trained model in words: the prior, and for each level m, u and weight in bits."""
        return self._links.model_lines()

    def model_bytes(self) -> bytes:
        """The trained model in its stored form, which has a version."""
        return self._links.model_bytes()

    def explain(self, left: Any, right: Any) -> dict[str, Any]:
        """Why two records are or are not one person: `parts`, whose weights add up to `weight`, `probability`, `band`,
        and the blocking `rules` that propose the pair. Of two frames `left` is an identifier of the left one and `right`
        of the right one. Raises `NotFoundError` for an unknown identifier."""
        return self._links.explain(str(left), str(right))

    def evaluate(self, labels: Any) -> dict[str, Any]:
        """How good the links are.

        `labels` is a mapping from record identifier to person, or rows (a frame with `to_dicts` or `to_dict`, or dicts)
        with either `record_id` and `cluster_id`, or `left`, `right` and `match`. Pair figures count every true pair, also
        those that blocking missed. Of two frames, `left` names a record of the left one and `right` one of the right one;
        rows with `record_id` say with `source` (`left` or `right`) which frame they mean, as `clusters` does.
        Raises `InvalidError` if a label names an unknown record, or one that both frames have and no `source` tells apart.
        """
        if isinstance(labels, Mapping):
            return self._links.evaluate([(None, str(id), str(person)) for id, person in labels.items()], None)
        rows = _rows(labels)
        if not rows:
            return self._links.evaluate([], None)
        if {"record_id", "cluster_id"} <= rows[0].keys():
            return self._links.evaluate(
                [(_source(row), str(row["record_id"]), str(row["cluster_id"])) for row in rows], None
            )
        if {"left", "right", "match"} <= rows[0].keys():
            pairs = [(str(row["left"]), str(row["right"]), bool(row["match"])) for row in rows]
            return self._links.evaluate(None, pairs)
        raise InvalidError("labels need the columns record_id and cluster_id, or left, right and match")


def _source(row: Mapping[str, Any]) -> str | None:
    source = row.get("source")
    return None if source is None else str(source)


def _rows(frame: Any) -> list[dict[str, Any]]:
    if hasattr(frame, "to_dicts"):
        rows = frame.to_dicts()
    elif hasattr(frame, "to_pylist"):
        rows = frame.to_pylist()
    elif hasattr(frame, "to_dict") and hasattr(frame, "columns"):
        rows = frame.to_dict("records")
    else:
        rows = frame
    return [dict(row) for row in rows]


def _both(given: Any, is_pair: bool) -> tuple[Any, Any]:
    if is_pair and isinstance(given, (tuple, list)):
        left, right = given
        return left, right
    return given, given


def _columns(frame: Any) -> list[str]:
    # pyarrow calls the names of its columns differently.
    names = getattr(frame, "column_names", None)
    if names is None:
        names = getattr(frame, "columns", None)
    if names is None and isinstance(frame, Sequence) and frame and isinstance(frame[0], Mapping):
        names = frame[0].keys()
    return [str(name) for name in names] if names is not None and not callable(names) else []


_USUAL_IDS = ("rec_id", "record_id", "unique_id", "id")


def _id_of(frame: Any, given: str | None) -> str | None:
    if given is not None:
        return given
    columns = _columns(frame)
    return next((name for name in _USUAL_IDS if name in columns), None)


def link(
    left: Any,
    right: Any = None,
    *,
    record_id: str | tuple[str | None, str | None] | None = None,
    columns: Mapping[str, str] | tuple[Mapping[str, str], Mapping[str, str]] | None = None,
    linkage: Mapping[str, Any] | None = None,
    must_link: _Pairs = (),
    cannot_link: _Pairs = (),
    seed: int = 0,
) -> Links:
    """Finds the rows that are the same person, in one frame or (at most one row of each) between two.

    Args:
        left: a DataFrame, an Arrow table, or dicts; a value may be missing.
        right: a second one, without duplicates in itself as the first.
        record_id: the column of unique identifiers; without it `rec_id`, `record_id`, `unique_id` or `id` if there is
            one, else row numbers. A tuple where the frames differ.
        columns: roles of columns by name (`given_name`, `surname`, `full_name`, `birth_date`, `email`, `phone`, `device`,
            `street_number`, `address`, `suburb`, `postcode`, `city`, `state`, `national_id`, `category`, `text`, `ignore`);
            those of other columns are recognized by name and content. A tuple where the frames differ.
        linkage: a linkage definition: `columns`, `blocking`, `thresholds`.
        must_link, cannot_link: pairs of record identifiers that people decided about; of two frames the first is of
            `left` and the second of `right`.
        seed: the same seed gives the same result to the bit.

    Raises `InvalidError` for an unknown column or role, or a repeated identifier.

        >>> import cdp
        >>> links = cdp.link([
        ...     {"first_name": "Robert", "surname": "Allen", "dob": "1971-05-24", "email": "roberta25@smith.net"},
        ...     {"first_name": "Rob", "surname": "Alen", "dob": "1971-05-24", "email": "roberta25@smith.net"},
        ...     {"first_name": "Jane", "surname": "Doe", "dob": "1980-01-30", "email": "jane@e.com"},
        ... ])
        >>> links.clusters["cluster_id"]
        [0, 0, 2]
    """
    is_pair = right is not None
    ids = _both(record_id, is_pair)
    given = _both(columns, is_pair)
    roles = tuple({str(name): str(role) for name, role in (of or {}).items()} for of in given)
    decided = tuple([(str(one), str(two)) for one, two in pairs] for pairs in (must_link, cannot_link))
    left, right = _plain(left), _plain(right)
    found = _native.Links(
        left,
        right,
        ((_id_of(left, ids[0]), _id_of(right, ids[1]) if is_pair else None), [roles[0], roles[1]]),
        None if linkage is None else dict(linkage),
        (decided[0], decided[1]),
        seed,
    )
    return Links(found)


def _plain(frame: Any) -> Any:
    """A frame whose columns have one Arrow type each as it is; pandas with mixed columns as dicts."""
    if type(frame).__module__.partition(".")[0] != "pandas" or not hasattr(frame, "to_dict"):
        return frame
    try:
        frame.__arrow_c_stream__()
    except Exception:  # without pyarrow, or with columns of mixed objects
        return [
            {str(name): None if _is_missing(value) else value for name, value in row.items()}
            for row in frame.astype(object).to_dict("records")
        ]
    return frame


def _is_missing(value: Any) -> bool:
    return value is None or value != value or type(value).__name__ in ("NAType", "NaTType")
