"""Makes the virtual environment in the project's folder, with exactly what the lock names.

Standard library only: it runs before anything is installed. A stamp in the environment says what it holds, so that
the next start costs one comparison. Two of these at the same time wait for each other.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {"run": "requirements/run.txt", "test": "requirements/dev.txt"}
"""Purpose and its lock; what `test` installs holds all that `run` needs."""

_USABLE = "import sys; sys.exit(sys.version_info < (3, 11))"
_USABLE_WITH_PIP = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
_START = "import ccxt.async_support, service.__main__, service.app"
_VERSION = "import sys; print(sys.version.replace(chr(10), ' '))"


class SetUpError(Exception):
    """One line for the user: what is missing and how to get it."""


def fingerprint(root: Path, version: str) -> str:
    """Everything that decides what has to be installed: both locks, the project's metadata, Python, the folder."""
    digest = hashlib.sha256(f"{version}\n{root}\n".encode())
    for name in (*LOCKS.values(), "pyproject.toml"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def is_current(purpose: str, stamp: str, expected: str) -> bool:
    """Whether an environment with this `stamp` (`PURPOSE FINGERPRINT`) serves `purpose`."""
    made_for, _, found = stamp.strip().partition(" ")
    return found == expected and made_for in {purpose, "test"}


class Environment:
    """The virtual environment of the project in `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self._stamp = self.folder / "fillpath-stamp"

    def serves(self, purpose: str) -> bool:
        """Whether it holds what `purpose` needs, by its stamp."""
        version = _answer(self.python, _VERSION)
        return version is not None and is_current(purpose, self._read_stamp(), fingerprint(self.root, version))

    def set_up(self, purpose: str) -> None:
        """Make or complete it; raises SetUpError."""
        with _locked(self.root):
            if self.serves(purpose):
                return  # made by another process while this one waited
            self._stamp.unlink(missing_ok=True)
            if _answer(self.python, _USABLE if shutil.which("uv") else _USABLE_WITH_PIP) is None:
                self._make()
            self._install(purpose)
            version = _answer(self.python, _VERSION)
            assert version is not None, "it has just installed packages"
            fresh = self._stamp.with_suffix(".new")
            fresh.write_text(f"{purpose} {fingerprint(self.root, version)}\n", encoding="utf-8")
            fresh.replace(self._stamp)

    def _read_stamp(self) -> str:
        try:
            return self._stamp.read_text("utf-8")
        except OSError:
            return ""

    def _make(self) -> None:
        # Not this interpreter's own environment, which may be the one that is being replaced.
        base = getattr(sys, "_base_executable", None) or sys.executable
        number = f"{sys.version_info.major}.{sys.version_info.minor}"
        uv = shutil.which("uv")
        say(f"making .venv with Python {number}")
        if _can_make_environments():
            _run("making .venv", [base, "-m", "venv", "--clear", self.folder])
        elif uv is not None:
            _run("making .venv", [uv, "venv", "--quiet", "--clear", "--python", base, self.folder])
        else:
            raise SetUpError(
                f"Python {number} has no venv module; install it (`apt install python3-venv` or `python{number}-venv`) "
                "or uv"
            )

    def _install(self, purpose: str) -> None:
        install: list[str | Path]
        if _answer(self.python, _USABLE_WITH_PIP) is not None:
            # Byte code is made of what a start needs, below: most of what is installed is never used.
            quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-compile"]
            install = [self.python, "-m", "pip", "install", *quiet]
        else:
            install = [shutil.which("uv") or "uv", "pip", "install", "--quiet", "--python", self.python]
        say(f"installing what {LOCKS[purpose]} names")
        _run("installing the dependencies", [*install, "--require-hashes", "-r", self.root / LOCKS[purpose]])
        _run("installing the project", [*install, "--no-deps", "--no-build-isolation", "--editable", self.root])
        # Now, and also where the environment forbids it later: without it every start takes seconds more.
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        _run("making byte code", [self.python, "-c", _START], environment)


def start_again(purpose: str) -> None:
    """Start the running script again in the project's environment, made or completed where it is not what it needs.

    Returns where it is that one already: then something else is wrong. Ends with status 2 where it cannot be made.
    """
    environment = Environment(ROOT)
    if not environment.serves(purpose):
        try:
            environment.set_up(purpose)
        except SetUpError as error:
            say(str(error))
            raise SystemExit(2) from None
    elif Path(sys.prefix).resolve() == environment.folder.resolve():
        return
    os.execv(environment.python, [str(environment.python), *sys.argv])  # noqa: S606 - the project's own Python


def say(message: str) -> None:
    print(f"fillpath: {message}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """An advisory lock on the folder itself: no file is left behind, and a killed holder frees it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work, waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _answer(python: Path, code: str) -> str | None:
    """What `code` prints in `python`; None where it is not there, does not run, or says no."""
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _can_make_environments() -> bool:
    try:
        import ensurepip  # noqa: F401, PLC0415 - Debian ships it apart, and without it venv cannot finish
        import venv  # noqa: F401, PLC0415 - as above
    except ImportError:
        return False
    return True


def _run(what: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
    """Quiet unless it fails: then everything it said, and one line."""
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr, end="")
        raise SetUpError(f"{what} failed (exit status {done.returncode}, its words are above); mend it and start again")


def main(arguments: Sequence[str]) -> int:
    """`[--check] run|test`; with --check only the exit status says whether the environment is current."""
    purpose = arguments[-1] if arguments else ""
    if purpose not in LOCKS:
        print(f"usage: set_up.py [--check] {'|'.join(LOCKS)}", file=sys.stderr)
        return 2
    environment = Environment(ROOT)
    if arguments[0] == "--check":
        return 0 if environment.serves(purpose) else 1
    try:
        environment.set_up(purpose)
    except SetUpError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
