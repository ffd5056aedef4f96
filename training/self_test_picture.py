"""Draw the self-test picture of the demonstration bundle: 256 x 256 px, the same bytes every time.

The picture is no photo. It is a lacquered panel with a wheel, a lamp and a window, scraped and torn so much
that the gate and the means of `scratch` and `any_damage` are far from zero: pixels scaled or laid out wrongly
move them out of tolerance. Swapped colour channels do not (the network is nearly blind to them).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from arguments import parser as make_parser

SIDE = 256
OVERSAMPLE = 4  # drawn larger and shrunk once: smooth edges without depending on a font or a GPU
SEED = 24


def scaled(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Turn points in picture pixels into points of the oversampled canvas."""
    return [(x * OVERSAMPLE, y * OVERSAMPLE) for x, y in points]


def jagged(rng: np.random.Generator, centre: tuple[float, float], radii: tuple[float, float], count: int):
    """Return a closed, jagged outline of `count` corners around `centre`."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    reach = rng.uniform(0.45, 1.0, count)
    xs = centre[0] + radii[0] * reach * np.cos(angles)
    ys = centre[1] + radii[1] * reach * np.sin(angles)
    return scaled(list(zip(xs.tolist(), ys.tolist(), strict=True)))


def paint() -> Image.Image:
    """Return the undamaged panel: a vertical sheen, a reflection line, a seam."""
    size = SIDE * OVERSAMPLE
    y, x = np.mgrid[0:size, 0:size] / size
    sheen = 0.55 + 0.35 * np.exp(-(((y - 0.32) / 0.16) ** 2)) - 0.25 * y + 0.05 * np.sin(6 * x + 2)
    colour = np.array([205, 62, 48], np.float64)
    panel = np.clip(sheen[..., None] * colour * 1.1, 0, 255).astype(np.uint8)
    return Image.fromarray(panel, "RGB")


def draw_car(draw: ImageDraw.ImageDraw) -> None:
    """Add a window, a seam, a lamp and a wheel."""
    draw.polygon(scaled([(20, 0), (150, 0), (128, 58), (34, 62)]), fill=(52, 66, 78))
    draw.line(scaled([(140, 60), (150, 256)]), fill=(70, 16, 12), width=2 * OVERSAMPLE)
    draw.polygon(scaled([(206, 86), (256, 78), (256, 122), (214, 124)]), fill=(228, 226, 214))
    draw.ellipse(scaled([(2, 176), (104, 278)]), fill=(16, 16, 18))
    draw.ellipse(scaled([(24, 198), (82, 256)]), fill=(128, 130, 134))


def draw_damage(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    """Add scrapes, a torn-off part with its dark inside, and a shattered window."""
    for _ in range(150):
        x, y = rng.uniform(86, 205), rng.uniform(96, 196)
        length, drop = rng.uniform(14, 60), rng.uniform(-7, 7)
        grey = int(rng.integers(120, 246))
        width = int(rng.integers(2, 11))
        draw.line(scaled([(x, y), (x + length, y + drop)]), fill=(grey, grey, grey - 8), width=width)
    draw.polygon(jagged(rng, (206, 214), (58, 40), 23), fill=(22, 20, 20))
    draw.polygon(jagged(rng, (196, 208), (34, 18), 15), fill=(86, 84, 82))
    for angle in np.linspace(0, 2 * np.pi, 19):
        reach = rng.uniform(18, 46)
        end = (84 + reach * np.cos(angle), 32 + reach * 0.7 * np.sin(angle))
        draw.line(scaled([(84, 32), end]), fill=(214, 226, 232), width=3)
    for ring in (8, 16, 26):
        draw.line([*jagged(rng, (84, 32), (ring, ring * 0.7), 14)], fill=(190, 206, 214), width=3)


def picture() -> Image.Image:
    """Return the self-test picture, RGB, 256 x 256 px."""
    rng = np.random.default_rng(SEED)
    canvas = paint()
    draw = ImageDraw.Draw(canvas)
    draw_car(draw)
    draw_damage(draw, rng)
    small = canvas.filter(ImageFilter.GaussianBlur(1.5)).resize((SIDE, SIDE), Image.Resampling.BOX)
    noise = rng.normal(0, 3, (SIDE, SIDE, 3))
    return Image.fromarray(np.clip(np.asarray(small) + noise, 0, 255).astype(np.uint8), "RGB")


def main() -> None:
    """Write the picture as PNG."""
    parser = make_parser(__doc__)
    parser.add_argument("out", type=Path, help="PNG to write")
    picture().save(parser.parse_args().out, optimize=True)


if __name__ == "__main__":
    main()
