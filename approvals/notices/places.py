"""Where a message can go: what an address may be, and the sending. No database; waits for networks.

Services are named by Apprise's addresses (`slack://…`, `msteams://…`, `jsons://host/path`). Those that call a host of
the writer's choice need it in NOTICE_HOSTS; everything that acts on this machine is left out.
"""

import smtplib
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.utils.translation import gettext

from approvals.errors import ChannelRefused
from approvals.notices.composing import Text

SECONDS: Final = 10
MOST: Final = 1_000  # characters of an address
# Apprise's names of services whose host is their own.
_HOSTED: Final = frozenset(
    "slack discord tgram wxteams pagerduty pagertree opsgenie pover pbul signl4 splunk victorops zulip twilio".split()
)
# Whose host is written in the address.
_ANYWHERE: Final = frozenset(
    "json jsons form forms xml xmls mmost mmosts rocket rockets ntfy ntfys gotify gotifys matrix matrixs"
    " msteams workflow workflows gchat ncloud nclouds signal signals".split()
)


class SendFailed(Exception):
    """A message did not arrive; the argument is the sentence about it."""


def check_email(address: str) -> None:
    """Raise ChannelRefused unless it is an e-mail address that a mail server here could send to."""
    if not mail_is_configured():
        raise ChannelRefused(problem=gettext("no mail server is configured; have the operator set EMAIL_URL"))
    try:
        validate_email(address)
    except Exception as error:
        raise ChannelRefused(problem=gettext("“%(value)s” is no e-mail address") % {"value": address[:100]}) from error


def check_service(address: str) -> str:
    """What people may see of a service's address. Raises ChannelRefused for one that we do not send to."""
    service = _service(address)
    return f"{service.service_name}: {service.url(privacy=True).partition('?')[0]}"[:100]


def mail_is_configured() -> bool:
    """Whether there is a mail server to send through."""
    return bool(settings.HAS_MAIL_SERVER)


def send_email(to: str, text: Text, *, reference: str) -> None:
    """Send one mail. The reference makes the same message known again if it is sent twice. Raises SendFailed."""
    headers = {"Message-ID": f"<{reference}@watchkeeper>", "Auto-Submitted": "auto-generated"}
    mail = EmailMessage(text.subject, text.body, to=[to], headers=headers)
    try:
        mail.send(using="default")
    except (OSError, smtplib.SMTPException) as error:
        raise SendFailed(gettext("The mail server did not take it: %(value)s") % {"value": _words(error)}) from error


def send_service(address: str, text: Text) -> None:
    """Post one message to a service. Raises SendFailed."""
    try:
        service = _service(address)
    except ChannelRefused as refusal:
        raise SendFailed(str(refusal)) from refusal
    if not service.notify(body=text.body, title=text.subject, body_format="text"):
        raise SendFailed(
            gettext("%(service_name)s did not take it; look at its address.") % {"service_name": service.service_name}
        )


def _service(address: str) -> Any:
    import apprise  # noqa: PLC0415 - 15 MB and a second, in processes that send nothing

    scheme = address.partition("://")[0].lower()
    if len(address) > MOST:
        raise ChannelRefused(problem=gettext("it has more than %(most)s characters") % {"most": f"{MOST:,}"})
    if scheme == "https" and not address.startswith("https://hooks.slack.com/"):
        raise ChannelRefused(problem=gettext("write a webhook as jsons://host/path, or use Slack's own address"))
    asset = apprise.AppriseAsset(http_redirects=False, secure_logging=True, plugin_paths=[], storage_mode="memory")
    service = apprise.Apprise.instantiate(address, asset=asset, suppress_exceptions=True)
    if service is None:
        raise ChannelRefused(problem=gettext("it is not an address of a service that we know; see docs/notices.md"))
    _check_reach(service, scheme)
    service.socket_connect_timeout = service.socket_read_timeout = SECONDS
    return service


def _check_reach(service: Any, scheme: str) -> None:
    names = {scheme, service.schema}
    if names & _HOSTED or scheme == "https":
        return
    if not names & _ANYWHERE:
        raise ChannelRefused(
            problem=gettext("%(scheme)s:// is not among the services that we send to; see docs/notices.md")
            % {"scheme": scheme}
        )
    host = str(service.host or "").lower()
    reached = f"{host}:{service.port}" if service.port else host
    if reached not in {name.lower() for name in settings.NOTICE_HOSTS}:
        raise ChannelRefused(
            problem=gettext("%(reached)s is not among NOTICE_HOSTS; have the operator add it") % {"reached": reached}
        )


def _words(error: Exception) -> str:
    code = getattr(error, "smtp_code", None)
    return gettext("it answered %(code)s") % {"code": code} if code else type(error).__name__
