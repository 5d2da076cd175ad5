"""How a driver talks to a peer: one JSON object a line, requests on stdin, replies on stdout.

Import this module before anything heavy: the clock of a peer starts here. The README lists the requests.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

STARTED = time.perf_counter()

# Frameworks print to stdout when they please. From here on that is stderr, and the replies have the real one.
_replies = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

import seed  # noqa: E402  (NumPy and Pillow belong to a peer's startup)

Request = dict[str, object]
Reply = dict[str, object]
Result = TypeVar("Result")


def emit(reply: Reply) -> None:
    _replies.write(json.dumps(reply) + "\n")


def timed(peer: seed.Peer, work: Callable[[], Result]) -> tuple[Result, Reply]:
    before, start = peer.traces(), time.perf_counter()
    result = work()
    return result, {"seconds": time.perf_counter() - start, "traces": peer.traces() - before}


def answer(peer: seed.Peer, request: Request) -> Reply:
    """The reply to one request; it carries the request, so that a driver's log explains itself."""
    match request:
        case {"cmd": "steps", "filter": int(k), "steps": int(steps)} if steps > 0:
            (_, losses), cost = timed(peer, lambda: peer.ascend(k, steps))
            # As in the example, the loss before the last update.
            return {**request, "loss": losses[-1], **cost}
        case {"cmd": "grid", "filters": int(filters), "steps": int(steps), "out": str(out)} if steps > 0:
            _, cost = timed(peer, lambda: seed.grid(peer, filters, steps, Path(out)))
            return {**request, **cost}
        case {"cmd": "check", "golden": str(golden)}:
            return {**request, **seed.agreement(peer, Path(golden))}
    raise ValueError(f"no such request: {json.dumps(request)}")


def serve(peer: seed.Peer) -> None:
    """Answer until told to quit or until stdin ends. A request that fails is answered too: `{"error": …}`."""
    for line in filter(str.strip, sys.stdin):
        try:
            request = json.loads(line)
            if request == {"cmd": "quit"}:
                return
            emit(answer(peer, request))
        except Exception as error:  # noqa: BLE001  (a driver must hear of it, whatever it was)
            emit({"error": f"{type(error).__name__}: {error}"})


def script(peer: seed.Peer, filters: int, steps: int, out: Path) -> None:
    """The example as a user runs it, once, from the first import to the sheet on disk."""
    startup = time.perf_counter() - STARTED
    seed.grid(peer, filters, steps, out)
    total = time.perf_counter() - STARTED
    emit(
        {
            "script": peer.name,
            "filters": filters,
            "steps": steps,
            "out": str(out),
            "startup_s": startup,
            "seconds": total,
            "traces": peer.traces(),
            "settings": peer.settings,
            "versions": peer.versions,
        }
    )


def main(parser: argparse.ArgumentParser, build: Callable[[argparse.Namespace], seed.Peer]) -> None:
    """The command line that every peer has; `parser` brings what is its own."""
    parser.add_argument("mode", choices=["serve", "script"])
    parser.add_argument("--weights", type=Path, default=seed.WEIGHTS, help="legacy HDF5 weights of ResNet50V2")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as the engine chooses")
    parser.add_argument("--filters", type=int, default=seed.FILTERS, help="script: how many, from 0 on")
    parser.add_argument("--steps", type=int, default=seed.STEPS, help="script: steps a filter")
    parser.add_argument("--out", type=Path, default=Path("stitched_filters.png"), help="script: the sheet")
    args = parser.parse_args()
    if not args.weights.is_file():
        parser.error(f"no weights at {args.weights}: name them with --weights")
    peer = build(args)
    if args.mode == "script":
        return script(peer, args.filters, args.steps, args.out)
    startup = time.perf_counter() - STARTED
    emit({"ready": peer.name, "startup_s": startup, "settings": peer.settings, "versions": peer.versions})
    serve(peer)
