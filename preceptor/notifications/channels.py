"""The ways a message goes: a webhook (plain JSON, signed, or as Slack reads it) and e-mail.

Addresses of webhooks and passwords are secrets: settings name the environment variables that hold them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Protocol

from preceptor.errors import PreceptorError, UsageError
from preceptor.notifications.message import Message
from preceptor.settings import EmailSettings, NotificationSettings, WebhookSettings

SECONDS = 10.0  # a receiver that takes longer is asked again at the next delivery
SIGNATURE = "X-Preceptor-Signature"


class Channel(Protocol):
    """Somewhere messages go. `name` is told in errors and keeps its place in the outbox."""

    @property
    def name(self) -> str: ...

    def send(self, message: Message) -> None:
        """Raises `PreceptorError` if the message was not taken, without the address: it may hold a secret."""
        ...


class Webhook:
    """A message as the body of a POST. With a secret the body's HMAC-SHA256 goes in the header `X-Preceptor-Signature`."""

    def __init__(self, name: str, settings: WebhookSettings) -> None:
        self.name = f"webhook-{name}"
        self._settings = settings

    def send(self, message: Message) -> None:
        import httpx

        slack = self._settings.format == "slack"
        body = json.dumps({"text": f"Preceptor: {message.text}"} if slack else message.facts()).encode()
        headers = {"Content-Type": "application/json"}
        if self._settings.secret_env:
            secret = variable(self._settings.secret_env).encode()
            headers[SIGNATURE] = f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"
        try:
            answer = httpx.post(
                variable(self._settings.url_env), content=body, headers=headers, timeout=SECONDS
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PreceptorError(f"{self.name} was not reached ({type(error).__name__}).") from None
        if not answer.is_success:
            raise PreceptorError(f"{self.name} answered {answer.status_code}.")


class Email:
    """A message by SMTP, a line of text to every address."""

    name = "email"

    def __init__(self, settings: EmailSettings) -> None:
        self._settings = settings

    def send(self, message: Message) -> None:
        import smtplib
        import ssl

        given = self._settings
        mail = EmailMessage()
        mail["From"], mail["To"] = given.sender, ", ".join(given.to)
        mail["Subject"] = f"Preceptor: {message.text}"
        mail["Message-ID"] = f"<event-{message.event}@preceptor>"
        mail.set_content(
            f"{message.text}\n\n{message.at}, event {message.event} of the record: `preceptor release history`.\n"
        )
        secure = ssl.create_default_context()
        try:
            with (
                smtplib.SMTP_SSL(given.host, given.port, timeout=SECONDS, context=secure)
                if given.security == "tls"
                else smtplib.SMTP(given.host, given.port, timeout=SECONDS)
            ) as server:
                if given.security == "starttls":
                    server.starttls(context=secure)
                if given.user_env:
                    server.login(variable(given.user_env), variable(given.password_env))
                server.send_message(mail)
        except (OSError, smtplib.SMTPException) as error:
            raise PreceptorError(f"email was not sent ({type(error).__name__}).") from None


def channels(settings: NotificationSettings) -> Iterator[Channel]:
    """Every channel that the settings name."""
    for name, webhook in settings.webhooks.items():
        yield Webhook(name, webhook)
    if settings.email is not None:
        yield Email(settings.email)


def variable(name: str) -> str:
    """The value of an environment variable. Raises `UsageError` naming it if it is not set."""
    value = os.environ.get(name)
    if not value:
        raise UsageError(
            f"The environment variable {name}, which the notifications' settings name, is not set."
        )
    return value
