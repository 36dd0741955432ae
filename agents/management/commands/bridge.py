"""`manage.py bridge`: carry messages between the database and others' buses (MESSAGE_BRIDGES) until it is stopped."""

import asyncio
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.messaging.bridges import bridge
from agents.messaging.errors import BridgeConfigured
from agents.messaging.relay import Relay


class Command(BaseCommand):
    """Any number may run at once: what goes out is claimed, what comes in is known by its id."""

    help = "Carry messages between the database and the buses of MESSAGE_BRIDGES until stopped."
    requires_system_checks = []  # `prepare` has just checked; what pages need would stay in memory, 80 MB of it

    def add_arguments(self, parser: CommandParser) -> None:
        """Addresses in place of the setting's."""
        parser.add_argument("addresses", nargs="*", help="mqtt://, redis://, nats://, kafka://; the first is preferred")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until SIGTERM or Ctrl-C."""
        addresses = options["addresses"] or settings.MESSAGE_BRIDGES
        if not addresses:
            raise CommandError("No bridge is configured; set MESSAGE_BRIDGES or name an address.")
        try:
            bridges = [bridge(address) for address in addresses]
        except BridgeConfigured as problem:
            raise CommandError(str(problem)) from problem
        asyncio.run(_run(Relay(bridges)))


async def _run(relay: Relay) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await relay.run(stop)
