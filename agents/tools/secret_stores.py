"""Where secrets are kept: the environment, a folder of files, HashiCorp Vault (KV version 2), AWS Secrets Manager.

`SECRET_STORES=env,files,vault,aws` says which are asked, in this order; the default is `env,files`. No Django.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

import orjson

from agents.errors import Transient
from agents.tools import aws_signing

LARGEST: Final = 64 * 1024
SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Found:
    """A secret's value, and its version as its store names it; empty where the store knows none."""

    value: str
    version: str = ""


class Store(Protocol):
    """Raises Transient when it does not answer."""

    def get(self, name: str) -> Found | None:
        """The secret of this name, or None if it keeps none."""
        ...


class Environment:
    """`SECRET_<NAME>`."""

    def get(self, name: str) -> Found | None:
        """What the worker's environment holds."""
        value = os.environ.get(f"SECRET_{name}")
        return Found(value) if value else None


class Files:
    """The file `<NAME>` in the folder that SECRETS_DIR names."""

    def get(self, name: str) -> Found | None:
        """The file's text without the end of its last line."""
        folder = os.environ.get("SECRETS_DIR", "")
        path = Path(folder) / name
        if not folder or not path.is_file() or path.stat().st_size > LARGEST:
            return None
        value = path.read_text(encoding="utf-8").rstrip("\r\n")
        return Found(value) if value else None


class Vault:
    """One secret of Vault's KV version 2 engine, whose fields are ours: `VAULT_ADDR`, `VAULT_TOKEN` or a file that
    `VAULT_TOKEN_FILE` names, and `VAULT_SECRET=secret/data/watchkeeper`.

    https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version
    """

    def get(self, name: str) -> Found | None:
        """The field of this name; its version is the secret's."""
        base, path = os.environ.get("VAULT_ADDR", ""), os.environ.get("VAULT_SECRET", "secret/data/watchkeeper")
        headers = {"X-Vault-Token": _token(), "X-Vault-Request": "true"}
        answer = _asked("vault", "GET", f"{base.rstrip('/')}/v1/{quote(path)}", headers)
        data = (answer or {}).get("data", {})
        value = data.get("data", {}).get(name)
        return Found(str(value), str(data.get("metadata", {}).get("version", ""))) if value else None


class Aws:
    """Secrets Manager: the secret `AWS_SECRET_PREFIX` + name, in `AWS_REGION`, by the keys in the environment
    (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`).

    https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
    """

    def get(self, name: str) -> Found | None:
        """Its current version."""
        region = os.environ.get("AWS_REGION", "")
        url = os.environ.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") or f"https://secretsmanager.{region}.amazonaws.com"
        body = orjson.dumps({"SecretId": f"{os.environ.get('AWS_SECRET_PREFIX', '')}{name}"})
        told = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "secretsmanager.GetSecretValue"}
        headers = aws_signing.signed("POST", f"{url.rstrip('/')}/", told, body, service="secretsmanager", region=region)
        answer = _asked("aws", "POST", f"{url.rstrip('/')}/", headers, body)
        value = (answer or {}).get("SecretString")
        return Found(str(value), str((answer or {}).get("VersionId", ""))) if value else None


STORES: Final[dict[str, type[Store]]] = {"env": Environment, "files": Files, "vault": Vault, "aws": Aws}


def find(name: str) -> Found | None:
    """The secret in the first store that keeps it. Raises Transient when one that is asked before does not answer."""
    for store in _configured():
        if (found := store.get(name)) is not None:
            return found
    return None


def is_remote() -> bool:
    """Whether a store is asked over the network."""
    return any(isinstance(store, Vault | Aws) for store in _configured())


def _configured() -> list[Store]:
    names = os.environ.get("SECRET_STORES", "env,files").split(",")
    return [STORES[name.strip()]() for name in names if name.strip() in STORES]


def _token() -> str:
    file = os.environ.get("VAULT_TOKEN_FILE", "")
    return Path(file).read_text(encoding="utf-8").strip() if file else os.environ.get("VAULT_TOKEN", "")


def _asked(store: str, verb: str, url: str, headers: dict[str, str], body: bytes = b"") -> dict[str, Any] | None:
    """The store's answer; None where it knows no such secret."""
    import httpx  # noqa: PLC0415 - settings load this module, so every process would pay 7 MB for it

    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1"):
        raise Transient(f"The secret store {store} is reached by https only; correct its address.", code="secret_store")
    try:
        with httpx.Client(trust_env=False, follow_redirects=False, timeout=SECONDS) as client:
            answer = client.request(verb, url, headers=headers, content=body)
    except httpx.HTTPError as error:
        message = f"The secret store {store} did not answer ({type(error).__name__})."
        raise Transient(message, code="secret_store") from error
    if answer.status_code == 404 or b"ResourceNotFoundException" in answer.content[:1000]:
        return None
    if answer.status_code != 200 or len(answer.content) > 4 * LARGEST:
        raise Transient(f"The secret store {store} answered {answer.status_code}.", code="secret_store")
    found: Any = orjson.loads(answer.content)
    return found if isinstance(found, dict) else None
