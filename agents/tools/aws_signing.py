"""AWS Signature Version 4 of one request, with the keys in the environment. No Django, no network.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM: Final = "AWS4-HMAC-SHA256"


def signed(  # noqa: PLR0913 - a request's parts
    verb: str, url: str, headers: Mapping[str, str], body: bytes, *, service: str, region: str,
    at: datetime | None = None,
) -> dict[str, str]:  # fmt: skip
    """The headers with those that sign them."""
    now = (at or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    told = {**headers, "Host": urlsplit(url).netloc, "X-Amz-Date": now}
    if session := os.environ.get("AWS_SESSION_TOKEN"):
        told["X-Amz-Security-Token"] = session
    canonical = {name.lower(): " ".join(value.split()) for name, value in told.items()}
    names = ";".join(sorted(canonical))
    scope = f"{now[:8]}/{region}/{service}/aws4_request"
    text = "\n".join([ALGORITHM, now, scope, _sha256(_request(verb, url, canonical, names, body).encode())])
    signature = hmac.new(_key(now[:8], region, service), text.encode(), hashlib.sha256).hexdigest()
    credential = f"{os.environ.get('AWS_ACCESS_KEY_ID', '')}/{scope}"
    return {
        **told,
        "Authorization": f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}",
    }


def _request(verb: str, url: str, headers: Mapping[str, str], names: str, body: bytes) -> str:
    parts = urlsplit(url)
    query = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parse_qsl(parts.query))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    path = quote(parts.path or "/", safe="/-_.~")
    return "\n".join([verb, path, "&".join(f"{name}={value}" for name, value in query), lines, names, _sha256(body)])


def _key(day: str, region: str, service: str) -> bytes:
    key = f"AWS4{os.environ.get('AWS_SECRET_ACCESS_KEY', '')}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
