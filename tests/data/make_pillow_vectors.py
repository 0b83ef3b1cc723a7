#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# Writes what the tests of data/ compare with: pictures of every kind and what Pillow makes of them (fixtures/images), and CRCs of
# Pillow's resizing and of timm's crops (pillow_resize_vectors.hpp). Needs Pillow 9.4 and numpy; the tests do not.
# Run it from any folder: python3 make_pillow_vectors.py
import io
import math
import pathlib
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps

warnings.simplefilter("ignore")
HERE = pathlib.Path(__file__).resolve().parent
IMAGES = HERE.parent / "fixtures" / "images"


def noise(count):
    """The generator that resize_test.cpp has, too: byte i is the high byte of (i + 1) times the golden ratio."""
    i = np.arange(1, count + 1, dtype=np.uint64)
    return ((i * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(56)).astype(np.uint8)


def picture(width, height, bands=3):
    """Smooth with an edge and some noise: what a camera sees."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    out = np.zeros((height, width, bands))
    for c in range(bands):
        out[..., c] = 127 + 90 * np.sin(x / (5 + c) + c) * np.cos(y / (7 - c)) + 30 * ((x + 2 * y) % 19 > 9)
    out += noise(out.size).reshape(out.shape) / 16
    out = out.clip(0, 255).astype(np.uint8)
    return out[..., 0] if bands == 1 else out


# PNG by hand, because Pillow does not write every kind

def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def packed(samples, depth):
    """One row of samples as bytes."""
    if depth == 16:
        return samples.astype(">u2").tobytes()
    if depth == 8:
        return samples.astype(np.uint8).tobytes()
    bits = "".join(format(int(s), "0%db" % depth) for s in samples)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def png(samples, depth, colour, extra=b"", interlaced=False):
    """samples: (height, width, samples per pixel)."""
    height, width = samples.shape[:2]
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b""
    for left, top, across, down in passes:
        part = samples[top::down, left::across]
        if part.size:
            raw += b"".join(b"\0" + packed(row.reshape(-1), depth) for row in part)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def samples(width, height, per_pixel, depth):
    values = noise(width * height * per_pixel * 2).astype(np.uint32)
    values = (values[::2] << 8 | values[1::2]) >> (16 - depth)
    return values.reshape(height, width, per_pixel)


def png_files():
    colours = {"grey": 0, "rgb": 2, "palette": 3, "grey_alpha": 4, "rgb_alpha": 6}
    per_pixel = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    depths = {"grey": (1, 2, 4, 8, 16), "rgb": (8, 16), "palette": (1, 2, 4, 8), "grey_alpha": (8, 16), "rgb_alpha": (8, 16)}
    for name, colour in colours.items():
        for depth in depths[name]:
            palette = chunk(b"PLTE", bytes(noise(3 << min(depth, 6)))) if colour == 3 else b""
            data = samples(13, 5, per_pixel[colour], depth)
            if colour == 3:
                data = data % 64  # as many entries as an 8-bit palette has
            yield "%s%d.png" % (name, depth), png(data, depth, colour, palette)
            yield "%s%d_interlaced.png" % (name, depth), png(data, depth, colour, palette, interlaced=True)
    for width, height in ((1, 1), (2, 9), (9, 2), (33, 17)):
        yield "interlaced_%dx%d.png" % (width, height), png(samples(width, height, 3, 8), 8, 2, interlaced=True)
    few = samples(13, 5, 1, 16) // 2000  # 0 to 32768 over 2000
    yield "grey16_dark.png", png(few * 9, 16, 0)  # Pillow cuts 16-bit grey off at 255
    short = chunk(b"PLTE", bytes(noise(9)))
    yield "palette8_short.png", png(samples(13, 5, 1, 8), 8, 3, short)
    yield "palette4_short.png", png(samples(13, 5, 1, 4), 4, 3, short)
    yield "palette8_transparent.png", png(samples(13, 5, 1, 8) % 3, 8, 3, short + chunk(b"tRNS", b"\0\x80"))
    yield "grey8_transparent.png", png(samples(13, 5, 1, 8), 8, 0, chunk(b"tRNS", b"\0\x40"))
    yield "grey16_transparent.png", png(samples(13, 5, 1, 16), 16, 0, chunk(b"tRNS", b"\x12\x34"))
    yield "rgb8_transparent.png", png(samples(13, 5, 3, 8), 8, 2, chunk(b"tRNS", b"\0\x40\0\x40\0\x40"))
    yield "rgb8_gamma.png", png(samples(13, 5, 3, 8), 8, 2, chunk(b"gAMA", struct.pack(">I", 100000)))
    yield "rgb8_suggested_palette.png", png(samples(13, 5, 3, 8), 8, 2, short)
    file = io.BytesIO()
    Image.fromarray(picture(40, 30)).save(file, "PNG")  # filters of every kind
    yield "rgb8_filters.png", file.getvalue()


# BMP by hand

def bmp(width, height, bits, rows, palette=b"", compression=0, kind=40, masks=b"", colours=0):
    body = struct.pack("<IHHHH", 12, width, abs(height), 1, bits)
    if kind > 12:
        body = struct.pack("<IiiHHIIiiII", kind, width, height, 1, bits, compression, 0, 0, 0, colours, 0)
    body += masks
    body = body.ljust(kind, b"\0") + palette
    return b"BM" + struct.pack("<IHHI", 14 + len(body) + len(rows), 0, 0, 14 + len(body)) + body + rows


def bmp_files():
    def rows(stride, count=4):
        return bytes(noise(stride * count))
    entries = bytes(noise(1024))
    yield "bmp1.bmp", bmp(11, 4, 1, rows(4), entries[:8])
    yield "bmp4.bmp", bmp(11, 4, 4, rows(8), entries[:64])
    yield "bmp8.bmp", bmp(11, 4, 8, rows(12), entries)
    yield "bmp8_few.bmp", bmp(11, 4, 8, rows(12), entries[:20], colours=5)
    yield "bmp8_os2.bmp", bmp(11, 4, 8, rows(12), entries[:768], kind=12)
    yield "bmp16.bmp", bmp(11, 4, 16, rows(24))
    yield "bmp16_555.bmp", bmp(11, 4, 16, rows(24), compression=3, masks=struct.pack("<3I", 0x7C00, 0x3E0, 0x1F))
    yield "bmp16_565.bmp", bmp(11, 4, 16, rows(24), compression=3, masks=struct.pack("<3I", 0xF800, 0x7E0, 0x1F))
    yield "bmp24.bmp", bmp(11, 4, 24, rows(36))
    yield "bmp24_top_first.bmp", bmp(11, -4, 24, rows(36))
    yield "bmp24_os2.bmp", bmp(11, 4, 24, rows(36), kind=12)
    yield "bmp32.bmp", bmp(11, 4, 32, rows(44))
    yield "bmp32_masks.bmp", bmp(11, 4, 32, rows(44), compression=3, masks=struct.pack("<3I", 0xFF000000, 0xFF0000, 0xFF00))
    rgba = struct.pack("<4I", 0xFF, 0xFF00, 0xFF0000, 0xFF000000)
    yield "bmp32_v4.bmp", bmp(11, 4, 32, rows(44), compression=3, kind=108, masks=rgba)
    yield "bmp32_v5.bmp", bmp(11, 4, 32, rows(44), compression=3, kind=124, masks=struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000))


# JPEG

def jpeg(pixels, mode=None, **options):
    file = io.BytesIO()
    Image.fromarray(pixels, mode).save(file, "JPEG", **options)
    return file.getvalue()


def without_marker(data, marker):
    """The same JPEG without the first segment of a kind."""
    at = data.index(bytes((0xFF, marker)))
    return data[:at] + data[at + 2 + struct.unpack(">H", data[at + 2:at + 4])[0]:]


ADOBE = b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0"


def exif(orientation, order="<", kind=3):
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *((orientation, 0) if kind == 3 else (orientation,)))
    entry = struct.pack(order + "HHI", 0x0112, kind, 1) + value
    other = struct.pack(order + "HHI", 0x0100, 4, 1) + struct.pack(order + "I", 6)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    return head + struct.pack(order + "H", 2) + other + entry + struct.pack(order + "I", 0)


def jpeg_files():
    yield "jpeg_grey.jpg", jpeg(picture(37, 21, 1), quality=90)
    yield "jpeg_444.jpg", jpeg(picture(37, 21), quality=90, subsampling=0)
    yield "jpeg_422.jpg", jpeg(picture(37, 21), quality=85, subsampling=1)
    yield "jpeg_420.jpg", jpeg(picture(37, 21), quality=75, subsampling=2)
    yield "jpeg_progressive.jpg", jpeg(picture(37, 21), quality=75, progressive=True)
    yield "jpeg_large.jpg", jpeg(picture(131, 77), quality=60)
    rgb = without_marker(jpeg(picture(37, 21), quality=90, subsampling=0), 0xE0)
    yield "jpeg_rgb.jpg", rgb[:2] + ADOBE + b"\0" + rgb[2:]  # no YCbCr: the marker says so
    cmyk = jpeg(picture(37, 21, 4), "CMYK", quality=90)
    yield "jpeg_cmyk.jpg", cmyk
    yield "jpeg_cmyk_no_marker.jpg", without_marker(cmyk, 0xEE)
    yield "jpeg_ycck.jpg", (lambda plain: plain[:2] + ADOBE + b"\2" + plain[2:])(without_marker(cmyk, 0xEE))
    for orientation in range(1, 9):
        yield "orientation_%d.jpg" % orientation, jpeg(picture(11, 6), quality=90, subsampling=0, exif=b"Exif\0\0" + exif(orientation))
    yield "orientation_big_endian.jpg", jpeg(picture(11, 6), quality=90, subsampling=0, exif=b"Exif\0\0" + exif(6, ">"))
    yield "orientation_long.jpg", jpeg(picture(11, 6), quality=90, subsampling=0, exif=b"Exif\0\0" + exif(5, "<", 4))
    yield "orientation_6.png", png(samples(13, 5, 3, 8), 8, 2, chunk(b"eXIf", exif(6)))
    yield "orientation_9.png", png(samples(13, 5, 3, 8), 8, 2, chunk(b"eXIf", exif(9)))


def write_images():
    IMAGES.mkdir(parents=True, exist_ok=True)
    for old in IMAGES.iterdir():
        old.unlink()
    lines = []
    for files in (png_files(), bmp_files(), jpeg_files()):
        for name, data in files:
            (IMAGES / name).write_bytes(data)
            image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)).convert("RGB"))
            lines.append("%s %d %d %08x" % (name, *image.size, zlib.crc32(image.tobytes())))
    (IMAGES / "pillow.txt").write_text("\n".join(lines) + "\n")


# Resizing and crops

def sizes(k):
    x = (k + 1) * 0x9E3779B97F4A7C15 % 2**64
    return [1 + (x >> shift & 0xFFFF) % 160 for shift in (48, 32, 16, 0)]


def resized(k, kind):
    width, height, to_width, to_height = sizes(k)
    image = Image.fromarray(noise(width * height * 3).reshape(height, width, 3))
    return zlib.crc32(image.resize((to_width, to_height), kind).tobytes())


def centre(image, side):
    """torchvision's center_crop of an image that is large enough."""
    left, top = (int(round((n - side) / 2.0)) for n in image.size)
    return image.crop((left, top, left + side, top + side))


def evaluation_crop(image, side, mode, crop_pct, kind, mean):
    """What timm's transforms_imagenet_eval does."""
    scale = math.floor(side / crop_pct)
    width, height = image.size
    if mode == "squash":
        return centre(image.resize((scale, scale), kind), side)
    if mode == "center":
        longer = int(scale * max(width, height) / min(width, height))
        return centre(image.resize((scale, longer) if width <= height else (longer, scale), kind), side)
    ratio = max(height / scale, width / scale)
    image = image.resize((round(width / ratio), round(height / ratio)), kind)
    missing = [max(side - n, 0) for n in image.size]
    border = (missing[0] // 2, missing[1] // 2, (missing[0] + 1) // 2, (missing[1] + 1) // 2)
    return centre(ImageOps.expand(image, border, tuple(round(255 * m) for m in mean)), side)


CROPS = [(mode, width, height, side, pct, kind)
         for mode in ("center", "squash", "border")
         for width, height in ((120, 80), (61, 97), (33, 33), (200, 7), (5, 48))
         for side, pct, kind in ((32, 0.875, "bicubic"), (31, 0.9, "bilinear"), (48, 1.0, "bicubic"), (24, 0.6, "bicubic"))]


def write_vectors():
    names = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
    out = ["// SPDX-License-Identifier: MIT",
           "// Written by make_pillow_vectors.py: CRC-32 of Pillow 9.4's Image.resize for 1024 pairs of sizes, and of timm's evaluation crops.",
           "#pragma once", "", "#include <cstdint>", ""]
    for kind in ("bicubic", "bilinear"):
        out.append("inline constexpr std::uint32_t pillow_resized_%s[1024] = {" % kind)
        crcs = ["0x%08X" % resized(k, names[kind]) for k in range(1024)]
        out += ["    " + ", ".join(crcs[i:i + 10]) + "," for i in range(0, 1024, 10)]
        out += ["};", ""]
    out += ["struct CropCase {", "  int mode, width, height, side;  // mode: 0 center, 1 squash, 2 border", "  float crop_pct;", "  bool bicubic;", "  std::uint32_t crc;", "};", "",
            "inline constexpr CropCase timm_crops[] = {"]
    for mode, width, height, side, pct, kind in CROPS:
        image = Image.fromarray(noise(width * height * 3).reshape(height, width, 3))
        crop = evaluation_crop(image, side, mode, pct, names[kind], (0.485, 0.456, 0.406))
        out.append("    {%d, %d, %d, %d, %sf, %s, 0x%08X}," % (("center", "squash", "border").index(mode), width, height, side, pct,
                                                         "true" if kind == "bicubic" else "false", zlib.crc32(crop.tobytes())))
    out += ["};"]
    (HERE / "pillow_resize_vectors.hpp").write_text("\n".join(out) + "\n")


write_images()
write_vectors()
