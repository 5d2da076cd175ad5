"""Crops of freely licensed pictures: 160 x 160 RGB, some motifs held out whole.

    python -m training.data --packages work/debs --out work

reads the `.deb` files named in `sources.py` (fetch them with `apt-get download`), and writes `train.u8`, `test.u8` (uint8, N x 160 x
160 x 3, shuffled), their kinds beside them, and `crops.json` with counts and source files. A crop is a random square whose side
is log-uniform between 160 pixels and the whole short side: large squares show things and scenes, small ones surfaces.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import multiprocessing
import random
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, get_args

import numpy as np
from PIL import Image

from .sources import PACKAGES, Kind, Rule, group_of, rule_for

Image.MAX_IMAGE_PIXELS = None
SIZE = 160
HELD_OUT = 0.12
KINDS: tuple[Kind, ...] = get_args(Kind)
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
_LARGEST_SIDE = 4200
_FLAT = 9.0
"""Crops with a smaller standard deviation teach nothing."""


@dataclass(frozen=True)
class Picture:
    """One picture: a file, a member of a zip archive, or bytes found inside another container."""

    package: str
    name: str
    file: Path
    rule: Rule
    member: str | None = None
    offset: int | None = None

    @property
    def group(self) -> str:
        return group_of(self.package, self.name, self.rule)

    @property
    def held_out(self) -> bool:
        digest = hashlib.md5(self.group.encode()).hexdigest()
        return int(digest[:8], 16) / 2**32 < HELD_OUT

    def open(self) -> Image.Image:
        if self.member is not None:
            with zipfile.ZipFile(self.file) as archive:
                return Image.open(io.BytesIO(archive.read(self.member)))
        if self.offset is not None:
            with self.file.open("rb") as file:
                file.seek(self.offset)
                return Image.open(io.BytesIO(file.read(40_000_000)))
        return Image.open(self.file)


def unpack(debs: Path, out: Path) -> None:
    """Unpacks every package that is not unpacked yet (files only: no maintainer script runs)."""
    for package in PACKAGES:
        if (out / package).exists():
            continue
        found = sorted(debs.glob(f"{package}_*.deb"))
        if not found:
            raise SystemExit(f"{package} is missing: apt-get download {package}")
        subprocess.run(["dpkg", "-x", found[0], out / package], check=True)


def pictures(root: Path) -> Iterator[Picture]:
    """Every usable picture under the unpacked packages, each once."""
    seen: set[tuple[int | str, tuple[int, int]]] = set()
    for package in PACKAGES:
        for file in sorted(p for p in (root / package).rglob("*") if p.is_file() and not p.is_symlink()):
            for picture in _inside(package, file, str(file.relative_to(root / package))):
                try:
                    with picture.open() as image:
                        size = image.size
                except Exception:  # not a picture after all, or a damaged one
                    continue
                is_file = picture.member is None and picture.offset is None
                length = file.stat().st_size if is_file else picture.name  # equal files lie in several places
                smallest = 90 if picture.rule.kind == "cutout" else 120
                if min(size) < smallest or max(size) > 9 * min(size) or (length, size) in seen:
                    continue
                seen.add((length, size))
                yield picture


def _inside(package: str, file: Path, path: str) -> Iterator[Picture]:
    if file.suffix == ".pk3":
        with zipfile.ZipFile(file) as archive:
            for member in sorted(archive.namelist()):
                rule = rule_for(package, member)
                if rule and Path(member).suffix.lower() in _SUFFIXES:
                    yield Picture(package, member, file, rule, member=member)
    elif rule := rule_for(package, path):
        if file.suffix in (".rcc", ".edj"):
            yield from _embedded(package, file, path, rule)
        elif file.suffix.lower() in _SUFFIXES:
            yield Picture(package, path, file, rule)


def _embedded(package: str, file: Path, path: str, rule: Rule) -> Iterator[Picture]:
    """JPEG and WebP pictures that lie uncompressed in a resource file. An `.edj` holds one picture in many sizes: the
    largest is taken."""
    content, found = file.read_bytes(), []
    for match in re.finditer(rb"\xff\xd8\xff|RIFF....WEBP", content, re.DOTALL):
        try:
            with Image.open(io.BytesIO(content[match.start() :])) as image:
                found.append((image.size[0] * image.size[1], match.start()))
        except Exception:
            continue
    if file.suffix == ".edj":
        found = sorted(found)[-1:]
    for index, (_, offset) in enumerate(found):
        yield Picture(package, f"{path}#{index}", file, rule, offset=offset)


def crop(image: Image.Image, rng: random.Random) -> Image.Image:
    width, height = image.size
    short = min(width, height)
    side = short if short <= SIZE else round(SIZE * (short / SIZE) ** rng.random())
    x, y = rng.randint(0, width - side), rng.randint(0, height - side)
    method = Image.Resampling.LANCZOS if side < 3 * SIZE else Image.Resampling.BOX
    return image.resize((SIZE, SIZE), method, box=(x, y, x + side, y + side), reducing_gap=2.0)


def crops(picture: Picture) -> list[np.ndarray]:
    """The crops of one picture: a function of its name alone."""
    rng = random.Random(f"{picture.package}:{picture.name}")
    try:
        with picture.open() as image:
            if image.format == "JPEG" and min(image.size) > 3000:
                image.draft("RGB", (image.size[0] // 2, image.size[1] // 2))
            transparent = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
            image = image.convert("RGBA" if transparent else "RGB")
    except Exception as error:
        print(f"skipped {picture.package}:{picture.name}: {error}", file=sys.stderr)
        return []
    if max(image.size) > _LARGEST_SIDE:
        image.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE), Image.Resampling.BOX)
    area = image.size[0] * image.size[1] / SIZE**2
    most = picture.rule.most
    per_side = 16 if picture.rule.kind == "photo" else 4
    count = most if picture.rule.kind == "cutout" else max(1, min(most, round(per_side * area**0.5)))
    out = []
    for _ in range(count):
        piece = crop(image, rng)
        if piece.mode == "RGBA":
            if np.asarray(piece)[..., 3].mean() < 25:  # next to nothing in sight
                continue
            ground = Image.new("RGB", (SIZE, SIZE), tuple(rng.randint(0, 255) for _ in range(3)))
            ground.paste(piece, (0, 0), piece)
            piece = ground
        array = np.asarray(piece)
        if array.std() >= _FLAT:
            out.append(array)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, required=True, help="folder with the .deb files")
    parser.add_argument("--out", type=Path, required=True, help="folder for the crops; packages are unpacked to OUT/images")
    args = parser.parse_args()
    root = args.out / "images"
    root.mkdir(parents=True, exist_ok=True)
    unpack(args.packages, root)
    found = list(pictures(root))
    report = {}
    for split in ("train", "test"):
        chosen = [p for p in found if p.held_out == (split == "test")]
        rng = random.Random(0)
        rng.shuffle(chosen)
        arrays: list[np.ndarray] = []
        kinds: list[int] = []
        with multiprocessing.Pool() as pool:
            for picture, made in zip(chosen, pool.imap(crops, chosen, chunksize=4)):
                arrays += made
                kinds += [KINDS.index(picture.rule.kind)] * len(made)
        order = list(range(len(arrays)))
        rng.shuffle(order)
        out = np.memmap(args.out / f"{split}.u8", np.uint8, "w+", shape=(len(arrays), SIZE, SIZE, 3))
        for i, j in enumerate(order):
            out[i] = arrays[j]
        out.flush()
        np.array([kinds[j] for j in order], np.uint8).tofile(args.out / f"{split}_kinds.u8")
        report[split] = {
            "crops": {kind: kinds.count(i) for i, kind in enumerate(KINDS)},
            "pictures": {kind: sum(p.rule.kind == kind for p in chosen) for kind in KINDS},
            "packages": {n: sum(p.package == n for p in chosen) for n in PACKAGES},
            "sources": sorted(f"{p.package}:{p.name}" for p in chosen),
        }
        print(split, report[split]["crops"], report[split]["pictures"], flush=True)
    (args.out / "crops.json").write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
