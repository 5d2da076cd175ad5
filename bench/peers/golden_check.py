"""Each peer's agreement with the float64 reference of the seed, through the protocol that the measurements use.

A peer is a process of its own here too: TensorFlow reads its switches once, at import.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from seed import GOLDEN, WEIGHTS

HERE = Path(__file__).parent
PEERS: list[tuple[str, list[str], dict[str, str]]] = [
    ("keras, oneDNN on", ["keras_seed.py"], {"TF_ENABLE_ONEDNN_OPTS": "1"}),
    ("keras, oneDNN off", ["keras_seed.py"], {"TF_ENABLE_ONEDNN_OPTS": "0"}),
    ("torch, channels last", ["torch_seed.py", "--layout", "channels_last"], {}),
    ("torch, channels first", ["torch_seed.py", "--layout", "channels_first"], {}),
]


def check(command: list[str], switches: dict[str, str], weights: Path, golden: Path) -> dict[str, object]:
    script, *options = command
    done = subprocess.run(
        [sys.executable, HERE / script, "serve", "--weights", weights, *options],
        input=json.dumps({"cmd": "check", "golden": str(golden)}) + "\n",
        env={**os.environ, **switches},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr)
    reply: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return reply


def show(value: object) -> str:
    if isinstance(value, dict):
        return "  ".join(f"filter {k}: {show(v)}" for k, v in value.items())
    return f"{value:.3g}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--golden", type=Path, default=GOLDEN)
    args = parser.parse_args()
    for label, command, switches in PEERS:
        print(label)
        reply = check(command, switches, args.weights, args.golden)
        if "error" in reply:
            sys.exit(f"  {reply['error']}")
        for name, value in reply.items():
            if name not in ("cmd", "golden"):
                print(f"  {name:18} {show(value)}")
