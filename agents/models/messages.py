"""Messages between agents: what was sent, what each reader still has to read, who listens, who waits, what goes out."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from agents.models.registry import Agent


class Message(models.Model):
    """One message as it was accepted. Written once by `messaging.sending`, never changed."""

    uid = models.UUIDField(unique=True)
    agent_id = models.CharField(max_length=100)
    task_id = models.CharField(max_length=200, blank=True, default="")
    message_type = models.CharField(max_length=10)
    payload = models.TextField(help_text="Canonical JSON. Text, because jsonb would change numbers such as 1e300.")
    confidence = models.FloatField(null=True)
    timestamp = models.DateTimeField()
    parent_task_id = models.CharField(max_length=200, null=True)
    to = models.CharField(max_length=100, null=True)
    to_address = models.CharField(max_length=200, blank=True, default="")
    topic = models.CharField(max_length=200, null=True)
    specialism = models.CharField(max_length=100, null=True)
    broadcast = models.BooleanField(default=False)
    reply_to = models.CharField(max_length=200, blank=True, default="")
    thread = models.CharField(max_length=200)
    correlation_id = models.CharField(max_length=200, blank=True, default="")
    causation_id = models.UUIDField(null=True)
    priority = models.SmallIntegerField(default=1)
    ttl_s = models.PositiveIntegerField()
    hops = models.SmallIntegerField(default=0)
    digest = models.CharField(max_length=64, help_text="SHA-256 of what it says: the same again is a circle.")
    size = models.PositiveIntegerField(help_text="Bytes of its payload.")
    via = models.CharField(max_length=100, blank=True, default="", help_text="The bridge it came in by.")
    sent_by = models.CharField(max_length=200, help_text="As events name actors: agent:x, user:x, bridge:x.")
    sent_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    readers = models.PositiveIntegerField(default=0, help_text="How many agents it went to.")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(hops__gte=0), name="message_hops_not_negative"),
        ]
        indexes = [
            models.Index(fields=["thread", "id"], name="message_thread"),  # a thread's page, ordering
            models.Index(fields=["correlation_id", "id"], name="message_correlation"),  # search, replay
            models.Index(fields=["agent_id", "-id"], name="message_sender"),  # search
            models.Index(fields=["expires_at"], name="message_expires"),  # upkeep
        ]


class Delivery(models.Model):
    """One message for one reader. The row exists once, so a broadcast reaches each reader once."""

    class State(models.TextChoices):
        QUEUED = "queued"
        HELD = "held"  # a reader has it and has not said yet what became of it
        DONE = "done"
        DEAD = "dead"  # failed too often: people look at it
        EXPIRED = "expired"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="deliveries")
    recipient = models.CharField(max_length=100)
    address = models.CharField(max_length=200, blank=True, default="")
    thread = models.CharField(max_length=200)
    priority = models.SmallIntegerField()
    replay = models.PositiveSmallIntegerField(default=0, help_text="0: the first time; n: the nth replay.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    due_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    held_by = models.CharField(max_length=200, blank=True, default="")
    held_until = models.DateTimeField(null=True)
    turn = models.PositiveIntegerField(default=0, help_text="The how manyth message of its reader this is.")
    failures = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True, default="")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["message", "recipient", "replay"], name="one_delivery_per_reader"),
            models.CheckConstraint(
                condition=models.Q(state="held", held_until__isnull=False) | ~models.Q(state="held"),
                name="held_delivery_has_lease",
            ),
        ]
        indexes = [
            models.Index(
                fields=["recipient", "-priority", "id"], condition=models.Q(state="queued"), name="delivery_queued"
            ),  # the next message of a reader
            models.Index(
                fields=["recipient", "thread", "id"],
                condition=models.Q(state__in=["queued", "held"]),
                name="delivery_thread",
            ),  # what of the thread comes first
            models.Index(fields=["held_by", "turn"], condition=~models.Q(held_by=""), name="delivery_held_by"),
            models.Index(fields=["held_until"], condition=models.Q(state="held"), name="delivery_lease"),  # upkeep
            models.Index(fields=["expires_at"], condition=models.Q(state="queued"), name="delivery_expires"),  # upkeep
            models.Index(fields=["-id"], condition=models.Q(state="dead"), name="delivery_dead"),  # dead letters' page
            models.Index(fields=["-ended_at"], condition=models.Q(state="done"), name="delivery_done"),  # latency
        ]


class Subscription(models.Model):
    """A rule of routing: an agent listens to a topic, to some of its messages perhaps. Edited by people."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="subscriptions")
    topic = models.CharField(max_length=200, help_text="Words with dots; * is any one word, # at the end any rest.")
    match = models.CharField(max_length=2000, blank=True, default="", help_text="CEL over message; empty: all.")
    enabled = models.BooleanField(default=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["topic", "agent__name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["agent", "topic", "match"], name="one_subscription_per_rule"),
        ]


class Expectation(models.Model):
    """A reader that waits for a message: what wakes it, and the edge by which circles of waiting are found."""

    reader = models.CharField(max_length=200, help_text="The waiting call's key.")
    serial = models.PositiveIntegerField(help_text="The how manyth wait of this reader.")
    agent = models.CharField(max_length=100)
    awaited = models.CharField(max_length=100, blank=True, default="", help_text="Whose answer; empty: anybody's.")
    thread = models.CharField(max_length=200, blank=True, default="")
    answers = models.UUIDField(null=True, help_text="The message that what comes must follow from.")
    correlation_id = models.CharField(max_length=200, blank=True, default="")
    opened_at = models.DateTimeField(db_default=Now())
    deadline_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["reader", "serial"], name="one_expectation_per_wait"),
        ]
        indexes = [
            models.Index(fields=["agent"], condition=models.Q(ended_at=None), name="expectation_open"),
            models.Index(fields=["correlation_id"], condition=models.Q(ended_at=None), name="expectation_circle"),
        ]


class Outbound(models.Model):
    """A message that has still to go out by a bridge, or has gone. Written in the transaction that accepts it."""

    message = models.OneToOneField(Message, on_delete=models.CASCADE, related_name="outbound")
    channels = ArrayField(models.CharField(max_length=250))
    due_at = models.DateTimeField(db_default=Now())
    tries = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True, default="")
    bridge = models.CharField(max_length=100, blank=True, default="", help_text="By which it went.")
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["due_at", "id"], condition=models.Q(sent_at=None), name="outbound_due")]


class BridgeHealth(models.Model):
    """How one bridge was when its process last looked."""

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20)
    rank = models.PositiveSmallIntegerField(help_text="0 is preferred; the next ones stand in for it.")
    up = models.BooleanField(default=False)
    active = models.BooleanField(default=False, help_text="Messages go out by this one now.")
    problem = models.CharField(max_length=500, blank=True, default="")
    sent = models.PositiveBigIntegerField(default=0)
    received = models.PositiveBigIntegerField(default=0)
    repeated = models.PositiveBigIntegerField(default=0, help_text="Came again and were passed over.")
    refused = models.PositiveBigIntegerField(default=0, help_text="Came in and were no message of ours.")
    changed_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    holder = models.CharField(max_length=40, blank=True, default="", help_text="The relay that keeps it, of several.")
    held_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["rank", "name"]
