"""The compatibility matrix as a table: one row for each kind of system. A test holds it to what the code can do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from agents.systems import present
from agents.systems.present import Here


@dataclass(frozen=True, slots=True)
class System:
    """One row. `guide` is the page of docs that says more."""

    key: str
    title: str | Promise
    group: Promise
    formats: str | Promise
    sign_in: str | Promise
    retries: str | Promise
    guide: str
    here: Callable[[], Here]


_WORK, _BUSES, _PROGRAMS = _("Agents and models"), _("Others' buses"), _("Programs and engines")
_PEOPLE, _KEEPERS = _("People and accounts"), _("Secrets and policies")
_ENGINES: Final = _("the engine's, by the step's retry rule; a lost worker does not count as a failure")
_OUTBOX: Final = _("at least once from the outbox, known by its id; another bridge stands in")
_BROKER: Final = _("user and password, TLS, a certificate of ours")
_ENVELOPE: Final = _("JSON (the message schema)")
_BEARER: Final = _("bearer token with scopes")
_IN_PROCESS: Final = _("none: it runs in the worker")

SYSTEMS: Final = (
    System(
        "python",
        _("Python functions"),
        _WORK,
        _("JSON by the agent's contract"),
        _IN_PROCESS,
        _ENGINES,
        "agents",
        present.agents("python"),
    ),
    System(
        "llm",
        _("Language models (OpenAI, Anthropic, Google and others)"),
        _WORK,
        _("the provider's JSON, streamed; structured output by JSON Schema"),
        _("the provider's key, from the environment"),
        _("the engine's, with the provider's waiting time; once more at once for an answer that breaks the schema"),
        "agents",
        present.agents("llm"),
    ),
    System(
        "external",
        _("External workers in any language"),
        _WORK,
        _("JSON over REST, contracts as JSON Schema"),
        _("bearer token of scope work: an hour, renewed by the worker"),
        _("a call comes again when its lease ends; the third loss asks a person; answers are fenced by attempt"),
        "adapters",
        present.agents("external"),
    ),
    System(
        "http",
        _("HTTP agents"),
        _WORK,
        _("JSON, signed both ways; late answers to a signed address"),
        _("Standard Webhooks signature, idempotency key"),
        _("408, 409, 425, 429 and 5xx by the engine, Retry-After kept; other refusals are final"),
        "adapters",
        present.agents("http"),
    ),
    System(
        "langgraph",
        "LangGraph",
        _WORK,
        _("Python; its checkpoint is kept in PostgreSQL"),
        _IN_PROCESS,
        _ENGINES,
        "adapters",
        present.library("langgraph"),
    ),
    System(
        "pydantic_ai",
        "pydantic-ai",
        _WORK,
        _("Python; its history is kept in PostgreSQL"),
        _IN_PROCESS,
        _ENGINES,
        "adapters",
        present.library("pydantic_ai"),
    ),
    System(
        "autogen",
        "AutoGen",
        _WORK,
        _("Python; its team's state is kept in PostgreSQL"),
        _IN_PROCESS,
        _ENGINES,
        "adapters",
        present.library("autogen_agentchat"),
    ),
    System(
        "own-environment",
        _("OpenAI Agents SDK, CrewAI"),
        _WORK,
        _("as an external worker"),
        _("as an external worker"),
        _("as an external worker; an approved call is made once"),
        "adapters",
        present.elsewhere,
    ),
    System(
        "mcp-tools",
        _("Tools of MCP servers"),
        _WORK,
        _("JSON-RPC over streamable HTTP"),
        _("bearer token for each server"),
        _("by the tool's registration: what has effects is never repeated blindly"),
        "mcp",
        present.variable("MCP_SERVERS"),
    ),
    System("mqtt", "MQTT 5", _BUSES, _ENVELOPE, _BROKER, _OUTBOX, "messages", present.bridge("mqtt")),
    System("redis", "Redis Streams", _BUSES, _ENVELOPE, _BROKER, _OUTBOX, "messages", present.bridge("redis")),
    System("nats", "NATS JetStream", _BUSES, _ENVELOPE, _BROKER, _OUTBOX, "messages", present.bridge("nats")),
    System(
        "kafka",
        "Kafka",
        _BUSES,
        _ENVELOPE,
        _("the same; SASL PLAIN or SCRAM"),
        _OUTBOX,
        "messages",
        present.bridge("kafka"),
    ),
    System(
        "rest",
        _("Programs over REST"),
        _PROGRAMS,
        _("JSON; messages also as protobuf and CloudEvents"),
        _BEARER,
        _("theirs: Idempotency-Key for starts and decisions, 429 says when"),
        "adapters",
        present.always,
    ),
    System(
        "mcp-server",
        _("MCP clients"),
        _PROGRAMS,
        _("JSON-RPC over streamable HTTP"),
        _BEARER,
        _("theirs: a key makes a repeated start harmless"),
        "mcp",
        present.always,
    ),
    System(
        "callback",
        _("BPM suites, robots, mainframes that call back"),
        _PROGRAMS,
        _("JSON by the step's schema"),
        _("the signed address itself, for one answer"),
        _("theirs: what was refused may be sent again; a second answer is 409"),
        "definitions",
        present.always,
    ),
    System(
        "file",
        _("The same, and people, by a file"),
        _PROGRAMS,
        _("CSV, JSON lines; by the step's schema"),
        _("a signed-in person with a fresh proof, or a bearer token"),
        _("the file may be sent again: what is done is refused, line by line"),
        "definitions",
        present.always,
    ),
    System(
        "signals",
        _("Systems that publish signals"),
        _PROGRAMS,
        _("JSON by the waiting step's schema"),
        _BEARER,
        _("theirs: an id that was sent is no new signal; kept for replay"),
        "definitions",
        present.always,
    ),
    System(
        "engines",
        _("Temporal, Step Functions (recipes)"),
        _PROGRAMS,
        _("JSON over HTTP, as call back or external worker"),
        _("as call back or external worker"),
        _("theirs, with our stable key as their workflow's id"),
        "adapters",
        present.elsewhere,
    ),
    System(
        "mail",
        _("E-mail"),
        _PEOPLE,
        _("text"),
        _("user and password, TLS"),
        _("six tries over a quarter of an hour, the same Message-ID"),
        "notices",
        present.mail,
    ),
    System(
        "chat",
        _("Slack, Teams, webhooks and other services"),
        _PEOPLE,
        _("the service's own JSON"),
        _("the secret address, sealed with the data keys"),
        _("six tries over a quarter of an hour; off after five messages"),
        "notices",
        present.always,
    ),
    System(
        "push",
        _("Browsers (web push)"),
        _PEOPLE,
        _("encrypted for one browser"),
        _("VAPID key of this installation"),
        _("six tries; an address that is given up (404, 410) is forgotten"),
        "notices",
        present.always,
    ),
    System(
        "oidc",
        _("A provider's sign-in (OpenID Connect)"),
        _PEOPLE,
        _("OpenID Connect"),
        _("client id and secret"),
        _("none: the person tries again"),
        "access",
        present.variable("OIDC_CLIENT_ID"),
    ),
    System(
        "env",
        _("Environment and files"),
        _KEEPERS,
        _("text"),
        _("the operating system's rights"),
        _("none"),
        "tools",
        present.always,
    ),
    System(
        "vault",
        "HashiCorp Vault",
        _KEEPERS,
        _("JSON over HTTPS"),
        _("Vault token, from a file if wanted"),
        _("the engine's: no answer is a transient failure"),
        "tools",
        present.store("vault"),
    ),
    System(
        "aws",
        "AWS Secrets Manager",
        _KEEPERS,
        _("JSON over HTTPS"),
        _("AWS signature, version 4"),
        _("the engine's: no answer is a transient failure"),
        "tools",
        present.store("aws"),
    ),
    System(
        "opa",
        "Open Policy Agent",
        _KEEPERS,
        _("JSON over HTTP"),
        _("bearer token"),
        _("none: no answer in time is a no"),
        "tools",
        present.setting("POLICY_OPA_URL"),
    ),
)
