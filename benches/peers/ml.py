"""Learning classes from texts: `cdp.ml` and scikit-learn in one process, in turn, a thread each, CPU seconds.

    python benches/peers/ml.py --data folder/with/cohorts [--repeat 5] [--out benches/results/ml.json]

The threads of the BLAS are pinned before numpy is loaded: unpinned, scikit-learn spins on a busy machine and any ratio can
be had. Without the folder of labelled texts only the made-up sets are measured, and it says so.
"""

import argparse
import gzip
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])

import numpy
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline

import cdp
from cdp.ml import TfidfLogisticRegression, ZeroShotCohorts

parser = argparse.ArgumentParser()
parser.add_argument("--data", type=pathlib.Path)
parser.add_argument("--repeat", type=int, default=5)
parser.add_argument("--out", type=pathlib.Path)
parser.add_argument("--large", action=argparse.BooleanOptionalAction, default=True, help="50 000 texts, 20 000 terms, 50 classes")
parser.add_argument("--fit-large", choices=["ours", "scikit-learn"], help=argparse.SUPPRESS)
SETTINGS = {"max_features": 20_000}


def labelled(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["text"] for row in rows], [row["label"] for row in rows]


def made_up(n_texts, n_terms, n_classes, n_words, seed):
    """Texts whose words follow Zipf's law; a quarter of each text's words are its class's own."""
    chance = random.Random(seed)
    weights = [1 / (rank + 10) for rank in range(n_terms)]
    words = [f"w{number}" for number in range(n_terms)]
    own = [chance.sample(words, max(20, n_terms // n_classes)) for _ in range(n_classes)]
    labels = [chance.randrange(n_classes) for _ in range(n_texts)]
    texts = []
    for label in labels:
        n_own = n_words // 4
        texts.append(" ".join(chance.choices(words, weights, k=n_words - n_own) + chance.choices(own[label], k=n_own)))
    return texts, [f"class{label:03}" for label in labels]


def collections(folder):
    """name -> (training texts, classes, test texts, classes)"""
    found = {}
    if folder is None or not folder.is_dir():
        print("no folder of labelled texts: only made-up texts are measured", file=sys.stderr)
    else:
        for path in sorted(folder.glob("*.train.jsonl.gz")):
            name = path.name.split(".")[0]
            found[name] = (*labelled(path), *labelled(path.with_name(f"{name}.test.jsonl.gz")))
        domains = folder / "clinc150_domains.json"
        if "clinc150" in found and domains.is_file():
            domain_of = {intent: domain for domain, intents in json.loads(domains.read_text()).items() for intent in intents}
            train, labels, test, test_labels = found["clinc150"]
            found["clinc_domain10"] = (train, [domain_of[label] for label in labels], test, [domain_of[label] for label in test_labels])
    texts, labels = made_up(12_000, 8_000, 20, 12, 1)
    found["made_up_20"] = (texts[:10_000], labels[:10_000], texts[10_000:], labels[10_000:])
    return found


def ours(C=10.0, **settings):
    return TfidfLogisticRegression(C=C, **SETTINGS, **settings)


def theirs(C=10.0):
    return make_pipeline(TfidfVectorizer(**SETTINGS), LogisticRegression(C=C, max_iter=1000))


def cpu_seconds(work, *arguments):
    begin = time.process_time()
    answer = work(*arguments)
    return time.process_time() - begin, answer


def in_turn(repeat, *works):
    """The CPU seconds of each work, in alternating runs."""
    seconds = [[] for _ in works]
    for _ in range(repeat):
        for of_work, work in zip(seconds, works, strict=True):
            of_work.append(cpu_seconds(work)[0])
    return seconds


def spread(numbers):
    return {"median": statistics.median(numbers), "least": min(numbers), "greatest": max(numbers)}


def ratio(ours, theirs):
    return spread([other / own for own, other in zip(ours, theirs, strict=True)])


def calibration_error(probabilities, classes, truth, bins=15):
    places = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    right = classes[places] == numpy.array(truth)
    of_bin = numpy.clip(numpy.ceil(confidence * bins).astype(int), 1, bins)
    return sum(abs(right[of_bin == one].sum() - confidence[of_bin == one].sum()) for one in range(1, bins + 1)) / len(truth)


def judge(model, texts, truth):
    found = model.predict(texts)
    return {
        "accuracy": accuracy_score(truth, found), "macro_f1": f1_score(truth, found, average="macro"),
        "calibration_error": calibration_error(model.predict_proba(texts), numpy.asarray(model.classes_), truth),
    }  # fmt: skip


def percentile_us(call, texts, repeat):
    """The median over the runs of the median latency of single calls, in microseconds of CPU."""
    medians = []
    for _ in range(repeat):
        latencies = []
        for text in texts:
            begin = time.thread_time_ns()
            call([text])
            latencies.append((time.thread_time_ns() - begin) / 1e3)
        medians.append(statistics.median(latencies))
    return medians


def measure(name, data, repeat):
    train, labels, test, truth = data
    line = {"set": name, "texts": len(train), "classes": len(set(labels))}
    for C in (1.0, 10.0):
        mine, other = ours(C, calibrate=False).fit(train, labels), theirs(C).fit(train, labels)
        line[f"C={C:g}"] = {"ours": judge(mine, test, truth), "scikit_learn": judge(other, test, truth)}
        line["terms"] = mine.n_features_in_
    line["zero_shot"] = zero_shot(labels, test, truth)
    line["defaults"] = judge(TfidfLogisticRegression().fit(train, labels), test, truth)

    fits = in_turn(
        repeat, lambda: ours(calibrate=False).fit(train, labels), lambda: theirs().fit(train, labels), lambda: ours().fit(train, labels)
    )
    line["fit_seconds"] = {"ours": spread(fits[0]), "scikit_learn": spread(fits[1]), "ours_calibrated": spread(fits[2])}
    line["fit_ratio"], line["calibrated_fit_ratio"] = ratio(fits[0], fits[1]), ratio(fits[2], fits[1])

    vectorizer, classifier = other.named_steps["tfidfvectorizer"], other.named_steps["logisticregression"]
    values, mine_values = vectorizer.transform(test), mine.transform_tfidf(test)
    assert list(mine.get_feature_names_out()) == list(vectorizer.get_feature_names_out())
    line["greatest_difference_of_tfidf"] = float(abs(values - mine_values).max())
    per_text = 1e6 / len(test)
    times = in_turn(repeat, lambda: mine.transform_tfidf(test), lambda: vectorizer.transform(test))
    line["vectorize_us_per_text"] = {"ours": spread([s * per_text for s in times[0]]), "scikit_learn": spread([s * per_text for s in times[1]])}
    line["vectorize_ratio"] = ratio(*times)
    times = in_turn(repeat, lambda: mine.predict_proba(test), lambda: other.predict_proba(test))
    line["predict_us_per_text"] = {"ours": spread([s * per_text for s in times[0]]), "scikit_learn": spread([s * per_text for s in times[1]])}
    line["predict_ratio"] = ratio(*times)
    sample = test[:300]
    single = percentile_us(mine.predict_proba, sample, repeat), percentile_us(other.predict_proba, sample, repeat)
    line["single_call_us"] = {"ours": spread(single[0]), "scikit_learn": spread(single[1])}
    line["single_call_ratio"] = ratio(*single)
    return line


def zero_shot(labels, test, truth):
    """Without labels, the cohorts described by their names alone: our likeness, and the cosine of words by TF-IDF."""
    names = sorted(set(labels))
    described = {name: name.replace("_", " ") for name in names}
    found = ZeroShotCohorts(described).assign(test)
    given = [row["cohort"] for row in found["rows"]]
    words = TfidfVectorizer().fit(described.values())
    cosine = (words.transform(test) @ words.transform(described.values()).T).toarray()
    by_words = [names[row.argmax()] if row.max() > 0 else None for row in cosine]
    share = lambda answers: sum(one == other for one, other in zip(answers, truth, strict=True)) / len(truth)  # noqa: E731
    return {
        "ours": share(given), "coverage": found["coverage"], "words": share(by_words),
        "words_coverage": sum(one is not None for one in by_words) / len(truth),
    }  # fmt: skip


def fit_large(side):
    """One fit of the large set in this process: its CPU seconds and the growth of its peak memory."""
    texts, labels = made_up(50_000, 20_000, 50, 24, 2)
    peak = lambda: next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))  # noqa: E731
    before = peak()
    seconds, model = cpu_seconds(lambda: (ours(calibrate=False) if side == "ours" else theirs()).fit(texts, labels))
    terms = model.n_features_in_ if side == "ours" else len(model.named_steps["tfidfvectorizer"].vocabulary_)
    print(json.dumps({"cpu_seconds": seconds, "megabytes": (peak() - before) / 1024, "terms": terms}))


def large(repeat):
    runs = {"ours": [], "scikit-learn": []}
    for _ in range(repeat):
        for side, of_side in runs.items():
            answer = subprocess.run([sys.executable, __file__, "--fit-large", side], capture_output=True, text=True, check=True)
            of_side.append(json.loads(answer.stdout))
    seconds = {side: [run["cpu_seconds"] for run in of_side] for side, of_side in runs.items()}
    return {
        "set": "made_up 50k x 20k x 50", "runs": runs, "fit_ratio": ratio(seconds["ours"], seconds["scikit-learn"]),
        "megabytes": {side: max(run["megabytes"] for run in of_side) for side, of_side in runs.items()},
    }  # fmt: skip


def show(lines):
    print("cdp.ml and scikit-learn, C=10, a thread each, CPU; ratios: scikit-learn's time by ours, median [least-greatest]\n")
    head = ["set", "texts", "terms", "classes", "acc ours/sk", "macro F1 ours/sk", "ECE def.", "fit x", "calibr. fit x", "vectorize x", "single us", "single x", "zero-shot ours/words (coverage)"]  # fmt: skip
    rows = [head]
    short = lambda found: f"{found['median']:.1f} [{found['least']:.1f}-{found['greatest']:.1f}]"  # noqa: E731
    for line in lines:
        mine, other = line["C=10"]["ours"], line["C=10"]["scikit_learn"]
        rows.append([
            line["set"], line["texts"], line["terms"], line["classes"], f"{mine['accuracy']:.4f}/{other['accuracy']:.4f}",
            f"{mine['macro_f1']:.4f}/{other['macro_f1']:.4f}", f"{line['defaults']['calibration_error']:.3f}", short(line["fit_ratio"]),
            short(line["calibrated_fit_ratio"]), short(line["vectorize_ratio"]), f"{line['single_call_us']['ours']['median']:.1f}",
            short(line["single_call_ratio"]),
            f"{line['zero_shot']['ours']:.3f}/{line['zero_shot']['words']:.3f} ({line['zero_shot']['coverage']:.2f}/{line['zero_shot']['words_coverage']:.2f})",
        ])  # fmt: skip
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(head))]
    for row in rows:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), flush=True)


def main():
    arguments = parser.parse_args()
    if arguments.fit_large:
        return fit_large(arguments.fit_large)
    found = collections(arguments.data)
    lines = [measure(name, data, arguments.repeat) for name, data in found.items()]
    show(lines)
    report = {"bench": "ml", "version": cdp.__version__, "peers": {"scikit-learn": sklearn.__version__, "numpy": numpy.__version__}, "repeat": arguments.repeat, "sets": lines}  # fmt: skip
    write(report, arguments.out)
    if arguments.large:
        report["large"] = large(arguments.repeat)
        sizes = ", ".join(f"{side} {size:.0f} MiB" for side, size in report["large"]["megabytes"].items())
        print(f"\n50 000 texts x 20 000 terms x 50 classes: fit x {report['large']['fit_ratio']['median']:.2f}, growth of memory: {sizes}")
        write(report, arguments.out)
    if arguments.out:
        print(f"\nwritten: {arguments.out}")


def write(report, path):
    # Twice: the large set takes as long as all others, and what is known before it shall not be lost with it.
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
