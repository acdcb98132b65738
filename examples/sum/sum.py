#!/usr/bin/env python3
"""Adds up 1 + 2 + ... + N, one step at a time: sum.mjs in Python, with the same files, so that either can go on
where the other was interrupted. What a job must do to survive a machine that vanishes:

- after each step it writes a checkpoint, whole or not at all;
- when it starts, it goes on from the newest checkpoint that it finds;
- asked to stop (SIGTERM, SIGINT), it finishes the step at hand and leaves.

N                steps to add up (required)
STEP_SECONDS     how long one step takes (default 1)
SUM_SPEED        how fast this node computes: a step takes STEP_SECONDS / SUM_SPEED (default 1; see sum.mjs)
CHECKPOINT_PATH  directory of the checkpoints (default: CHECKPOINT_DIR, else ./checkpoints)
OUTPUT_PATH      directory of the output (default: OUTPUT_DIR, else ./output)
SUM_LOG          a file that gets a line of JSON per event, to be judged by others (optional)
"""

import json
import os
import re
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

CHECKPOINT_NAME = re.compile(r"^step-(\d+)\.json$")

stop_signal = None


def main():
    steps = read_number("N", None, int)
    step_seconds = read_number("STEP_SECONDS", 1.0, float)
    speed = read_number("SUM_SPEED", 1.0, float)
    if speed == 0:
        print("SUM_SPEED must be a number above 0", file=sys.stderr)
        sys.exit(2)
    checkpoints = Path(os.environ.get("CHECKPOINT_PATH") or os.environ.get("CHECKPOINT_DIR") or "./checkpoints")
    output = Path(os.environ.get("OUTPUT_PATH") or os.environ.get("OUTPUT_DIR") or "./output")
    checkpoints.mkdir(parents=True, exist_ok=True)
    output.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, remember_to_stop)
    signal.signal(signal.SIGINT, remember_to_stop)

    step, total = newest_checkpoint(checkpoints) or (0, 0)
    record("resume" if step > 0 else "start", step, total)
    say(f"going on after step {step} of {steps}" if step > 0 else f"starting: {steps} steps")

    while step < steps:
        if stop_signal is not None:
            record("stop", step, total)
            say(f"{stop_signal.name}: leaving after step {step}")
            sys.exit(128 + stop_signal)  # as shells do
        started = time.monotonic()
        time.sleep(step_seconds / speed)  # the work; since Python 3.5 a handled signal does not cut it short
        step += 1
        total += step
        record("step", step, total, round((time.monotonic() - started) * 1000))
        write_whole(checkpoints / f"step-{step:06d}.json", {"step": step, "sum": total})

    write_whole(output / "sum.json", {"n": steps, "sum": total})
    record("done", step, total)
    say(f"done: the sum is {total}")


def newest_checkpoint(directory):
    """The newest checkpoint that can be read; one that cannot is passed over for the one before."""
    found = [path for path in directory.iterdir() if CHECKPOINT_NAME.match(path.name)]
    for path in sorted(found, key=lambda path: int(CHECKPOINT_NAME.match(path.name)[1]), reverse=True):
        try:
            content = json.loads(path.read_text())
            return int(content["step"]), int(content["sum"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            print(f"{path.name} cannot be read: {error}", file=sys.stderr)
    return None


def write_whole(path, content):
    """Write beside, flush, rename: at every moment the file is absent or whole, also after a power cut. The name in
    the meantime does not end in ".json", so that a sync rule with the pattern "\\.json$" never sees it."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w") as file:
        file.write(json.dumps(content) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def record(event, step, total, ms=None):
    """One line per event, appended and never changed: what others judge this run by."""
    log = os.environ.get("SUM_LOG")
    if not log:
        return
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {
        "time": now,
        "job": os.environ.get("KELPIE_JOB_ID", ""),
        "pid": os.getpid(),
        "machine": os.environ.get("SALAD_MACHINE_ID", ""),
        "event": event,
        "step": step,
        "sum": total,
    }
    if ms is not None:
        line["ms"] = ms
    with open(log, "a") as file:
        file.write(json.dumps(line) + "\n")


def remember_to_stop(number, _frame):
    global stop_signal
    stop_signal = signal.Signals(number)


def read_number(name, default, kind):
    text = os.environ.get(name, "")
    try:
        number = kind(text) if text else default
        if number is not None and number >= 0:
            return number
    except ValueError:
        pass
    print(f'{name} must be a number, 0 or more, not "{text}"', file=sys.stderr)
    sys.exit(2)


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    main()
