"""Where the pictures come from: Debian packages (bookworm), main section only, so that every picture is freely licensed.

A rule says which files of a package are used and what they show. The kinds matter twice: the training batches draw fixed shares
of each kind (photographs are the majority), and the figures on natural pictures are taken on held-out *photographs* only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["photo", "texture", "cutout", "drawing"]


@dataclass(frozen=True)
class Rule:
    package: str
    pattern: str
    """Searched in the file's path inside the package; for a picture inside a container, in `container#index`."""
    kind: Kind
    most: int
    """Most crops of one picture (a small picture gives fewer)."""
    series: bool = False
    """Whether all matching pictures are views of the same few things, and so must fall on one side of the hold-out."""


_OPENCV_PHOTOS = (
    "aero|aloe[LR]|apple|baboon|board|box_in|building|butterfly|chicky|fruits|graf|home|HappyFish|leuven|licenseplate"
    "|messi|orange|rubberwhale|smarties|squirrel|stuff|lena|Stephanie|basketball"
)
_PLASMA_PHOTOS = (
    "Autumn|BytheWater|ColdRipple|ColorfulCups|DarkestHour|EveningGlow|FallenLeaf|Grey|Kite|OneStandsOut|Path|summer_1am"
)
_LXQT_PHOTOS = "Butterfly-Kenneth|Valendas|after-the-rain|appleflower|beam|butterfly|cloud|drop|flowers|fog|this-is-not"

RULES: list[Rule] = [
    # photographs
    Rule("enlightenment-data", r"backgrounds/(?!Squiggle).*\.edj", "photo", 260),
    Rule("mate-backgrounds", r"/mate/nature/", "photo", 180),
    Rule("lomiri-wallpapers-16.04", r"/backgrounds/(?!umang)", "photo", 160),
    Rule("lomiri-wallpapers-20.04", r"Kleiber|Fossa", "photo", 160),
    Rule("plasma-workspace-wallpapers", rf"wallpapers/({_PLASMA_PHOTOS})/contents/images/", "photo", 180),
    Rule("lxqt-themes", rf"wallpapers/({_LXQT_PHOTOS})", "photo", 140),
    Rule("palapeli-data", r"palapeli/collection/", "photo", 90),
    Rule("kalzium-data", r"data/toolpics/", "photo", 30),
    Rule("python3-skimage", r"data/(astronaut|camera|chelsea|coffee|coins|rocket|moon|retina|ihc|hubble|cell)", "photo", 40),
    Rule("python3-skimage", r"data/motorcycle", "photo", 40, series=True),
    Rule("opencv-doc", rf"examples/(data/({_OPENCV_PHOTOS})|hfs/data|alphamat/input)", "photo", 40),
    Rule("gcompris-qt-data", r"rcc/(erase|explore_world_music|explore_monuments|explore_\w+_animals)\.rcc", "photo", 70),
    Rule("gcompris-qt-data", r"rcc/categorization\.rcc", "photo", 16),
    Rule("gcompris-qt-data", r"rcc/(details|chronos)\.rcc", "photo", 16, series=True),
    # surfaces, mostly photographed, made for games; panoramas
    Rule("python3-skimage", r"data/(brick|grass|gravel)", "texture", 40),
    Rule("stellarium-data", r"landscapes/|scenery3d/", "texture", 24),
    Rule("supertuxkart-data", r"\.(jpg|png)", "texture", 2),
    Rule("ufoai-textures", r"textures/(?!.*_(nm|sm|gm|norm|rm)\.).*\.(jpg|png)", "texture", 2),
    Rule("torcs-data", r"\.png", "texture", 2),
    Rule("palapeli-data", r"palapeli/backgrounds/", "texture", 20),
    Rule("krita-data", r"krita/patterns/", "texture", 3),
    # things on transparent ground, mostly photographed
    Rule("tuxpaint-stamps-default", r"/stamps/", "cutout", 14),
    # paintings, illustrations, abstract wallpapers
    Rule("gcompris-qt-data", r"rcc/paintings\.rcc", "drawing", 5),
    Rule("gnome-backgrounds", r"/backgrounds/", "drawing", 14),
    Rule("plasma-workspace-wallpapers", r"wallpapers/.*/contents/images/", "drawing", 14),
    Rule("ukui-wallpapers", r"/backgrounds/", "drawing", 14),
    Rule("mate-backgrounds", r"/mate/(abstract|desktop)/", "drawing", 10),
    Rule("openclipart-png", r"\.png", "drawing", 1),
]

PACKAGES: list[str] = list(dict.fromkeys(rule.package for rule in RULES))

_SKIPPED = re.compile(r"share/doc/HTML|/screenshots?[/.]|/fonts?/|/icons/|/skycultures/|preview|thumb|\.svgz?$", re.I)


def rule_for(package: str, path: str) -> Rule | None:
    """The first rule that takes this file."""
    if _SKIPPED.search(path):
        return None
    for rule in RULES:
        if rule.package == package and re.search(rule.pattern, path):
            return rule
    return None


def group_of(package: str, path: str, rule: Rule) -> str:
    """A name for the motif: its sizes and numbered siblings share it, and are held out together."""
    if rule.series:
        return f"{package}:{rule.pattern}"
    if theme := re.search(r"/wallpapers/([^/]+)/contents/", path):
        return f"{package}:{theme[1]}"
    if ".rcc#" in path or ".edj" in path:
        return f"{package}:{path}"
    stem = re.sub(r"\.\w+$", "", path)
    return f"{package}:" + re.sub(r"[\d_x.-]+$", "", stem)
