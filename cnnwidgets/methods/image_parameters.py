"""What an ascent changes of a picture: its pixels, its Fourier coefficients, or only the phases of these.

The steepest way up depends on it: among Fourier coefficients that are scaled by 1/f, a step changes coarse and fine patterns
alike, as natural pictures have them, where a step among pixels is mostly noise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor

NOISE = 0.2
"""Standard deviation of the scaled coefficients that a picture of noise begins with.

Lucid's 0.01 is nearly gray, for which the ReLUs of half of a small network's units are closed: nothing leads up from there.
"""

DARKEST = 0.002
"""The sigmoid reaches neither 0 nor 1: a picture that is written is kept so far from them."""

COLORS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
"""Root of the covariance of ImageNet's colors, from Lucid: its columns are light, orange to blue, and green to magenta."""


class ImageParameters(ABC):
    """N pictures (N, C, height, width), from 0 (black) to 1 (white), and the numbers they are made of.

    Parameters:
        pictures: to begin with.

    Attributes:
        values: the numbers that an ascent changes: N rows of them, that autograd follows.
    """

    values: Tensor

    def __init__(self, pictures: Tensor):
        self.write(pictures)

    @abstractmethod
    def pictures(self) -> Tensor:
        """The pictures, differentiable with respect to the values."""

    @abstractmethod
    def write(self, pictures: Tensor) -> None:
        """Take the values of other pictures, as nearly as there are some."""

    def step(self, change: Tensor) -> None:
        """Change the values by so much, as far as what they make stays a picture."""
        with torch.no_grad():
            self.values += change

    @staticmethod
    @abstractmethod
    def noise(shape: tuple[int, int, int, int], draw: Generator) -> Tensor:
        """Pictures to begin with, around gray."""


class Pixels(ImageParameters):
    """The pixels themselves; after a step they are cut off at black and white."""

    def pictures(self) -> Tensor:
        return self.values

    def write(self, pictures: Tensor) -> None:
        self.values = pictures.clamp(0, 1).requires_grad_()

    def step(self, change: Tensor) -> None:
        with torch.no_grad():
            self.values.add_(change).clamp_(0, 1)

    @staticmethod
    def noise(shape: tuple[int, int, int, int], draw: Generator) -> Tensor:
        return (0.5 + 0.1 * torch.randn(shape, generator=draw)).clamp(0, 1)


class Fourier(ImageParameters):
    """Coefficients of the decorrelated colors, scaled by 1/f; a sigmoid of what they make is the picture.

    Olah, Mordvintsev and Schubert, Feature Visualization (Distill 2017), after the Lucid library.

    Attributes:
        values: (N, C, height, width // 2 + 1, 2), real and imaginary parts.
    """

    def pictures(self) -> Tensor:
        return _picture(torch.view_as_complex(self.values) * _falloff(self._size).to(self.values), self._size)

    def write(self, pictures: Tensor) -> None:
        self._size = pictures.shape[2], pictures.shape[3]
        scaled = _spectrum(pictures) / _falloff(self._size).to(pictures)
        self.values = torch.view_as_real(scaled).contiguous().requires_grad_()

    @staticmethod
    def noise(shape: tuple[int, int, int, int], draw: Generator) -> Tensor:
        size = shape[2], shape[3]
        parts = NOISE * torch.randn(*shape[:3], shape[3] // 2 + 1, 2, generator=draw)
        return _picture(torch.view_as_complex(parts) * _falloff(size), size)


class FixedMagnitudes(ImageParameters):
    """The phases alone: how strong each frequency is stays as it was in the picture that an ascent begins with.

    MACO: Fel et al., Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained Optimization (NeurIPS
    2023). They take the mean magnitudes of ImageNet; noise has those that natural pictures have on average, which fall with
    1/f (Field, 1987).

    Attributes:
        values: (N, C, height, width // 2 + 1), what is added to the first phases, in radians. Of a frequency that is its own
            opposite, the mean say, the phase cannot change.
        magnitudes: (N, C, height, width // 2 + 1), of the decorrelated colors before the sigmoid.
    """

    def __init__(self, pictures: Tensor):
        self._size = pictures.shape[2], pictures.shape[3]
        self.magnitudes = _spectrum(pictures).abs()
        varies = self.magnitudes.clone()
        varies[..., 0, 0] = 0
        if not (varies.amax((1, 2, 3)) > 1e-3).all():
            raise ValueError("a picture of one color has no magnitudes to keep; expected to start from noise or a picture")
        super().__init__(pictures)

    def pictures(self) -> Tensor:
        return _picture(torch.polar(self.magnitudes, self._phases + _odd(self.values, self._size[1])), self._size)

    def write(self, pictures: Tensor) -> None:
        self._phases = _spectrum(pictures).angle()
        self.values = torch.zeros_like(self._phases).requires_grad_()

    @staticmethod
    def noise(shape: tuple[int, int, int, int], draw: Generator) -> Tensor:
        size = shape[2], shape[3]
        phases = torch.fft.rfft2(torch.randn(shape, generator=draw)).angle()
        magnitudes = _falloff(size).expand_as(phases).clone()
        magnitudes[..., 0, 0] = 0
        waves = torch.fft.irfft2(torch.polar(magnitudes, phases), size, norm="ortho")
        return _sigmoid(waves / waves.std((2, 3), keepdim=True))


IMAGES: dict[str, type[ImageParameters]] = {"pixels": Pixels, "fourier": Fourier, "maco": FixedMagnitudes}
"""By the names that ``image=`` takes."""


def _picture(spectrum: Tensor, size: tuple[int, int]) -> Tensor:
    return _sigmoid(torch.fft.irfft2(spectrum, size, norm="ortho"))


def _spectrum(pictures: Tensor) -> Tensor:
    """What :func:`_picture` undoes."""
    logits = torch.logit(pictures.clamp(DARKEST, 1 - DARKEST))
    return torch.fft.rfft2(_mixed(logits, _colors().inverse()), norm="ortho")


def _sigmoid(waves: Tensor) -> Tensor:
    return torch.sigmoid(_mixed(waves, _colors()))


def _colors() -> Tensor:
    """From decorrelated colors to red, green and blue; light counts most: its column has the length 1."""
    return COLORS / COLORS.norm(dim=0).max()


def _mixed(planes: Tensor, matrix: Tensor) -> Tensor:
    """Each pixel times a matrix, of pictures in three colors; others stay as they are."""
    return torch.einsum("ij,njhw->nihw", matrix.to(planes), planes) if planes.shape[1] == 3 else planes


def _falloff(size: tuple[int, int]) -> Tensor:
    """(height, width // 2 + 1): 1/f, with f in periods a pixel; of the mean that of one period a picture."""
    height, width = size
    frequencies = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width))
    return 1 / frequencies.clamp(min=1 / max(size))


def _odd(phases: Tensor, width: int) -> Tensor:
    """The phases as a real picture has them, opposite at opposite frequencies: those of two columns have theirs in them."""
    own = [0, width // 2] if width % 2 == 0 else [0]
    columns = phases[..., own]
    opposite = columns.flip(-2).roll(1, -2)
    return phases.index_copy(-1, torch.tensor(own, device=phases.device), (columns - opposite) / 2)
