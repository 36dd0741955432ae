"""Copy the front-end files we serve out of node_modules, and prove that what is committed is what was copied.

`python -m config.vendor` installs the versions of package-lock.json and rewrites static/vendor;
`python -m config.vendor --check` needs no network: it verifies static/vendor/SHA256SUMS.
"""

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "static" / "vendor"
SUMS = "SHA256SUMS"

FILES: dict[str, tuple[str, ...]] = {
    "htmx.org": ("LICENSE", "dist/htmx.min.js"),
    "@fontsource-variable/inter": (
        "LICENSE",
        "files/inter-latin-wght-normal.woff2",
        "files/inter-latin-ext-wght-normal.woff2",
    ),
    "@fontsource-variable/jetbrains-mono": (
        "LICENSE",
        "files/jetbrains-mono-latin-wght-normal.woff2",
        "files/jetbrains-mono-latin-ext-wght-normal.woff2",
    ),
    "lucide-static": ("LICENSE",),
    "uplot": ("LICENSE", "dist/uPlot.iife.min.js", "dist/uPlot.min.css"),
}
ICONS = (
    "activity arrow-right ban bell bot check chevron-down chevron-left chevron-right circle-alert circle-check "
    "circle-dashed circle-dot circle-help circle-pause circle-play circle-stop circle-x clock coins copy "
    "corner-down-left download external-link eye file-text flame git-branch hand hash hourglass inbox info "
    "key-round layers link list list-filter loader lock log-out menu message-square minus monitor moon network "
    "newspaper octagon-alert octagon-x panel-left pause pencil play plus quote radio rotate-ccw route scroll-text "
    "search shield-alert shield-check signal-high signal-low signal-medium skip-forward sliders-horizontal sun "
    "timer trash-2 triangle-alert tv undo-2 user-round users wifi-off workflow x zap"
).split()


def vendor() -> None:
    """Install the locked packages without running their scripts, and replace static/vendor by the allow-list."""
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=ROOT, check=True)
    shutil.rmtree(VENDOR, ignore_errors=True)
    for package, files in FILES.items():
        _copy(package, files)
    _write_sprite()
    (VENDOR / SUMS).write_text("".join(f"{digest}  {name}\n" for name, digest in _digests().items()))


def problems() -> list[str]:
    """What differs between static/vendor and its checksums; empty when nothing does."""
    lines = (line.split("  ", 1) for line in (VENDOR / SUMS).read_text().splitlines())
    listed = {name: digest for digest, name in lines}
    found = _digests()
    return [
        f"static/vendor/{name} is missing, changed or not listed; run python -m config.vendor."
        for name in sorted(listed.keys() | found.keys())
        if listed.get(name) != found.get(name)
    ]


def _folder(package: str) -> Path:
    version = json.loads((ROOT / "package.json").read_text())["dependencies"][package]
    return VENDOR / f"{package.rsplit('/', 1)[-1]}-{version}"


def _copy(package: str, files: tuple[str, ...]) -> None:
    folder = _folder(package)
    folder.mkdir(parents=True)
    for file in files:
        shutil.copyfile(ROOT / "node_modules" / package / file, folder / Path(file).name)


def _write_sprite() -> None:
    symbols = [_symbol(name) for name in ICONS]
    sprite = '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"
    (_folder("lucide-static") / "sprite.svg").write_text(sprite)


def _symbol(name: str) -> str:
    source = (ROOT / "node_modules" / "lucide-static" / "icons" / f"{name}.svg").read_text()
    match = re.search(r"<svg[^>]*>(.*)</svg>", source, re.DOTALL)
    if match is None:
        raise SystemExit(f"Icon {name!r} is not an SVG; take it out of ICONS or correct its name.")
    return f'<symbol id="{name}" viewBox="0 0 24 24">{re.sub(r">\s+<", "><", match[1].strip())}</symbol>'


def _digests() -> dict[str, str]:
    files = sorted(path for path in VENDOR.rglob("*") if path.is_file() and path.name != SUMS)
    return {str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main() -> int:
    """Vendor, or check and report one line a problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="verify the committed files without network")
    if not parser.parse_args().check:
        vendor()
        return 0
    found = problems()
    print("\n".join(found) or "static/vendor matches its checksums.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
