"""The seed: Keras' example "Visualizing what convnets learn", as far as it is the same for every engine.

Its numbers, its way from an ascended image to a picture, and what a peer must be able to do to take part.
Images pass this module as NumPy arrays, height × width × RGB; what an engine uses inside is its own affair.
"""

import json
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = 180
LAYER = "conv3_block4_out"
BORDER = 2  # positions of the layer left out on every side, where padding is what a filter sees
STEPS = 30
LEARNING_RATE = 10.0
FILTERS = 64

CROP = 25  # border pixels cut from a finished picture
GUTTER = 5  # black pixels between the tiles of a sheet

CHECKOUT = Path(__file__).resolve().parents[2]
WEIGHTS = CHECKOUT.parent / "shared/models/resnet50v2-imagenet-conv1-4.h5"
GOLDEN = CHECKOUT.parent / "shared/golden/seed"

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


class Peer(Protocol):
    """One engine with the trunk loaded, warm or not."""

    name: str
    settings: dict[str, object]  # what the numbers depend on: threads, layout, switches
    versions: dict[str, str]

    def activation(self, image: Floats) -> Floats:
        """The target layer for an image, height × width × channels."""
        ...

    def gradient(self, image: Floats, filter_index: int) -> tuple[float, Floats]:
        """A filter's mean activation and its gradient, not normalised."""
        ...

    def ascend(self, filter_index: int, steps: int, start: Floats | None = None) -> tuple[Floats, list[float]]:
        """The image after some steps, from fresh noise unless told, and the loss before each of them."""
        ...

    def traces(self) -> int:
        """How often the engine has built its step so far; a timing that saw this rise measured building too."""
        ...


def deprocess(image: Floats) -> Bytes:
    """The example's way to a picture: contrast from the whole image, border junk included, and only then the crop."""
    image = image - image.mean()
    image = image / (image.std() + 1e-5) * 0.15
    image = np.clip(image[CROP:-CROP, CROP:-CROP] + 0.5, 0, 1)
    return np.clip(image * 255, 0, 255).astype("uint8")


def stitch(tiles: list[Bytes]) -> NDArray[np.float64]:
    """Tiles row by row on the smallest square sheet that holds them."""
    side, tile = int(np.ceil(np.sqrt(len(tiles)))), SIZE - 2 * CROP
    pitch = tile + GUTTER
    sheet = np.zeros((side * pitch - GUTTER, side * pitch - GUTTER, 3))
    for n, picture in enumerate(tiles):
        y, x = (pitch * k for k in divmod(n, side))
        sheet[y : y + tile, x : x + tile] = picture
    return sheet


def save(sheet: NDArray[np.float64], path: Path) -> None:
    """What `keras.utils.save_img` does unless told otherwise: stretch to the full range, then cut to bytes."""
    stretched = sheet.astype("float32") - sheet.min()
    stretched *= 255 / max(float(stretched.max()), 1e-12)
    Image.fromarray(stretched.astype("uint8")).save(path)


def grid(peer: Peer, filters: int, steps: int, out: Path) -> None:
    """The example's main loop: filter after filter, each from noise of its own, then one sheet."""
    save(stitch([deprocess(peer.ascend(k, steps)[0]) for k in range(filters)]), out)


def agreement(peer: Peer, golden: Path) -> dict[str, object]:
    """How far a peer is from the float64 reference.

    The ascent is chaotic in its last digits, so only the first three rows can be held to a tolerance; the last two
    say whether the peer still climbs the same hill.
    """

    def load(name: str) -> Floats:
        array: Floats = np.load(golden / f"{name}_hwc.npy")
        return array

    def relative(value: float, reference: float) -> float:
        return abs(value - reference) / abs(reference)

    losses = {int(k): v["losses"] for k, v in json.loads((golden / "report.json").read_text())["filters"].items()}
    start = load("input")
    first = {k: peer.gradient(start, k) for k in losses}
    drawn = [k for k in losses if (golden / f"grad_filter{k}_hwc.npy").exists()]
    ascended = {k: peer.ascend(k, STEPS, start) for k in drawn}

    def gradient_error(k: int) -> float:
        reference = load(f"grad_filter{k}").astype("float64")
        return float(np.linalg.norm(first[k][1] - reference) / np.linalg.norm(reference))

    def correlation(k: int) -> float:
        return float(np.corrcoef(ascended[k][0].ravel(), load(f"image{STEPS}_filter{k}").ravel())[0, 1])

    return {
        "activation_abs": float(np.abs(peer.activation(start) - load(LAYER)).max()),
        "gradient_rel_l2": {k: gradient_error(k) for k in drawn},
        "first_loss_rel": max(relative(first[k][0], losses[k][0]) for k in losses),
        "last_loss_rel": {k: relative(ascended[k][1][-1], losses[k][STEPS - 1]) for k in drawn},
        "image_correlation": {k: correlation(k) for k in drawn},
    }
