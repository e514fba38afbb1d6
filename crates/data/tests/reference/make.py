"""Writes the files of this folder with NumPy and Pillow: python make.py

The pickle of Python 2 is written by make_python2.py.
"""

import pickle

import numpy as np
from PIL import Image

numbers = np.arange(6).reshape(2, 3)
for name in ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint32", "uint16", "uint8"]:
    np.save(name + ".npy", (numbers * 1.5 - (0 if name.startswith("u") else 4)).astype(name))
np.save("bool.npy", numbers % 2 == 1)
np.save("big_endian.npy", (numbers / 4).astype(">f8"))
np.save("fortran.npy", np.asfortranarray(np.arange(24).reshape(2, 3, 4)))
np.save("scalar.npy", np.array(2.5))
np.save("empty.npy", np.zeros((0, 3)))
np.save("uint64.npy", numbers.astype("uint64"))
np.save("text.npy", np.array(["a", "bc"]))
np.save("record.npy", np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]))
np.save("half_limits.npy", np.array([0, 6e-8, 1e-5, 65504, -np.inf, np.nan, -0.0], dtype="float16"))
with open("version_2.npy", "wb") as f:
    np.lib.format.write_array(f, np.arange(3.0), version=(2, 0))
np.savez("stored.npz", x=np.arange(3.0), y=numbers)
np.savez_compressed("compressed.npz", x=np.arange(1000) % 7, **{"layer.weight": np.ones((2, 2), "float32")})

pixels = (np.arange(2 * 3072).reshape(2, 3072) * 7 % 251).astype("uint8")
for protocol in [2, 4]:
    batch = {"data": pixels, "fine_labels": [99, 0], "coarse_labels": [19, 3], "filenames": ["a.png", "b.png"]}
    with open("cifar100_protocol%d.pickle" % protocol, "wb") as f:
        pickle.dump(batch, f, protocol=protocol)

rgb = np.zeros((10, 14, 3), "uint8")
rgb[..., 0] = np.arange(14) * 18
rgb[..., 1] = np.arange(10)[:, None] * 25
rgb[..., 2] = 99
picture = Image.fromarray(rgb)
picture.save("rgb.png")
picture.convert("L").save("gray.png")
picture.convert("RGBA").save("rgba.png")
picture.quantize(16).save("palette.png")
picture.save("photo.jpg", quality=90)
exif = Image.Exif()
exif[0x0112] = 6  # turned by 90 degrees to the right
picture.save("turned.jpg", quality=90, exif=exif)
with open("pillow.txt", "w") as f:
    gray = np.asarray(picture.convert("L"))
    photo = np.asarray(Image.open("photo.jpg").convert("RGB"))
    small = np.asarray(picture.resize((7, 5), Image.BILINEAR))
    for values in [gray, photo, small]:
        f.write(" ".join(str(x) for x in values.flatten()) + "\n")
