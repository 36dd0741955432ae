"""Where secrets are kept, over the stores' own protocols; and AWS's signature against its published example."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agents.errors import Transient
from agents.tools import aws_signing, secret_stores
from agents.tools.secret_stores import Found

KEPT = {"PAYMENTS_KEY": "s3cret-of-payments"}


class Store(BaseHTTPRequestHandler):
    """Answers as Vault and as Secrets Manager do, to whoever has the token and has signed."""

    def do_GET(self) -> None:
        if self.headers.get("X-Vault-Token") != "hvs.token" or self.path != "/v1/secret/data/watchkeeper":
            self._answer(403, {"errors": ["permission denied"]})
            return
        self._answer(200, {"data": {"data": KEPT, "metadata": {"version": 7}}})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        signed = self.headers.get("Authorization", "")
        if "Credential=AKIDEXAMPLE/" not in signed or self.headers["X-Amz-Target"] != "secretsmanager.GetSecretValue":
            self._answer(400, {"__type": "UnrecognizedClientException"})
        elif (name := asked["SecretId"].removeprefix("prod/")) in KEPT:
            self._answer(200, {"SecretString": KEPT[name], "VersionId": "v-1"})
        else:
            self._answer(400, {"__type": "ResourceNotFoundException"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Silence."""


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


def test_signature_is_that_of_awss_own_example(keys: None) -> None:
    headers = aws_signing.signed(
        "GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, b"", service="iam", region="us-east-1",
        at=datetime(2015, 8, 30, 12, 36, tzinfo=UTC),
    )  # fmt: skip
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


def test_vault_gives_the_field_with_the_secrets_version(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SECRET_STORES", "vault")
    monkeypatch.setenv("VAULT_ADDR", address)
    monkeypatch.setenv("VAULT_TOKEN", "hvs.token")
    assert secret_stores.find("PAYMENTS_KEY") == Found("s3cret-of-payments", "7")
    assert secret_stores.find("OTHER") is None
    monkeypatch.setenv("VAULT_TOKEN", "hvs.stolen")
    with pytest.raises(Transient, match="The secret store vault answered 403"):
        secret_stores.find("PAYMENTS_KEY")
    (tmp_path / "token").write_text("hvs.token\n")
    monkeypatch.setenv("VAULT_TOKEN_FILE", str(tmp_path / "token"))
    assert secret_stores.find("PAYMENTS_KEY") is not None


def test_aws_gives_the_secret_of_that_name_with_its_version(
    address: str, keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_STORES", "aws")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", address)
    monkeypatch.setenv("AWS_SECRET_PREFIX", "prod/")
    assert secret_stores.find("PAYMENTS_KEY") == Found("s3cret-of-payments", "v-1")
    assert secret_stores.find("OTHER") is None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOTHER")
    with pytest.raises(Transient, match="The secret store aws answered 400"):
        secret_stores.find("PAYMENTS_KEY")


def test_stores_are_asked_in_their_order_and_one_that_is_away_is_not_passed_over(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_STORES", "env,vault")
    monkeypatch.setenv("VAULT_ADDR", address)
    monkeypatch.setenv("VAULT_TOKEN", "hvs.token")
    monkeypatch.setenv("SECRET_PAYMENTS_KEY", "of the environment")
    assert secret_stores.find("PAYMENTS_KEY") == Found("of the environment")
    monkeypatch.setenv("SECRET_STORES", "vault,env")
    assert secret_stores.find("PAYMENTS_KEY") == Found("s3cret-of-payments", "7")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:9")
    with pytest.raises(Transient, match="did not answer"):
        secret_stores.find("PAYMENTS_KEY")
    monkeypatch.setenv("VAULT_ADDR", "http://vault.example")
    with pytest.raises(Transient, match="by https only"):
        secret_stores.find("PAYMENTS_KEY")
