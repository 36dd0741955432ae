"""One line of JSON per log entry on stderr, from structlog and the standard library alike. No prompt or secret text."""

import re
from typing import Any, Final

import structlog

from agents.tools import secrets

# Our tokens, and passwords in addresses: whatever an exception quotes, these stay out.
_SECRETS: Final = re.compile(r"\bwk_[0-9A-Za-z]{20,}|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)|(?i:(?<=bearer ))[^\s\"',]+")

# Other people's code that writes whole messages, requests or addresses down below WARNING: prompts, answers and keys.
_TALKATIVE: Final = (
    "aiokafka", "anthropic", "autogen_agentchat", "autogen_core", "autogen_ext", "google_genai", "httpcore",
    "httpcore2", "httpx", "httpx2", "langchain_core", "langgraph", "langsmith", "mcp", "mqtt", "nats", "openai",
    "openai-agents", "websockets",
)  # fmt: skip


def mask(_logger: Any, _method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Mask secrets in an entry's texts, its traceback among them."""
    return {
        name: _SECRETS.sub("***", secrets.mask(value)) if isinstance(value, str) else value
        for name, value in entry.items()
    }


_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # Plain tracebacks: those with local variables would write prompts and secrets down.
    structlog.processors.format_exc_info,
]


def settings(level: str) -> dict[str, Any]:
    """Django's LOGGING: everything from `level` upwards, requests that failed with their traceback.

    What frameworks say about an agent's work stays out whatever the level.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    mask,
                    structlog.processors.JSONRenderer(),
                ],
                "foreign_pre_chain": _SHARED,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            "axes": {"level": "WARNING"},
            "uvicorn.access": {"level": "WARNING"},
            **{name: {"level": "WARNING"} for name in _TALKATIVE},
        },
    }


def configure() -> None:
    """Send structlog's entries through the standard library's handlers."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
