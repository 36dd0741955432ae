"""What a model's answers cost, by genai-prices' table: exact decimals, and None where nobody knows a price."""

from collections.abc import Iterable
from decimal import Decimal

from pydantic_ai.messages import ModelMessage, ModelResponse


def price_of(messages: Iterable[ModelMessage]) -> Decimal | None:
    """The price in US dollars of every answer in a conversation; None as soon as one has no known price."""
    total = Decimal(0)
    for message in messages:
        if isinstance(message, ModelResponse):
            try:
                total += message.cost().total_price
            except (LookupError, ValueError, AssertionError):
                return None
    return total
