"""Generate `message_pb2.py` and `.pyi` anew: `python -m agents.messaging.proto.make`, with grpcio-tools installed.

Use grpcio-tools 1.71 (protoc 29): what a newer one writes asks for a newer protobuf than pyproject.toml promises. The
hash of message.proto is kept beside the result, so that a test sees a file that was not generated anew.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def digest() -> str:
    """SHA-256 of message.proto."""
    return hashlib.sha256((HERE / "message.proto").read_bytes()).hexdigest()


def main() -> None:
    """Run protoc."""
    root = HERE.parents[2]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{root}", f"--python_out={root}", f"--pyi_out={root}"]
    subprocess.run([*command, str((HERE / "message.proto").relative_to(root))], check=True, cwd=root)
    (HERE / "message.sha256").write_text(digest() + "\n")


if __name__ == "__main__":
    main()
