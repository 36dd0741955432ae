"""The example of docs/network.md is what Kubernetes takes, and says what the page says."""

import re
from pathlib import Path

import yaml

PAGE = Path(__file__).parents[3] / "docs" / "network.md"


def test_example_lets_nobody_call_a_worker_and_workers_call_only_what_is_named() -> None:
    [source] = re.findall(r"```yaml network\n(.*?)```", PAGE.read_text(), re.DOTALL)
    policies = {one["metadata"]["name"]: one for one in yaml.safe_load_all(source)}

    for one in policies.values():
        assert (one["apiVersion"], one["kind"]) == ("networking.k8s.io/v1", "NetworkPolicy")
        assert one["spec"]["policyTypes"] == ["Ingress", "Egress"]  # else what is not named were allowed
        assert all(rule["to"] and rule["ports"] for rule in one["spec"]["egress"])
    workers = policies["watchkeeper-workers"]["spec"]
    assert workers["ingress"] == []
    blocks = [to["ipBlock"]["cidr"] for rule in workers["egress"] for to in rule["to"] if "ipBlock" in to]
    assert blocks == ["203.0.113.10/32"]
