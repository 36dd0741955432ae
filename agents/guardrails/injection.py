"""Text that speaks to a model instead of being data: scored by rules, and by likeness to such texts. No Django.

Rules catch what is said in known ways, also in disguise (`disguises`); what none of them names is held against a small
classifier (`likeness`). Both miss the rest; tests/fixtures/injections.tsv measures that, and docs/guardrails.md says how well. So an injection is a
reason to look, never proof of safety when absent: what an agent may do is limited by its entitlements and by gates.
"""

import re
import unicodedata
from typing import Final, NamedTuple

from agents.guardrails import disguises, lettering, likeness
from agents.guardrails.disguises import Reading

LEAST: Final = 12  # characters
THRESHOLD: Final = 0.5
LIKE: Final = 0.5  # what likeness alone counts for
LIKENESS: Final = "reads like an order to a model"
UNSEEN: Final = 0.6  # a text in characters that nobody sees, whatever it says
MOST: Final = 200_000  # characters looked at; an attack that hides behind more is bounded by the contract's size
_HIDDEN: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
_WIDE: Final = re.compile(" {2,}")


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
        ("overrides instructions", 0.7, rf"\b{_NATIVE}\b[^.\n]{{0,30}}\b(?:all|any|every|your|{_EARLIER})\b[^.,\n]{{0,25}}\b{_ORDERS}\b"),
        ("overrides instructions", 0.7, r"\b(?:disregard|ignore)\s+(?:the\s+)?(?:above|everything (?:above|before))\b"),
        ("overrides instructions", 0.7, r"\bforget (?:everything|all)\b[^.\n]{0,20}\byou (?:were|have been) (?:told|taught)"),
        ("overrides instructions", 0.6, r"\bdo not follow your (?:original|current|actual)\b"),
        ("overrides instructions", 0.6, rf"\b(?:your )?(?:{_EARLIER} )?(?:prompt|instructions|directives)\b[^.\n]{{0,20}}\b(?:was a test|have changed|are void|no longer apply|are revoked)"),
        ("overrides instructions", 0.7, r"\b(?:ignoriere|vergiss|missachte)\b[^.\n]{0,30}\b(?:anweisungen|regeln|vorgaben|befehle)"),
        ("overrides instructions", 0.7, r"\b(?:ignore[zr]?|oublie[zr]?)\b[^.\n]{0,30}\b(?:instructions|consignes|règles)"),
        ("overrides instructions", 0.7, r"\b(?:ignora|olvida)\b[^.\n]{0,30}\b(?:instrucciones|reglas|istruzioni)"),
        ("frees the model", 0.6, r"\byou are (?:no longer|not) bound\b|\byou are now (?:dan|an? (?:ai|model|assistant)|in (?:developer|god|jailbreak))"),
        ("frees the model", 0.5, r"\b(?:without|no|free of(?: all)?|free from(?: all)?)\s+(?:any\s+)?(?:restrictions|rules|filters?|ethical limits|guardrails|limits)\b[^.\n]{0,60}(?:\b(?:you|ai|model|answer|tell)\b|$)"),
        ("frees the model", 0.5, r"\b(?:unrestricted|uncensored|jailbroken) (?:ai|model|assistant|mode)\b|\benable developer mode\.?$"),
        ("frees the model", 0.5, r"\bpretend (?:that )?you (?:have no|have not|have never|are not|are no longer|are (?:an? )?(?:ai|dan|un\w+ed|evil|free))\b"),
        ("frees the model", 0.5, r"\b(?:safety|content|security) (?:protocols?|filters?|checks?|layer|polic(?:y|ies)|guidelines|training)\b[^.\n]{0,20}\b(?:disabled|off|uninstalled|suspended|lifted|not apply)\b[^\n]{0,30}\b(?:respond|answer|comply|you|without)\b"),
        ("asks for its instructions", 0.7, rf"\b(?:reveal|print|show|output|display|repeat|tell me|leak|gib|affichez)\b[^.\n]{{0,40}}\b(?:system ?prompt|systemprompt|prompt système|hidden {_ORDERS}|your (?:initial |original )?{_ORDERS}|{_ORDERS} you were given)"),
        ("asks for its instructions", 0.6, r"\brepeat the (?:text|words) above\b[^.\n]{0,30}\bverbatim|\bwhat (?:were|are) your (?:initial |original |system )?instructions\b"),
        ("asks for secrets", 0.6, r"\b(?:output|print|reveal|show|list|export|send)\b[^.\n]{0,40}\b(?:api key|passwords?|secrets|credentials)\b[^.\n]{0,30}\b(?:in your context|you know|stored in your)"),
        ("imitates the system", 0.6, r"<\|(?:im_start|im_end|system|endoftext)\|>|\[/?inst\]|<<sys>>|\"role\"\s*:\s*\"(?:system|developer)\""),
        ("imitates the system", 0.5, r"(?:^|\n)\s*(?:#+\s*)?(?:system|new (?:system )?(?:instructions?|polic(?:y|ies)))\s*:\s[^\n]{0,80}\b(?:you|assistant|must|output|approve|reply|reveal)\b"),
        ("imitates the system", 0.5, r"(?:^|\n)[\s#*=\-\[(<]*(?:system|admin(?:istrator)?|developer|operator)\b[\])>]?(?: (?:note|notice|message|override|update))?(?: to all agents)?\s*[:\]][^\n]{0,80}\b(?:grant (?:all|this|the user)|ignore|call [a-z]+_|delete_|disable|comply|lift all|all requests|(?:the|this) user is|every request)\b"),
        ("imitates the system", 0.5, r"\b(?:note syst[eè]me|nota del? sistema|nota di sistema|systemhinweis|hinweis an (?:die ki|das sprachmodell)|nota para el asistente|note pour l'assistant|nota per l'assistente)\s*:"),
        ("imitates the system", 0.5, r"\bneue anweisung(?:en)?\s*:[^\n]{0,30}\b(?:ab sofort|du|gib|gibst)\b|\b(?:nouvelles (?:instructions|consignes)|nuevas instrucciones|nuove istruzioni)\s*:[^\n]{0,40}\b(?:tu|dès maintenant|a partir de ahora|da ora)\b"),
        ("breaks out of its text", 0.6, r"\bend of (?:the )?(?:user )?(?:document|input|file|text|context|prompt|data)\b[^\w\n]{0,20}\n[^\n]{0,30}\b(?:system|instructions?|assistant|now|task|user)\b"),
        ("breaks out of its text", 0.6, r"(?:^|\n)\s*assistant\s*:\s*(?:sure|of course|yes|okay|here is|here are|i have checked|i will)\b"),
        ("speaks to the model", 0.5, r"\b(?:for|to) (?:the |any |all )?(?:ai|llm)s?(?: coding)? (?:agents?|assistants?|models?|reviewers?)\s*[):,]"),
        ("speaks to the model", 0.4, r"\bwhen(?:ever)? (?:you|the assistant|the agent|the model) (?:process|read|summari[sz]e|handle|parse)(?:e?s)? this\b"),
        ("calls a tool", 0.4, r"\b(?:call|invoke|run|use) (?:the )?[a-z]{2,20}_[a-z_]{2,30}\b"),
        ("calls a tool", 0.3, r"\b(?:before (?:responding|answering|continuing|you (?:answer|reply|respond|continue))|without (?:asking|confirmation)|to complete (?:the|this))\b"),
        ("hides its orders", 0.6, r"\b(?:decode|decrypt|unscramble)\b[^.\n]{0,60}\b(?:do|follow|execute|obey|carry out|run)\b[^.\n]{0,30}\b(?:what it says|instructions?|exactly|commands?|inside|it)\b"),
        ("asks for its instructions", 0.6, r"\b(?:r[ée]v[èe]le|affiche|montre|revela|muestra|repite|rivela|mostra|ripeti|verrate|zeige?|nenne|gib)\b[^.\n]{0,30}\b(?:instructions|consignes|prompt|instrucciones|istruzioni|systemprompt|anweisungen|vorgaben)\b[^.\n]{0,15}\b(?:syst[èe]me|sistema|system|mot pour mot|palabra por palabra|parola per parola|wort für wort)\b"),
        ("plants a memory", 0.5, r"\b(?:remember|save|store|note)\b[^.\n]{0,40}\b(?:for (?:all )?future (?:tasks|conversations|sessions|answers|requests|chats)|(?:in|to) your (?:long-term )?memory)\b"),
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
    *("anweisung", " ai ", "llm", "decode", "consigne", "istruzion", "instruccion", "when you ", "future ", "memory", "safety"),
    *("do not follow", "skip", "bypass", "task is", "delete this message", "unrestricted", "uncensored", "secrets", "password"),
)  # fmt: skip
# Further ways to begin an order, each looked for only where a character that it needs stands.
_MORE: Final = (
    (":", re.compile(r"(?:ai|llm|model|assistant|asistente|assistente|system|système|systeme|sistema|admin|operator|developer)\]?\s*:")),
    ("]", re.compile(r"\[system")),
    ("_", re.compile(r"(?:call|invoke|run|use) (?:the )?[a-z]{2,20}_")),
    ("\n", re.compile(r"end of [^\n]{0,40}\n")),
)  # fmt: skip


def _hints(plain: str) -> bool:
    for hint in _HINTS:  # any() of a generator takes half as long again, and each text of each call comes by
        if hint in plain:
            return True
    return any(sign in plain and pattern.search(plain) is not None for sign, pattern in _MORE)


def judge(text: str) -> Verdict:
    """The verdict on one text: on what it says, and if that is harmless on what it hides."""
    if len(text) < LEAST:
        return NOTHING
    text = text[:MOST]
    plain = text.lower() if text.isascii() else _normal(text)
    written = _WIDE.sub(" ", plain) if "  " in plain else plain
    by_rules, names = _ruled(written)
    hidden: list[Reading] = []
    if by_rules < THRESHOLD:
        hidden = list(disguises.readings(text, plain))
        by_rules, names = _unmasked(hidden) or (by_rules, names)
    if by_rules < THRESHOLD and (found := _alike(written, hidden)):
        return Verdict(round(1 - (1 - by_rules) * (1 - LIKE), 3), (*names, found), by_rules)
    return Verdict(by_rules, names, by_rules) if names else NOTHING


def _ruled(plain: str) -> tuple[float, tuple[str, ...]]:
    """How much the rules say, and which of them."""
    left, names = 1.0, []
    if not _hints(plain):
        return 0.0, ()
    for name, weight, pattern in _RULES:
        if pattern.search(plain):
            left *= 1 - weight
            names.append(name)
    return round(1 - left, 3), tuple(dict.fromkeys(names))


def _unmasked(hidden: list[Reading]) -> tuple[float, tuple[str, ...]] | None:
    """What the rules say of the first disguise that hides an attack."""
    for reading in hidden:
        by_rules, names = _ruled(reading.text)
        if by_rules >= THRESHOLD:
            return by_rules, tuple(f"{name} ({reading.disguise})" for name in names)
        if reading.is_unseen:
            return UNSEEN, ("hides text in invisible characters",)
    return None


def _alike(written: str, hidden: list[Reading]) -> str | None:
    """Likeness to an order to a model, in what is written or in what it hides."""
    is_spelled = any(one.disguise == lettering.APART for one in hidden)  # its single letters are no words
    if not is_spelled and likeness.is_alike(written):
        return LIKENESS
    return next((f"{LIKENESS} ({one.disguise})" for one in hidden if likeness.is_alike(one.text)), None)


NOTHING: Final = Verdict(0.0, ())


def _normal(text: str) -> str:
    return _HIDDEN.sub("", unicodedata.normalize("NFKC", text)).lower()
