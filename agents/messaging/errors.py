"""What is refused about messages. The docstring is the message; facts are attributes. No Django."""

from typing import ClassVar

from agents.errors import AgentsError


class MessagingError(AgentsError):
    """Something about a message was refused."""

    status: ClassVar[int] = 409


class MessageRefused(MessagingError):
    """The message's {field} is not valid: {problem}; put it right and send it again."""

    code = "message_refused"
    status = 422


class RecipientUnknown(MessagingError):
    """There is no agent {name!r} to send this to; register it or check the spelling."""

    code = "recipient_unknown"
    status = 422


class MessageConflict(MessagingError):
    """Another message was sent under the id {id}; send a new message under a new id."""

    code = "message_conflict"
    status = 422


class MessageLoop(MessagingError):
    """The message was not sent, because it goes in a circle: {chain}; let one of them stop answering."""

    code = "message_loop"


class TooManyHops(MessagingError):
    """The message was not sent: {hops} messages led to it and {limit} are allowed; start a new piece of work."""

    code = "too_many_hops"


class WaitCycle(MessagingError):
    """Nobody would ever answer: {chain}; the wait was refused, and nothing was changed."""

    code = "wait_cycle"


class NoMessage(MessagingError):
    """No message came within {seconds} seconds; go on without it, or wait longer."""

    code = "no_message"


class MessageNotFound(MessagingError):
    """There is no message {id}; it may have been removed when its time was over."""

    code = "message_not_found"
    status = 404


class DeliveryNotHeld(MessagingError):
    """This message is not in your hands any more: its time was over and another reader may have it."""

    code = "delivery_not_held"


class NotDead(MessagingError):
    """Delivery {id} is {state}, no dead letter; nothing was changed."""

    code = "not_a_dead_letter"


class NotGivenUp(MessagingError):
    """Delivery {id} is {state} and was no dead letter that somebody gave up; nothing was changed."""

    code = "not_given_up"


class SubscriptionRefused(MessagingError):
    """The subscription's {field} {problem}."""

    code = "subscription_refused"
    status = 422


class SubscriptionExists(MessagingError):
    """{agent} listens to {topic} with that condition already; nothing was changed."""

    code = "subscription_exists"


class WhyMissing(MessagingError):
    """Say why: a reason is needed to {verb}."""

    code = "reason_missing"
    status = 422


class BridgeConfigured(MessagingError):
    """MESSAGE_BRIDGES cannot be used: {problem}."""

    code = "bridge_configuration"


class BridgeDown(MessagingError):
    """{bridge} does not take messages: {problem}."""

    code = "bridge_down"
    retryable = True
