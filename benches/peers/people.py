"""The quality of a peer's clusters, counted as ours are: pairs of records in one cluster, and B-cubed."""

from collections import Counter


def _pairs(sizes):
    return sum(n * (n - 1) // 2 for n in sizes)


def quality(found, truth):
    """`found` and `truth`: for each record its cluster."""
    joint, found_sizes, true_sizes = Counter(zip(found, truth)), Counter(found), Counter(truth)
    both, linked, true = _pairs(joint.values()), _pairs(found_sizes.values()), _pairs(true_sizes.values())

    def scores(precision, recall):
        return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(precision + recall, 1e-12)}

    n = max(len(found), 1)
    precise = sum(joint[f, t] / found_sizes[f] for f, t in zip(found, truth)) / n
    complete = sum(joint[f, t] / true_sizes[t] for f, t in zip(found, truth)) / n
    return {
        "clusters": scores(both / linked if linked else 1.0, both / true if true else 1.0),
        "b_cubed": scores(precise, complete),
        "largest_cluster": max(found_sizes.values(), default=0),
        "largest_true_cluster": max(true_sizes.values(), default=0),
    }
