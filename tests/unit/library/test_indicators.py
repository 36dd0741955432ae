"""What a text names, found at its place and defanged."""

import pytest

from agents.library.indicators import defang, indicators, products, refang

TEXT = (
    "Beacon to hxxp://evil[.]example[.]com/a.php and 203.0.113.7 by bob@evil.com, see CVE-2024-12345 and "
    "cve-2024-12345, CWE-79, LLM01, GOVERN-1.1, T1566.001, AML.T0050.003; hash d41d8cd98f00b204e9800998ecf8427e "
    "from bad-domain.xyz."
)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("url", "hxxp://evil[.]example[.]com/a[.]php"),
        ("ip", "203[.]0[.]113[.]7"),
        ("email", "bob[@]evil[.]com"),
        ("cve", "CVE-2024-12345"),
        ("cwe", "CWE-79"),
        ("owasp_llm", "LLM01"),
        ("nist_ai_rmf", "GOVERN-1.1"),
        ("attack", "T1566.001"),
        ("atlas", "AML.T0050.003"),
        ("md5", "d41d8cd98f00b204e9800998ecf8427e"),
        ("domain", "bad-domain[.]xyz"),
    ],
)
def test_indicators_finds_each_kind_once(kind: str, value: str) -> None:
    assert [item.value for item in indicators(TEXT) if item.kind == kind] == [value]


def test_indicators_places_point_at_what_was_written() -> None:
    assert all(refang(TEXT[item.start : item.end]).lower() == refang(item.value).lower() for item in indicators(TEXT))


@pytest.mark.parametrize("text", ["version 1.2.3.400", "127.0.0.1:8080", "0.0.0.0", "ASP.NET", "main.py", "1.2.3.4.5"])
def test_indicators_ignores_what_only_looks_like_an_address(text: str) -> None:
    assert indicators(text) == []


def test_defang_is_undone_by_refang() -> None:
    assert refang(defang("https://a.example.com/x?q=b@c")) == "https://a.example.com/x?q=b@c"
    assert "http" not in defang("http://a.b").lower().replace("hxxp", "")


def test_products_needs_a_name_and_a_version() -> None:
    found = products(
        "Grafana Enterprise before 10.2.3 is affected. It was fixed in 10.2.3. The flaw in versions 1.0 is old."
    )

    assert [(product.name, product.version) for product in found] == [("Grafana Enterprise", "10.2.3")]
