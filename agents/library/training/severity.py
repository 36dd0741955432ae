"""Train, calibrate and evaluate the severity model."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from agents.library.incidents import DATA_VERSION, LEVELS, Incident, narrative, part
from agents.library.severity import Model, softmax, terms

SEED = 20
_TERMS = 20_000
_RARE = 3  # a term must occur in this many training incidents
_STRENGTH = 2.0  # inverse of the regularisation; 0.5-8 differ by less than one point on the calibration split
_BINS = 10

type Labels = NDArray[np.intp]


def terms_of(incident: Incident) -> list[str]:
    """What the model reads of an incident: never its severity."""
    text = narrative(incident.title, incident.description, incident.affected)
    return terms(text, reference=incident.reference, category=incident.category)


def labels(incidents: Sequence[Incident]) -> Labels:
    """Each incident's severity as an index into LEVELS."""
    return np.array([LEVELS.index(incident.severity) for incident in incidents], dtype=np.intp)


def train(incidents: Sequence[Incident]) -> Model:
    """Fit on the training part, then set the temperature on the calibration part. Deterministic."""
    learn = [incident for incident in incidents if part(incident) == "train"]
    tune = [incident for incident in incidents if part(incident) == "calibrate"]
    vectorizer = TfidfVectorizer(analyzer=terms_of, min_df=_RARE, max_features=_TERMS, sublinear_tf=True)
    features = vectorizer.fit_transform(learn)
    classifier = LogisticRegression(C=_STRENGTH, max_iter=500, random_state=SEED).fit(features, labels(learn))
    names = tuple(str(name) for name in vectorizer.get_feature_names_out())
    stored = Model(
        names=names,
        terms={name: index for index, name in enumerate(names)},
        # Rounded as they will be stored, so that the temperature fits the model that is used.
        idf=vectorizer.idf_.astype(np.float16).astype(np.float32),
        coefficients=classifier.coef_.astype(np.float16).astype(np.float32),
        intercepts=classifier.intercept_.astype(np.float32),
        temperature=1.0,
    )
    return replace(stored, temperature=_temperature(score_matrix(stored, tune), labels(tune)))


def score_matrix(model: Model, incidents: Sequence[Incident]) -> NDArray[np.float64]:
    """Raw scores, a row for each incident."""
    return np.array([model.scores(terms_of(incident)) for incident in incidents])


def evaluate(model: Model, incidents: Sequence[Incident]) -> dict[str, object]:
    """The card's figures on the held-out part, which neither training nor calibration saw."""
    held_out = [incident for incident in incidents if part(incident) == "test"]
    truth = labels(held_out)
    probabilities = softmax(score_matrix(model, held_out) / model.temperature)
    predicted = probabilities.argmax(axis=1)
    critical = LEVELS.index("critical")
    return {
        "incidents": len(held_out),
        "accuracy": round(float((predicted == truth).mean()), 4),
        "accuracy_of_always_guessing_the_commonest": round(float(np.bincount(truth).max() / len(truth)), 4),
        "within_one_level": round(float((abs(predicted - truth) <= 1).mean()), 4),
        "macro_f1": round(float(np.mean([_f1(predicted == level, truth == level) for level in range(len(LEVELS))])), 4),
        "recall": {
            name: round(float((predicted == level)[truth == level].mean()), 4) for level, name in enumerate(LEVELS)
        },
        "critical_assessed_high_or_critical": round(float((predicted >= critical - 1)[truth == critical].mean()), 4),
        "expected_calibration_error": round(calibration_error(probabilities, truth), 4),
    }


def card(model: Model, incidents: Sequence[Incident], *, date: str) -> dict[str, object]:
    """The model card: what it is, what it was trained on, how good it is, and what it must not be used for."""
    return {
        "model": "severity-assessor",
        "kind": "multinomial logistic regression over TF-IDF of words and word pairs; temperature scaling",
        "input": "title, description, affected party, host of the reference, category; "
        "grades stated in the text (CVSS, 'high severity') are blanked out",
        "data": DATA_VERSION,
        "split": "70/15/15 by hash of the incident's family (near duplicates stay together): train, calibrate, test",
        "trained_on": sum(part(incident) == "train" for incident in incidents),
        "calibrated_on": sum(part(incident) == "calibrate" for incident in incidents),
        "seed": SEED,
        "trained_at": date,
        "library": f"scikit-learn {sklearn.__version__}",
        "temperature": round(model.temperature, 4),
        "held_out": evaluate(model, incidents),
        "limits": "Graders of the source disagree, texts are cut at 280 characters; most errors are one level. "
        "It finds about a third of the critical incidents as critical; workflows must not rely on the level alone.",
    }


def calibration_error(probabilities: NDArray[np.float64], truth: Labels) -> float:
    """Expected calibration error of the winning class over ten equal bins of confidence."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(confidence[bins == bin_].mean() - right[bins == bin_].mean()) * (bins == bin_).mean()
        for bin_ in np.unique(bins)
    ]
    return float(sum(gaps))


def _temperature(scores: NDArray[np.float64], truth: Labels) -> float:
    """The temperature of least log loss, to a hundredth."""
    rows = np.arange(len(truth))
    candidates = np.arange(0.5, 3.0, 0.01)
    losses = [-np.log(softmax(scores / candidate)[rows, truth] + 1e-12).mean() for candidate in candidates]
    return round(float(candidates[int(np.argmin(losses))]), 2)


def _f1(predicted: NDArray[np.bool_], actual: NDArray[np.bool_]) -> float:
    both = float((predicted & actual).sum())
    return 2 * both / float(predicted.sum() + actual.sum()) if both else 0.0
