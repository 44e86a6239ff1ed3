"""Draw the pictures of docs/rendering.md into docs/images; needs the fonts of Debian's fonts-noto packages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pixel_lm import TextRenderer
from pixel_lm.rendering import patches_to_image

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
SAMPLES = (
    "The quick brown fox",
    "हिन्दी में प्रश्न",
    "ภาษาไทยที่น้ำ",
    "བོད་ཀྱི་སྐད་ཡིག",
    "မြန်မာဘာသာစကား",
    "ភាសាខ្មែរក្រុម",
    "اللُّغَةُ العَرَبِيَّة",
)
GAP = 3


def save(name: str, rows: list[np.ndarray], scale: int = 3) -> None:
    """Put strips below each other, enlarge, save."""
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, GAP), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    image = Image.fromarray(np.concatenate(padded)[:-GAP])
    image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST).save(
        IMAGES / name, optimize=True
    )


def grid(patches: np.ndarray) -> np.ndarray:
    """A strip with the borders of its patches, in colour."""
    return np.asarray(patches_to_image(patches, grid=True, scale=3).convert("RGB"))


def main() -> None:
    """Draw all pictures."""
    profiles = {name: TextRenderer(rgb=True, profile=name) for name in ("pango", "fit")}
    save("profiles.png", [profiles[name](text).strip() for text in SAMPLES for name in profiles])
    strategies = ("continuous", "words", "bigrams", "mono")
    text = "Every word is seen, also ones like เรือ and دار."
    save("strategies.png", [grid(TextRenderer(strategy=name)(text).patches) for name in strategies], scale=1)
    renderer = TextRenderer().with_max_seq_length(30)
    passage = (
        "Vienna lies on the Danube. It has been a capital for centuries, and its coffee houses are known everywhere."
    )
    shown = renderer(("Where is Vienna?", passage), return_overflowing_patches=True, stride=6)
    save("windows.png", [grid(window.patches) for window in [shown, *(shown.windows or [])]], scale=1)
    colour = TextRenderer(rgb=True, font_color="#203080", background_color="#fff4d0")
    save("colour.png", [colour("In colour 😀 🚀 🇪🇹 ❤️ ok").strip()])


if __name__ == "__main__":
    main()
