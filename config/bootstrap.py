"""Turns a machine that has only make, python3 and the package registries into one that can run Watchkeeper.

Standard library only, Python 3.9 or newer. Everything it installs stays in this folder: `.venv`,
`.watchkeeper/tools` and `.watchkeeper/bytecode`. A second run finds that nothing changed and goes straight on.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, Optional
from urllib.parse import urljoin

ROOT = Path(__file__).resolve().parent.parent
# Run as a file, Python puts config/ first on the path, where our celery.py would hide Celery.
if sys.path[0] == str(ROOT / "config"):
    sys.path[0] = str(ROOT)

from config.console import Console  # noqa: E402

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.json"
TOOLS = ROOT / ".watchkeeper" / "tools"
BYTECODE = ROOT / ".watchkeeper" / "bytecode"
PREFERRED = ("3.12", "3.13", "3.14")
# Chromium without its windows comes first: a page in it costs a quarter of the time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Where tests that drive a browser are: collecting all the others for them takes every worker ten seconds.
BROWSER_TESTS = ("tests/functional", "tests/security/test_output_browser.py")
CONSOLE = Console()


class Failed(Exception):
    """The message is one sentence with a remedy."""


def main(arguments: Sequence[str]) -> int:
    """`bootstrap.py up|test|check|bench|reset|manage [arguments]`."""
    commands = {"up": up, "test": test, "check": check, "bench": bench, "reset": reset, "manage": manage}
    if not arguments or arguments[0] not in commands:
        CONSOLE.problem(f"Say what to do: {', '.join(commands)}.")
        return 2
    try:
        os.chdir(ROOT)
        keep_bytecode(os.environ)
        return commands[arguments[0]](list(arguments[1:]))
    except Failed as problem:
        CONSOLE.problem(str(problem))
    except OSError as error:
        CONSOLE.problem(f"Setting up failed: {error}; see that this folder can be written and the disk is not full.")
    except KeyboardInterrupt:
        CONSOLE.say()
    return 1


def up(arguments: list[str]) -> int:
    """Serve the product until Ctrl-C."""
    install(dev=False)
    become("-m", "config.supervisor", *arguments)


def reset(arguments: list[str]) -> int:
    """Empty the data directory after asking."""
    install(dev=False)
    become("-m", "config.reset", *arguments)


def manage(arguments: list[str]) -> int:
    """Run a management command."""
    install(dev=False)
    become("manage.py", *arguments)


def bench(arguments: list[str]) -> int:
    """Measure every workload."""
    install(dev=False)
    become("manage.py", "bench", *(arguments or ["all"]))


def check(arguments: list[str]) -> int:
    """Every rule that a machine can check."""
    install(dev=True)
    become("-m", "config.checks", *arguments)


def test(arguments: list[str]) -> int:
    """Every test, with the browser it needs."""
    install(dev=True)
    os.environ["CHROMIUM"] = browser()
    offer_brokers()
    workers = ["-n", os.environ.get("TEST_WORKERS") or str(min(os.cpu_count() or 2, 4)), "--dist", "loadgroup"]
    pytest = ["-m", "pytest", *([] if "-n0" in arguments else workers)]
    if arguments:
        become(*pytest, *arguments)
    # Two runs: a browser's driver keeps an event loop in its process for good; tests of our own loops cannot share it.
    ended = go_through(*pytest, "-m", "not browser")
    return max(ended, go_through(*pytest, "-m", "browser", *BROWSER_TESTS))


def keep_bytecode(environment: MutableMapping[str, str]) -> None:
    """Compile each module once, even where Python was told to write nothing beside its sources.

    Container images say so. We start a dozen processes, the tests hundreds, and compiling what one of them imports
    costs it more than a second.
    """
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):
        environment.setdefault("PYTHONPYCACHEPREFIX", str(BYTECODE))


def go_through(*arguments: str) -> int:
    """Run the environment's Python as a child to its end; its exit code."""
    return subprocess.call([str(VENV / "bin" / "python"), *arguments], cwd=str(ROOT))


def become(*arguments: str) -> NoReturn:
    """Go on as the environment's Python: same process, so signals and exit code are its own."""
    os.environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ.pop("PYTHONHOME", None)
    sys.stdout.flush()
    os.execv(str(PYTHON), [str(PYTHON), *arguments])


def install(*, dev: bool) -> None:
    """Make `.venv` what uv.lock says; at once when it already is.

    1. Compare the stamp: lock file, folder and groups of the last installation.
    2. Wait for another `make` that is installing, then compare again.
    3. Find uv and a Python; install; write the stamp last, so that an interrupted run is repeated.
    """
    if installed(dev=dev):
        return
    with installing():
        if installed(dev=dev):
            return
        # What an earlier `make test` or broker brought is kept up to date too.
        dev = dev or stamp().get("dev") == "yes"
        if VENV.exists() and stamp().get("root") != str(ROOT):
            forget_moved_environment()
        extras = sorted({*wanted_extras(), *stamp().get("extras", "").split()})
        synchronise(find_uv(), find_python(), dev=dev, extras=extras)
        done = {"lock": lock_hash(), "root": str(ROOT), "dev": "yes" if dev else "no", "extras": " ".join(extras)}
        STAMP.write_text(json.dumps(done))


def installed(*, dev: bool) -> bool:
    """Whether the environment is already what is wanted."""
    known = stamp()
    same = known.get("lock") == lock_hash() and known.get("root") == str(ROOT)
    enough = wanted_extras() <= set(known.get("extras", "").split()) and (known.get("dev") == "yes" or not dev)
    return same and enough and PYTHON.exists()


def wanted_extras() -> set[str]:
    """The extras of pyproject.toml that the environment asks for: Redis's client, a language model to run here."""
    redis = {"redis"} if re.match(r"rediss?(\+socket)?:", os.environ.get("BROKER_URL", "")) else set()
    return redis | ({"llm"} if os.environ.get("WATCHKEEPER_LLM") == "local" else set())


def stamp() -> dict[str, str]:
    """What the last complete installation wrote."""
    try:
        content: dict[str, str] = json.loads(STAMP.read_text())
        return content
    except (OSError, ValueError):
        return {}


def lock_hash() -> str:
    """Identifies the wanted set of packages."""
    return hashlib.sha256((ROOT / "uv.lock").read_bytes()).hexdigest()


@contextmanager
def installing() -> Iterator[None]:
    """One installation at a time in this folder."""
    TOOLS.parent.mkdir(parents=True, exist_ok=True)
    with (TOOLS.parent / "bootstrap.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            with CONSOLE.step("Waiting for another make that is installing"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def forget_moved_environment() -> None:
    """Scripts in an environment name its folder: after a move or copy it is made anew. A foreign one is left alone."""
    if STAMP.exists():
        shutil.rmtree(VENV)


def find_python() -> Optional[str]:
    """A Python that is new enough, or None: then uv fetches one."""
    named = [os.environ["WATCHKEEPER_PYTHON"]] if os.environ.get("WATCHKEEPER_PYTHON") else []
    candidates = [
        *named,
        sys.executable,
        *filter(None, (shutil.which(f"python{v}") for v in PREFERRED)),
        *(str(version / "bin" / "python3") for version in pyenv_versions()),
    ]
    found: dict[str, str] = {}
    for candidate in candidates:
        version = version_of(candidate)
        if candidate in named and version not in PREFERRED:
            raise Failed(f"WATCHKEEPER_PYTHON={candidate} is not Python {' or '.join(PREFERRED)}; correct or unset it.")
        if named and candidate in named:
            return candidate
        found.setdefault(version, candidate)
    return next((found[version] for version in PREFERRED if version in found), None)


def pyenv_versions() -> list[Path]:
    """Where pyenv keeps each of its versions; none if it is somebody else's."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    try:
        return sorted((root / "versions").iterdir())
    except OSError:
        return []


def with_every_pyenv() -> dict[str, str]:
    """An environment in which pyenv's shims find a program in whichever version has it."""
    names = [version.name for version in reversed(pyenv_versions())]
    return {**os.environ, **({"PYENV_VERSION": ":".join(names)} if names else {})}


def version_of(python: str) -> str:
    """`3.12`, or nothing when it does not run or cannot carry packages."""
    code = "import ssl, sys; print('%d.%d' % sys.version_info[:2])"
    done = quietly([python, "-c", code])
    return done.stdout.strip() if done.returncode == 0 else ""


def find_uv() -> list[str]:
    """A command that runs uv, installed into our own folder if the machine has none."""
    here = TOOLS / "bin" / "uv"
    for candidate in (str(here), shutil.which("uv")):
        if candidate and quietly([candidate, "--version"]).returncode == 0:
            return [candidate]
    with CONSOLE.step("Getting uv, the package installer"):
        said = [quietly(command).stderr for command in pip_commands()]
    if not here.exists():
        reason = (said[-1].strip().splitlines() or ["no reason given"])[-1]
        raise Failed(f"uv could not be installed ({reason}); check the network, or install uv and put it on PATH.")
    return [str(here)]


def pip_commands() -> Iterator[list[str]]:
    """Ways to install uv into our folder, until one has worked: this Python's pip, else pip fetched as a file.

    `--target` needs neither root nor a virtual environment and is allowed where the system's packages are locked.
    """
    target = ["install", "--quiet", "--disable-pip-version-check", "--upgrade", "--target", str(TOOLS), "uv>=0.8"]
    yield [sys.executable, "-m", "pip", *target]
    if not (TOOLS / "bin" / "uv").exists():
        yield [sys.executable, f"{fetch_pip()}/pip", *target]


def fetch_pip() -> Path:
    """pip's own wheel, which Python runs as it is; Debian's python3 comes without pip."""
    index = "https://pypi.org/simple/pip/"
    try:
        with urllib.request.urlopen(index, timeout=60) as answer:
            link, checksum = newest_pip(answer.read().decode())
        with urllib.request.urlopen(urljoin(index, link), timeout=120) as answer:
            content = answer.read()
    except (OSError, ValueError) as error:
        raise Failed(
            f"pypi.org could not be reached ({error}); check the network, or install uv and put it on PATH."
        ) from None
    if hashlib.sha256(content).hexdigest() != checksum:
        raise Failed("pip arrived damaged; try again.")
    TOOLS.mkdir(parents=True, exist_ok=True)
    path = TOOLS / link.rsplit("/", 1)[-1]
    path.write_bytes(content)
    return path


def newest_pip(page: str) -> tuple[str, str]:
    """Address and SHA-256 of the last wheel on a package index page that this Python can run."""
    for tag in reversed(re.findall(r"<a [^>]+>", page)):
        link = re.search(r'href="([^"#]+/pip-[\d.]+-py3-none-any\.whl)#sha256=([0-9a-f]{64})', tag)
        needs = re.search(r'data-requires-python="(?:&gt;|>)=3\.(\d+)', tag)
        if link and (needs is None or int(needs[1]) <= sys.version_info[1]):
            return link[1], link[2]
    raise ValueError("the index lists no pip")


def synchronise(uv: Sequence[str], python: Optional[str], *, dev: bool, extras: Sequence[str]) -> None:
    """Install exactly what uv.lock says, in four tries: registries hiccup, and some networks use their own CA."""
    command = [*uv, "sync", "--frozen", "--inexact", "--no-install-project", *([] if dev else ["--no-dev"])]
    # Inexact: what a developer or an extra put there beside the lock's groups is not ours to remove.
    command += [part for extra in extras for part in ("--extra", extra)] + ["--python", python or PREFERRED[0]]
    environment = {**with_every_pyenv(), "UV_PROJECT_ENVIRONMENT": str(VENV), "UV_HTTP_TIMEOUT": "120"}
    environment.pop("VIRTUAL_ENV", None)
    log = TOOLS.parent / "install.log"
    for attempt in range(4):
        time.sleep(attempt // 2)
        system_certificates = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"} if attempt % 2 else {}
        title = "Installing packages" if not attempt else f"Installing packages, try {attempt + 1}"
        if follow(title, command, {**environment, **system_certificates}, log) == 0:
            return
    if python is None and "python-build-standalone" in log.read_text(errors="replace"):
        raise Failed(
            f"Here is no Python {' or '.join(PREFERRED)}, and uv could not fetch one (whole story: {log}); "
            "install one, or name it with WATCHKEEPER_PYTHON=/path/to/python3.12."
        )
    raise Failed(
        f"The packages could not be installed: {last_line(log)} (whole story: {log}); check the network and try again."
    )


def follow(title: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Run a command with its output in a log, showing the newest line of it."""
    with CONSOLE.step(title) as step, log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            while process.poll() is None:
                step.detail = last_line(log)
                time.sleep(0.1)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        step.failed = process.returncode != 0
        return process.returncode


def last_line(log: Path) -> str:
    """The newest line of a log."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def browser() -> str:
    """The browser the tests drive: Debian's smallest, installed, else the machine's, else Debian's Chromium."""
    title = "Installing Chromium for the browser tests"
    if shutil.which(BROWSERS[0]) is None and is_debian():
        from_debian(BROWSERS[0], "fonts-dejavu-core", title=title)
    if not any(map(shutil.which, BROWSERS)):
        from_debian(BROWSERS[1], "fonts-dejavu-core", title=title)
    for path in filter(None, map(shutil.which, BROWSERS)):
        return path
    raise Failed("The browser tests need Chromium; install it (apt-get install chromium) and run make test again.")


def is_debian() -> bool:
    """Others have the same tools and not the same packages."""
    release = Path("/etc/os-release")
    return release.exists() and "ID=debian" in release.read_text().splitlines()


def offer_brokers() -> None:
    """Brokers for the tests of many machines and of bridges; without one its tests are left out, and say so."""
    for program, package in (("redis-server", "redis-server"), ("mosquitto", "mosquitto")):
        if server(program) is None:
            from_debian(package, title=f"Installing {package} for its tests")
        if server(program) is None:
            CONSOLE.note(f"{package} could not be installed: its tests are left out (apt-get install {package}).")


def server(program: str) -> Optional[str]:
    """Where a server's program is; Debian keeps some where only root's path looks."""
    return shutil.which(program, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")


def from_debian(*packages: str, title: str) -> None:
    """Install packages if this is a Debian and we may; the caller looks whether they are there."""
    become_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (become_root and quietly([*become_root, "true"]).returncode != 0):
        return
    # RUNLEVEL: Debian would start a server that it installs; the tests start their own.
    apt = [*become_root, "env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-q"]
    log = TOOLS.parent / "debian.log"
    follow("Reading Debian's package lists", [*apt, "update"], os.environ, log)
    follow(title, [*apt, "install", "-y", "--no-install-recommends", *packages], os.environ, log)


def quietly(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run a short command; one that cannot be run counts as failed."""
    try:
        return subprocess.run(
            command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=with_every_pyenv()
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
