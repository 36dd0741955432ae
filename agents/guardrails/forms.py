"""The fixed forms of keys and tokens that detect-secrets knows. Apart, because loading it takes a worker 9 MB."""

import re
from typing import Final

from detect_secrets.plugins import (
    aws,
    azure_storage_key,
    discord,
    github_token,
    gitlab_token,
    mailchimp,
    openai,
    pypi_token,
    sendgrid,
    slack,
    square_oauth,
    stripe,
    telegram_token,
    twilio,
)  # fmt: skip
from detect_secrets.plugins.base import RegexBasedDetector

_PLUGINS: Final = (
    aws.AWSKeyDetector, azure_storage_key.AzureStorageKeyDetector, discord.DiscordBotTokenDetector,
    github_token.GitHubTokenDetector, gitlab_token.GitLabTokenDetector, mailchimp.MailchimpDetector,
    openai.OpenAIDetector, pypi_token.PypiTokenDetector, sendgrid.SendGridDetector, slack.SlackDetector,
    square_oauth.SquareOAuthDetector, stripe.StripeDetector, telegram_token.TelegramBotTokenDetector,
    twilio.TwilioKeyDetector,
)  # fmt: skip


def patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """What each form is called, and how it looks."""
    found: list[tuple[str, re.Pattern[str]]] = []
    for plugin in _PLUGINS:
        assert issubclass(plugin, RegexBasedDetector)
        found += (
            (plugin.secret_type, pattern) for pattern in plugin().denylist if not pattern.pattern.startswith("aws")
        )
    return tuple(found)
