"""What real providers send in place of a plain list of groups, one JSON file for each way."""

import json
from pathlib import Path
from typing import Any

QUIRKS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(Path(__file__).parent.glob("*.json"))
}
