"""`python -m marketplace.story`: plays the story against a running marketplace (`--url`), or starts one of its own for it.

    --fresh    begin from an empty state folder (only one that this program made itself is emptied)
    --out      where story.json goes
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from canisters.client import ClientError
from marketplace.client import MarketRefused, MarketUnavailable
from marketplace.client.person import ChainSaidNo

from .cast import CASTS
from .play import Story, StoryBroken
from .record import record

MANAGE = Path(__file__).resolve().parent.parent.parent / "manage.py"
UP_WITHIN_S = 180.0
MARK = ".made-by-the-story"


def main() -> int:
    options = _options()
    began = time.monotonic()
    try:
        if options.url:
            return _play(options.url, options, began)
        with _marketplace(options.state, options.fresh) as url:
            return _play(url, options, began)
    except (StoryBroken, ClientError, MarketRefused, MarketUnavailable, ChainSaidNo) as error:
        print(f"The story stops here: {error}\nWhat is done is kept; run the same command to go on.", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m marketplace.story", description="The whole line, from consent to payout.")
    parser.add_argument("--url", help="of a running marketplace; without it, one is started in --state")
    parser.add_argument("--state", type=Path, required=True, help="the marketplace's state folder")
    parser.add_argument("--out", type=Path, required=True, help="where the record goes, as JSON")
    parser.add_argument("--cast", choices=CASTS, default="breast-cancer", help="who takes part, with which data")
    parser.add_argument("--fresh", action="store_true", help="begin from an empty state folder")
    return parser.parse_args()


def _play(url: str, options: argparse.Namespace, began: float) -> int:
    state, out = options.state, options.out
    deployment = json.loads((state / "deployment.json").read_text())
    if out.exists() and json.loads(out.read_text())["network"]["root_key"] == deployment["root_key"]:
        print("  the story has been played on this network; its record is kept")
        return 0
    folder = state / "story" / options.cast
    root_key = bytes.fromhex(deployment["root_key"])
    story = Story(url, root_key, folder, CASTS[options.cast](), lambda line: print(line, flush=True))
    with closing(story):
        story.play()
        kept = record(story)
    kept["seconds"]["all"] = round(time.monotonic() - began, 2)
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.draft")
    draft.write_text(json.dumps(kept, indent=2) + "\n")
    draft.replace(out)
    verdict = f"verified offline ({kept['checks']} checks)" if kept["verified"] else "NOT VERIFIED"
    print(f"  the story is played in {kept['seconds']['all']:.0f} s and {verdict}; its record is {out}", flush=True)
    return 0 if kept["verified"] else 1


@contextmanager
def _marketplace(state: Path, fresh: bool) -> Iterator[str]:
    """A marketplace of the story's own. Raises StoryBroken when it does not come up."""
    if fresh and state.exists():
        if not (state / MARK).exists() and any(state.iterdir()):
            raise StoryBroken(f"{state} was not made by the story, so it is not emptied: remove it, or choose another --state")
        shutil.rmtree(state)
    state.mkdir(parents=True, exist_ok=True)
    (state / MARK).touch()
    environment = {**os.environ, "COMMONWEIGHT_STATE": str(state.resolve())}
    process = subprocess.Popen([sys.executable, str(MANAGE), "up", "--port", "0"], env=environment, start_new_session=True)
    try:
        yield _address(process, state)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _address(process: subprocess.Popen[bytes], state: Path) -> str:
    until = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        try:
            facts = json.loads((state / "up.json").read_text())
        except (OSError, ValueError):
            facts = {}
        if "worker" in facts.get("parts", {}):
            return str(facts["url"])
        time.sleep(0.1)
    raise StoryBroken(f"the marketplace did not come up; see {state}/logs")


if __name__ == "__main__":
    sys.exit(main())
