"""Text that speaks to a model instead of being data: scored by rules, and by likeness to such texts. No Django.

Rules catch what is said in known ways; what none of them names is held against a small classifier (`likeness`). Both
miss the rest; tests/fixtures/injections.tsv measures that, and docs/guardrails.md says how well. So an injection is a
reason to look, never proof of safety when absent: what an agent may do is limited by its entitlements and by gates.
"""

import re
import unicodedata
from typing import Final, NamedTuple

from agents.guardrails import likeness

LEAST: Final = 12  # characters
THRESHOLD: Final = 0.5
LIKE: Final = 0.5  # what likeness alone counts for
MOST: Final = 200_000  # characters looked at; an attack that hides behind more is bounded by the contract's size
_HIDDEN: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
_SPACED: Final = re.compile(r"(?:\b\w ){5,}\w\b")
_PERHAPS_SPACED: Final = re.compile(r" \w \w \w \w ")  # is in every such text, and is looked for much faster


class Verdict(NamedTuple):
    """How much a text looks like an attack, 0-1, and the rules that say so; `by_rules` without mere likeness."""

    score: float
    rules: tuple[str, ...]
    by_rules: float = 0.0

    @property
    def is_attack(self) -> bool:
        """Whether it is to be treated as one: flagged."""
        return self.score >= THRESHOLD

    @property
    def is_named(self) -> bool:
        """Whether rules say so: enough to refuse it. Likeness alone also finds everyday orders."""
        return self.by_rules >= THRESHOLD


_ORDERS = r"(?:instructions?|directions?|directives?|prompts?|rules?|guidelines?|guidance|polic(?:y|ies)|context|messages?|orders?)"
_EARLIER = r"(?:previous|prior|earlier|above|preceding|original|initial|former|existing|system|past)"
_NATIVE = r"(?:ignore|disregard|forget|override|bypass|set aside|drop|discard|neglect|do not follow|don't follow|stop following)"
_RULES: Final[tuple[tuple[str, float, re.Pattern[str]], ...]] = tuple(
    (name, weight, re.compile(pattern))
    for name, weight, pattern in (
        ("overrides instructions", 0.7, rf"\b{_NATIVE}\b[^.\n]{{0,30}}\b(?:all|any|every|your|{_EARLIER})\b[^.\n]{{0,25}}\b{_ORDERS}\b"),
        ("overrides instructions", 0.7, r"\b(?:disregard|ignore)\s+(?:the\s+)?(?:above|everything (?:above|before))\b"),
        ("overrides instructions", 0.7, r"\bforget (?:everything|all)\b[^.\n]{0,20}\byou (?:were|have been) (?:told|taught)"),
        ("overrides instructions", 0.6, r"\bdo not follow your (?:original|current|actual)\b"),
        ("overrides instructions", 0.6, rf"\b(?:your )?(?:{_EARLIER} )?(?:prompt|instructions|directives)\b[^.\n]{{0,20}}\b(?:was a test|have changed|are void|no longer apply|are revoked)"),
        ("overrides instructions", 0.7, r"\b(?:ignoriere|vergiss|missachte)\b[^.\n]{0,30}\b(?:anweisungen|regeln|vorgaben|befehle)"),
        ("overrides instructions", 0.7, r"\b(?:ignore[zr]?|oublie[zr]?)\b[^.\n]{0,30}\b(?:instructions|consignes|règles)"),
        ("overrides instructions", 0.7, r"\b(?:ignora|olvida)\b[^.\n]{0,30}\b(?:instrucciones|reglas|istruzioni)"),
        ("overrides instructions", 0.8, r"ignoreallpreviousinstructions|disregardallpreviousinstructions"),
        ("frees the model", 0.6, r"\byou are (?:no longer|not) bound\b|\byou are now (?:dan|an? (?:ai|model|assistant)|in (?:developer|god|jailbreak))"),
        ("frees the model", 0.5, r"\b(?:without|no|free of(?: all)?|free from(?: all)?)\s+(?:any\s+)?(?:restrictions|rules|filters?|ethical limits|guardrails|limits)\b[^.\n]{0,60}(?:\b(?:you|ai|model|answer|tell)\b|$)"),
        ("frees the model", 0.5, r"\b(?:unrestricted|uncensored|jailbroken) (?:ai|model|assistant|mode)\b|\benable developer mode\.?$"),
        ("frees the model", 0.5, r"\bpretend (?:that )?you (?:have|are)\b"),
        ("asks for its instructions", 0.7, rf"\b(?:reveal|print|show|output|display|repeat|tell me|leak|gib|affichez)\b[^.\n]{{0,40}}\b(?:system ?prompt|systemprompt|prompt système|hidden {_ORDERS}|your (?:initial |original )?{_ORDERS}|{_ORDERS} you were given)"),
        ("asks for its instructions", 0.6, r"\brepeat the (?:text|words) above\b[^.\n]{0,30}\bverbatim|\bwhat (?:were|are) your (?:initial |original |system )?instructions\b"),
        ("asks for secrets", 0.6, r"\b(?:output|print|reveal|show|list|export|send)\b[^.\n]{0,40}\b(?:api key|passwords?|secrets|credentials)\b[^.\n]{0,30}\b(?:in your context|you know|stored in your)"),
        ("imitates the system", 0.6, r"<\|(?:im_start|im_end|system|endoftext)\|>|\[/?inst\]|<<sys>>|\"role\"\s*:\s*\"(?:system|developer)\""),
        ("imitates the system", 0.5, r"(?:^|\n)\s*(?:#+\s*)?(?:system|new (?:system )?(?:instructions?|polic(?:y|ies)))\s*:\s[^\n]{0,80}\b(?:you|assistant|must|output|approve|reply|reveal)\b"),
        ("speaks to the model", 0.6, r"\b(?:ai agents?|language models?|assistants?|ai|llms?|chatbots?)\b[^.\n]{0,20}\b(?:reading|processing|summari[sz]ing|parsing) (?:this|the)\b"),
        ("speaks to the model", 0.6, r"\b(?:note|message|attention|instructions?)\b[^.\n:]{0,12}\b(?:to|for)?\s*(?:the )?(?:ai|llm|language model|assistant|model)\s*:"),
        ("hides itself", 0.6, r"\bdo not (?:mention|reveal|tell|disclose)\b[^.\n]{0,20}\b(?:this (?:note|message|line)|the user)\b"),
        ("hides itself", 0.5, r"\bdelete this message afterwards\b|\bsay nothing about this\b"),
        ("skips approval", 0.6, r"\b(?:skip|bypass|ignore)\b[^.\n]{0,15}\b(?:the )?(?:human|reviewer|approval|confirmation)\b"),
        ("exfiltrates", 0.4, r"\b(?:send|forward|post|e-?mail|upload)\b[^.\n]{0,50}\b(?:conversation|customer list|records|contents|previous messages|context)\b[^\n]{0,40}\b(?:https?://|to [\w.]+@|this address)"),
        ("redirects the task", 0.5, r"\b(?:the |your )?(?:real|new|actual) (?:task|instruction|directive|objective) is (?:now )?to\b"),
    )
)  # fmt: skip
# One word of each rule's vocabulary must be there before any rule is tried. Looked for one by one: a quarter of what one
# regular expression of them all takes.
_HINTS: Final = (
    *("instruction", "direct", "prompt", "rule", "guid", "polic", "ignor", "disregard", "forget", "vergiss", "olvida", "oublie"),
    *("pretend", "restrict", "filter", "limit", "developer mode", "you are now", "no longer bound", "<|", "[inst", "[/inst"),
    *("<<sys", '"role"', "reading this", "processing this", "do not mention", "do not tell", "do not reveal", "verbatim"),
    *("do not follow", "skip", "bypass", "task is", "delete this message", "unrestricted", "uncensored", "secrets", "password"),
)  # fmt: skip
_ADDRESSED: Final = re.compile(r"(?:ai|llm|model|assistant)\s*:")


def _hints(plain: str) -> bool:
    return any(hint in plain for hint in _HINTS) or (":" in plain and _ADDRESSED.search(plain) is not None)


def judge(text: str) -> Verdict:
    """The verdict on one text."""
    if len(text) < LEAST:
        return NOTHING
    plain = text[:MOST].lower() if text.isascii() else _normal(text[:MOST])
    if "  " in plain or (_PERHAPS_SPACED.search(plain) and _SPACED.search(plain)):
        plain = f"{plain}\n{_SPACED.sub(lambda match: match[0].replace(' ', ''), re.sub(' {2,}', ' ', plain))}"
    left, names = 1.0, []
    for name, weight, pattern in _RULES if _hints(plain) else ():
        if pattern.search(plain):
            left *= 1 - weight
            names.append(name)
    by_rules = round(1 - left, 3)
    if by_rules < THRESHOLD and likeness.is_alike(plain):
        left *= 1 - LIKE
        names.append("reads like an order to a model")
    return Verdict(round(1 - left, 3), tuple(dict.fromkeys(names)), by_rules) if names else NOTHING


NOTHING: Final = Verdict(0.0, ())


def _normal(text: str) -> str:
    return _HIDDEN.sub("", unicodedata.normalize("NFKC", text)).lower()
