"""What `loop.py` runs its steps with: commands that fail in one line, and a stack of its own that ends with it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Of the drawn samples, in pixels: a quarter of the default's time, and still three times what the networks see.
WIDTH = 800
VEHICLE_PHOTOS = 3  # in a row of one vehicle
READY_S_MAX, STOP_S_MAX = 60, 60
COMMAND_S_MAX = 900
POLL_S = 1.0


class LoopError(Exception):
    """Why the circle does not close, in one line."""


def last_line(text: str, otherwise: str) -> str:
    """Return the last line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else otherwise


@dataclass(frozen=True)
class How:
    """How a command runs: for so many seconds, whether what it prints is shown, and with what beside the settings."""

    seconds: float = COMMAND_S_MAX
    shown: bool = False
    env: dict[str, str] = field(default_factory=dict)


def run(command: list[str | Path], how: How = How()) -> str:
    """Run a command and return what it prints, if that is not shown; whatever ends this process ends the command first.

    Raises `LoopError` with the command's last line where it fails or takes longer.
    """
    words = [str(word) for word in command]
    name = " ".join([Path(words[0]).name, *words[1:3]])
    try:
        ran = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=None if how.shown else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=how.seconds,
            env=os.environ | how.env,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LoopError(f"{name}: not done after {how.seconds:.0f} s") from None
    except OSError as error:
        raise LoopError(f"{name}: {error.strerror}") from None
    if ran.returncode != 0:
        raise LoopError(f"{name}: {last_line(ran.stderr, f'exit code {ran.returncode}')}")
    return ran.stdout or ""


def python(script: str, *arguments: str | Path, seconds: float = COMMAND_S_MAX, shown: bool = False) -> str:
    """Run a script of training/ and return what it prints, if that is not shown."""
    # Threads that wait at full load for one another, on cores that others use too, take several times as long.
    env = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
    command = [sys.executable, "-W", "ignore", ROOT / "training" / script, *arguments]
    return run(command, How(seconds, shown, env))


@dataclass
class Circle:
    """What the steps share: the program, folders, and what was found out so far."""

    program: Path
    bundle: Path
    out: Path
    seconds: float
    photos: int
    keep: list[Path]
    found: dict = field(default_factory=dict)
    up: subprocess.Popen | None = None

    def walkaround(self, *arguments: str | Path, seconds: float = COMMAND_S_MAX) -> str:
        """Run a command of the program on the stack of this circle."""
        return run([self.program, *arguments], How(seconds))

    def document(self, *arguments: str | Path) -> dict:
        """Run a command that prints one JSON document."""
        return json.loads(self.walkaround(*arguments))

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print a line before and after a step, and keep its time."""
        print(f"== {title}", flush=True)
        begun = time.monotonic()
        yield
        took = round(time.monotonic() - begun, 1)
        self.found.setdefault("steps", []).append({"step": title, "seconds": took})
        print(f"   {took} s", flush=True)

    def start(self) -> None:
        """Start the pipeline and wait until it runs."""
        with (self.out / "up.log").open("a", encoding="utf-8") as log:
            self.up = subprocess.Popen([str(self.program), "up"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until = time.monotonic() + READY_S_MAX
        while time.monotonic() < until:
            self.check_up()
            with contextlib.suppress(LoopError):
                self.walkaround("status", "--format", "json", seconds=READY_S_MAX)
                return
            time.sleep(POLL_S)
        raise LoopError(f"up: not ready after {READY_S_MAX} s; {self.out / 'up.log'} says why")

    def check_up(self) -> None:
        """Raise where the pipeline ended."""
        if self.up is None or self.up.poll() is not None:
            log = (self.out / "up.log").read_text(encoding="utf-8", errors="replace")
            raise LoopError(f"up ended: {last_line(log, 'without a word')}")

    def stop(self) -> None:
        """End the pipeline, and with it its workers and the shadow's process."""
        if self.up is None or self.up.poll() is not None:
            return
        self.up.terminate()
        try:
            self.up.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.up.kill()
            self.up.wait()

    def draw(self, name: str, count: int, seed: int) -> Path:
        """Draw samples into a folder of their own."""
        folder = self.out / "samples" / name
        self.walkaround("samples", folder, "--count", str(count), "--seed", str(seed), "--width", str(WIDTH))
        return folder

    def submit(self, folder: Path) -> list[dict]:
        """Submit drawn samples as photos of vehicles, wait, and return their records."""
        self.check_up()
        names = sorted(path.name for path in folder.glob("*.jpg"))
        manifest = folder / "vehicles.csv"
        manifest.write_text(manifest_text(folder.name, names), encoding="utf-8")
        arguments = ["submit", manifest, "--wait", "--timeout", "300", "--format", "json"]
        printed = self.walkaround(*arguments)
        (folder / "records.jsonl").write_text(printed, encoding="utf-8")
        return [json.loads(line) for line in printed.splitlines()]

    def review(self, folder: Path) -> dict:
        """Review every submitted sample of a folder from the known truth."""
        arguments = [folder / "records.jsonl", "--drawn", folder, "--program", self.program]
        return json.loads(python("review_drawn.py", *arguments))

    def rollout(self) -> dict:
        """Return the document that says which other bundles see photos."""
        return self.document("bundle", "rollout", "--format", "json")


def manifest_text(name: str, photos: list[str]) -> str:
    """Return a manifest for `submit`: so many photos in a row are of one vehicle, at one return."""
    rows = ["photo,vehicle_id,reservation_id,occasion"]
    for number, photo in enumerate(photos):
        vehicle = f"{name}-{number // VEHICLE_PHOTOS + 1:03}"
        rows.append(f"{photo},{vehicle},r-{vehicle},return")
    return "\n".join(rows) + "\n"
