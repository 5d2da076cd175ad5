"""Photographs of Debian packages as PNG files, one a motif: what the spectrum of `maco` is measured on (`spectrum.js`).

    python -m training.photographs --packages work/debs --out work/photographs

reads those `.deb` files of `PACKAGES` below that are there (fetch them with `apt-get download`). They are in Debian's main section,
so every picture is freely licensed; `sources.json` says which pictures they are, and each package's `copyright` file whose. Taken
are colour photographs, never cutouts or drawings, brought to a shorter side of 448 pixels.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

from .data import Picture, pictures

PACKAGES = [
    "mate-backgrounds",  # GPL-2+
    "lomiri-wallpapers-16.04",  # CC-BY-4.0, CC-BY-SA-4.0, CC0-1.0
    "lomiri-wallpapers-20.04",  # CC-BY-SA-3.0
    "plasma-workspace-wallpapers",  # GPL-2+
    "lxqt-themes",  # LGPL-2.1+, LGPL-3, CC-BY-SA-3.0
    "palapeli-data",  # GPL-2+, LGPL-2+, GFDL-1.2+, CC0
    "enlightenment-data",  # BSD-2-Clause and others, its backgrounds too
    "python3-skimage",  # BSD-3-Clause; its photographs are in the public domain or CC0
]
SIDE = 448
_DARK = 12.0
"""Photographs of less contrast tell nothing of a spectrum."""


def usable(picture: Picture) -> Image.Image | None:
    """The photograph, if it is large enough, in colour, and shows something."""
    with picture.open() as image:
        if min(image.size) < SIDE or image.mode not in ("RGB", "P"):
            return None
        image = image.convert("RGB")
    scale = SIDE / min(image.size)
    image = image.resize((round(image.size[0] * scale), round(image.size[1] * scale)), Image.Resampling.LANCZOS)
    values = np.asarray(image).astype(np.float64)
    colour = np.abs(values - values.mean(axis=2, keepdims=True)).mean()
    return image if values.std() > _DARK and colour > 1 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, required=True, help="folder with the .deb files")
    parser.add_argument("--out", type=Path, required=True, help="folder for the photographs")
    args = parser.parse_args()
    root = args.out / "packages"
    root.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        if not (root / package).exists():
            (found,) = args.packages.glob(f"{package}_*.deb")
            subprocess.run(["dpkg", "-x", found, root / package], check=True)
    largest: dict[str, tuple[int, Picture]] = {}
    for picture in pictures(root):
        if picture.rule.kind != "photo" or picture.rule.series:
            continue
        with picture.open() as image:
            pixels = image.size[0] * image.size[1]
        if pixels > largest.get(picture.group, (0, picture))[0]:
            largest[picture.group] = (pixels, picture)
    sources: list[str] = []
    for _, (_, picture) in sorted(largest.items()):
        if image := usable(picture):
            image.save(args.out / f"{len(sources):03}.png")
            sources.append(f"{picture.package}:{picture.name}")
    (args.out / "sources.json").write_text(json.dumps(sources, indent=1) + "\n")
    print(len(sources), "photographs")


if __name__ == "__main__":
    main()
