"""What providers refuse, in our words."""

from typing import NoReturn

from pydantic_ai import exceptions

from agents.errors import Permanent, Transient

BUSY = {408, 409, 425, 429}


def raise_ours(error: exceptions.AgentRunError) -> NoReturn:
    """The provider's failure in our words. Bodies of answers are not repeated: they may quote the prompt."""
    match error:
        case exceptions.ModelQuotaExceededError():
            raise Permanent("The account's quota at the model's provider is used up.", code="model_quota") from error
        case exceptions.ModelHTTPError(status_code=status) if status in BUSY or status >= 500:
            message = f"The model's provider answered {status}."
            raise Transient(message, code="model_busy", retry_after=error.retry_after) from error
        case exceptions.ModelHTTPError(status_code=status):
            message = f"The model's provider refused the request with {status}."
            raise Permanent(message, code="model_refused") from error
        case exceptions.ModelTimeoutError() | exceptions.ModelRequestTimeout():
            raise Transient("The model did not answer in time.", code="timeout") from error
        case exceptions.ModelAPIError():
            raise Transient("The model's provider could not be reached.", code="connection") from error
        case exceptions.UsageLimitExceeded():
            raise Permanent(f"The call was stopped at its own limit: {error}.", code="model_limit") from error
        case exceptions.ContentFilterError():
            raise Permanent("The provider's content filter stopped the answer.", code="content_filter") from error
    raise Transient("The model's answer does not fit its contract.", code="model_output") from error
