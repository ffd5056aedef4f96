"""From a photo file to network inputs, the slow and readable way.

The photo is decoded at full size with Pillow, turned upright by its EXIF orientation, and each network's input is
resampled straight from it in one step (Pillow's antialiased BILINEAR, or BOX for `filter = "area"`), so a tensor
never depends on decode-time scaling. Rectangles are (x0, y0, x1, y1) in fractions of the upright photo.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

Image.MAX_IMAGE_PIXELS = 120_000_000
WHOLE = (0.0, 0.0, 1.0, 1.0)
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "area": Image.Resampling.BOX}
ELEMENTS = {"f32": np.float32, "f16": np.float16, "u8": np.uint8}


@dataclass
class Prepared:
    """One network input: `tensor` without the batch axis, and the part of the photo the whole input covers
    (it reaches outside the photo or the region when the input is letterboxed)."""

    tensor: np.ndarray
    covers: tuple


def half_up(value):
    """Rounds to the nearest whole number, halves upwards (Python's own `round` takes halves to even)."""
    return math.floor(value + 0.5)


def load_photo(path):
    """The upright RGB photo at full size."""
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def prepare(photo, spec, region=WHOLE):
    """One `Prepared` for each tile of `region` (a single one without tiling). `spec` is the network's table."""
    tiles = tile_regions(photo.size, spec, region)
    return [prepare_one(photo, spec["input"], tile) for tile in tiles]


def prepare_one(photo, settings, region):
    """Cuts `region` out of the photo and makes it one input."""
    pixels, covers = resample(photo, settings, region)
    return Prepared(to_tensor(pixels, settings), covers)


def resample(photo, settings, region):
    """The region at the input's size: uint8 [height, width, 3] RGB, and what it covers."""
    width, height = settings["width"], settings["height"]
    method = FILTERS[settings.get("filter", "bilinear")]
    mode = settings.get("resize", "stretch")
    box = to_pixels(region, photo.size)
    if mode == "stretch":
        return np.asarray(photo.resize((width, height), method, box=box)), region
    if mode == "crop":
        box = centre_crop(box, width / height)
        return np.asarray(photo.resize((width, height), method, box=box)), to_fractions(box, photo.size)
    if mode == "letterbox":
        return letterbox(photo, settings, box, method)
    raise ValueError(f"unknown resize mode: {mode}")


def letterbox(photo, settings, box, method):
    """Keeps the aspect ratio: the region is centred (an odd pixel of padding goes right or below)."""
    width, height = settings["width"], settings["height"]
    box_width, box_height = box[2] - box[0], box[3] - box[1]
    scale = min(width / box_width, height / box_height)
    inner_width = min(width, max(1, half_up(box_width * scale)))
    inner_height = min(height, max(1, half_up(box_height * scale)))
    left, top = (width - inner_width) // 2, (height - inner_height) // 2
    pixels = np.full((height, width, 3), settings.get("fill", 114), np.uint8)
    inner = photo.resize((inner_width, inner_height), method, box=box)
    pixels[top : top + inner_height, left : left + inner_width] = np.asarray(inner)
    step_x, step_y = box_width / inner_width, box_height / inner_height
    x0, y0 = box[0] - left * step_x, box[1] - top * step_y
    return pixels, to_fractions((x0, y0, x0 + width * step_x, y0 + height * step_y), photo.size)


def centre_crop(box, aspect):
    """The largest centred part of a pixel box with the given width / height."""
    box_width, box_height = box[2] - box[0], box[3] - box[1]
    width, height = min(box_width, box_height * aspect), min(box_height, box_width / aspect)
    x0, y0 = box[0] + (box_width - width) / 2, box[1] + (box_height - height) / 2
    return (x0, y0, x0 + width, y0 + height)


def to_tensor(pixels, settings):
    """uint8 RGB [h, w, 3] to the layout, channel order and element type of the manifest. `mean` and `std` are in
    the order of the tensor's channels, so `bgr` takes blue first."""
    if settings.get("channels", "rgb") == "bgr":
        pixels = pixels[:, :, ::-1]
    scale = settings.get("scale", 1.0)
    mean = np.asarray(settings.get("mean", [0.0] * 3), np.float64)
    std = np.asarray(settings.get("std", [1.0] * 3), np.float64)
    values = (pixels.astype(np.float64) * scale - mean) / std
    if settings.get("layout", "nchw") == "nchw":
        values = values.transpose(2, 0, 1)
    element = ELEMENTS[settings.get("element", "f32")]
    if element is np.uint8:
        values = np.clip(np.floor(values + 0.5), 0, 255)
    return np.ascontiguousarray(values.astype(element))


def tile_regions(photo_size, spec, region):
    """Cuts a region into tiles with the aspect ratio of the input, row by row.

    `tiles_long_side` tiles, each overlapping the next by `overlap` of its length, span the long side exactly; as
    many as needed span the short side, spread evenly. A tile larger than the short side is cut to it.
    """
    tiling = spec.get("tiling")
    if not tiling:
        return [region]
    x0, y0, x1, y1 = to_pixels(region, photo_size)
    region_width, region_height = x1 - x0, y1 - y0
    aspect = spec["input"]["width"] / spec["input"]["height"]
    count, overlap = tiling["tiles_long_side"], tiling.get("overlap", 0.0)
    long_tile = max(region_width, region_height) / (count - (count - 1) * overlap)
    if region_width >= region_height:
        tile_width, tile_height = long_tile, long_tile / aspect
    else:
        tile_width, tile_height = long_tile * aspect, long_tile
    tile_width, tile_height = min(tile_width, region_width), min(tile_height, region_height)
    boxes = [
        (x0 + dx, y0 + dy, x0 + dx + tile_width, y0 + dy + tile_height)
        for dy in offsets(region_height, tile_height, overlap)
        for dx in offsets(region_width, tile_width, overlap)
    ]
    return [to_fractions(box, photo_size) for box in boxes]


def offsets(side, tile, overlap):
    """Where tiles start along a side: the fewest that overlap by at least `overlap`, evenly spread. A hundredth of
    a step is forgiven, so that tiles that meet exactly do not become one more by rounding."""
    more = max(0, math.ceil((side - tile) / (tile * (1 - overlap)) - 0.01))
    return [index * (side - tile) / more for index in range(more + 1)] if more else [0.0]


def to_pixels(region, size):
    """Fractions to pixels (not rounded), held inside the photo."""
    x0, y0, x1, y1 = (min(1.0, max(0.0, value)) for value in region)
    return (x0 * size[0], y0 * size[1], x1 * size[0], y1 * size[1])


def to_fractions(box, size):
    """Pixels to fractions of the photo."""
    return (box[0] / size[0], box[1] / size[1], box[2] / size[0], box[3] / size[1])
