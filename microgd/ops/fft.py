"""Discrete Fourier transforms.

A transform cuts or zero-pads its input to ``n`` entries and multiplies by the Fourier matrix, which is symmetric: its
transpose is the same transform, cut or padded back. Between real and complex numbers each of half the frequencies
stands for two, so there the transpose counts them once or twice. Transforms along several axes are taken one by one.
"""

from typing import Any

import numpy as np

from microgd.core.primitive import composed, linear
from microgd.ops.index import scatter
from microgd.ops.shape import at


def resized(g: Any, shape: Any, axis: int) -> Any:
    """Cut, or pad with zeros, to the length that ``shape`` has along ``axis``."""
    part = at(slice(0, min(shape[axis], g.shape[axis])), axis, g.ndim)
    return g[part] if shape[axis] <= g.shape[axis] else scatter(g, part, shape)


def weighted(g: Any, n: int, axis: int, weight: float) -> Any:
    """Half the spectrum of a signal of length n, with ``weight`` on every frequency that stands for two."""
    k = np.arange(g.shape[axis]).reshape([-1, *[1] * (g.ndim - 1 - axis % g.ndim)])
    return np.where((k > 0) & (2 * k != n), g * weight, g)


linear(
    np.fft.fft,
    lambda g, x_shape, axis, norm: resized(np.fft.fft(g, None, axis, norm), x_shape, axis),
    signature="a, n=None, axis=-1, norm=None",
)
linear(
    np.fft.ifft,
    lambda g, x_shape, axis, norm: resized(np.fft.ifft(g, None, axis, norm), x_shape, axis),
    signature="a, n=None, axis=-1, norm=None",
)


def rfft_rule(g: Any, x_shape: Any, n: Any, axis: int, norm: Any) -> Any:
    """Half the frequencies were dropped, which for a real signal are the conjugates of the others."""
    n = x_shape[axis] if n is None else n
    return resized(np.fft.hfft(weighted(g, n, axis, 0.5), n, axis, norm), x_shape, axis)


def irfft_rule(g: Any, x_shape: Any, axis: int, norm: Any) -> Any:
    """Half the frequencies were filled in as conjugates of the others."""
    return resized(weighted(np.fft.ihfft(g, None, axis, norm), g.shape[axis], axis, 2), x_shape, axis)


linear(np.fft.rfft, rfft_rule, signature="a, n=None, axis=-1, norm=None")
linear(np.fft.irfft, irfft_rule, signature="a, n=None, axis=-1, norm=None")

# A Hermitian signal is a real spectrum: the same two transforms with the sides, and so the scaling, exchanged.
OTHER_SIDE: dict[Any, Any] = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}
composed(np.fft.hfft, lambda a, n=None, axis=-1, norm=None: np.fft.irfft(np.conj(a), n, axis, OTHER_SIDE[norm]))
composed(np.fft.ihfft, lambda a, n=None, axis=-1, norm=None: np.conj(np.fft.rfft(a, n, axis, OTHER_SIDE[norm])))


def steps(a: Any, s: Any, axes: Any) -> list[tuple[int | None, int]]:
    """One (length, axis) per transform; an axis without a length keeps its own."""
    if axes is None:
        axes = range(-a.ndim if s is None else -len(s), 0)
    if s is None:
        return [(None, axis) for axis in axes]
    return [(a.shape[axis] if n == -1 else n, axis) for n, axis in zip(s, axes, strict=True)]


def fftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    for n, axis in reversed(steps(a, s, axes)):
        a = np.fft.fft(a, n, axis, norm)
    return a


def ifftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    for n, axis in reversed(steps(a, s, axes)):
        a = np.fft.ifft(a, n, axis, norm)
    return a


def rfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    *others, (n, axis) = steps(a, s, axes)
    spectrum = np.fft.rfft(a, n, axis, norm)
    for n, axis in reversed(others):  # an axis that comes twice is filled up to the length of the signal
        spectrum = np.fft.fft(spectrum, a.shape[axis] if n is None else n, axis, norm)
    return spectrum


def irfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    *others, (n, axis) = steps(a, s, axes)
    for length, other in others:
        a = np.fft.ifft(a, length, other, norm)
    return np.fft.irfft(a, n, axis, norm)


composed(np.fft.fftn, fftn)
composed(np.fft.ifftn, ifftn)
composed(np.fft.rfftn, rfftn)
composed(np.fft.irfftn, irfftn)
composed(np.fft.fft2, lambda a, s=None, axes=(-2, -1), norm=None: fftn(a, s, axes, norm))
composed(np.fft.ifft2, lambda a, s=None, axes=(-2, -1), norm=None: ifftn(a, s, axes, norm))
composed(np.fft.rfft2, lambda a, s=None, axes=(-2, -1), norm=None: rfftn(a, s, axes, norm))
composed(np.fft.irfft2, lambda a, s=None, axes=(-2, -1), norm=None: irfftn(a, s, axes, norm))


def shifted(x: Any, axes: Any, sign: int) -> Any:
    """Half of the entries moved from one end of each axis to the other."""
    axes = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    return np.roll(x, [sign * (x.shape[axis] // 2) for axis in axes], axes)


composed(np.fft.fftshift, lambda x, axes=None: shifted(x, axes, 1))
composed(np.fft.ifftshift, lambda x, axes=None: shifted(x, axes, -1))
