"""Write the published JSON Schema of messages anew: `python -m agents.messaging.publish_schema`."""

import json
from pathlib import Path
from typing import Final

from agents.messaging.envelope import schema

PATH: Final = Path(__file__).resolve().parents[2] / "static/schema/message-v1.json"

if __name__ == "__main__":
    PATH.write_text(json.dumps(schema(), indent=2) + "\n")
