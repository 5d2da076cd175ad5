"""Makes the photos of test/photo/files with Pillow, and what Pillow itself sees in them (pillow.json): the other implementation.

    python test/photo/make_files.py

Needs Pillow and NumPy. The files are committed, so that the tests need neither.
"""

import base64
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

here = Path(__file__).parent / "files"
here.mkdir(exist_ok=True)
WIDTH, HEIGHT = 24, 16

x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
# Smooth, and different on all four sides and in all three colours.
pixels = np.stack([20 + 9 * x, 240 - 13 * y, 128 + 100 * np.sin(x / 5 + y / 3)], axis=-1).astype(np.uint8)
base = Image.fromarray(pixels)
alpha = base.copy()
alpha.putalpha(Image.fromarray(((x + y) * 6).astype(np.uint8)))

seen = {}


def save(name, image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    (here / name).write_bytes(buffer.getvalue())
    found = ImageOps.exif_transpose(Image.open(buffer))
    mode = "RGBA" if found.mode in ("RGBA", "PA") or "transparency" in found.info else "RGB"
    found = found.convert(mode)
    seen[name] = {"width": found.width, "height": found.height, "mode": mode,
                  "data": base64.b64encode(found.tobytes()).decode()}


def turned(orientation):
    """The picture as a camera stores it that is held so that EXIF says `orientation`."""
    back = {1: [], 2: [Image.FLIP_LEFT_RIGHT], 3: [Image.ROTATE_180], 4: [Image.FLIP_TOP_BOTTOM], 5: [Image.TRANSPOSE],
            6: [Image.ROTATE_90], 7: [Image.TRANSVERSE], 8: [Image.ROTATE_270]}[orientation]
    stored = base
    for method in back:
        stored = stored.transpose(method)
    exif = Image.Exif()
    exif[0x010F] = "phosphene"
    exif[0x0112] = orientation
    return stored, exif


save("plain.jpg", base, format="JPEG", quality=95, subsampling=0)
save("subsampled.jpg", base, format="JPEG", quality=90, subsampling=2)
save("progressive.jpg", base, format="JPEG", quality=90, progressive=True)
save("restarts.jpg", base, format="JPEG", quality=90, restart_marker_blocks=1)
save("grey.jpg", base.convert("L"), format="JPEG", quality=95)
save("print.jpg", base.convert("CMYK"), format="JPEG")
for orientation in range(1, 9):
    stored, exif = turned(orientation)
    save(f"orientation-{orientation}.jpg", stored, format="JPEG", quality=98, subsampling=0, exif=exif)
stored, exif = turned(6)
save("orientation-6.png", stored, format="PNG", exif=exif)
save("orientation-6.webp", stored, format="WEBP", lossless=True, exif=exif)
save("plain.png", base, format="PNG")
save("alpha.png", alpha, format="PNG")
save("palette.png", base.quantize(16), format="PNG", transparency=3)
save("plain.webp", base, format="WEBP", quality=95)
save("lossless.webp", base, format="WEBP", lossless=True)
save("alpha.webp", alpha, format="WEBP", lossless=True, exact=True)
save("animated.webp", base, format="WEBP", save_all=True, append_images=[base.transpose(Image.ROTATE_180)])
save("animated.gif", base, format="GIF")
save("photo.tif", base, format="TIFF")
save("photo.avif", base, format="AVIF") if "AVIF" in Image.SAVE or Image.init() and "AVIF" in Image.SAVE else None
(here / "pillow.json").write_text(json.dumps(seen, indent=1) + "\n")

# Resizing, in float: one plane of 7x5 to other sizes.
plane = np.random.default_rng(11).uniform(-1, 1, (5, 7)).astype(np.float32)
sizes = [(4, 3), (13, 9), (7, 2), (2, 5), (1, 1)]
resized = [{"width": w, "height": h,
            "values": np.asarray(Image.fromarray(plane).resize((w, h), Image.LANCZOS)).flatten().tolist()} for w, h in sizes]
(here / "resized.json").write_text(json.dumps({"plane": plane.flatten().tolist(), "resized": resized}) + "\n")
