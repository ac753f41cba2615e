"""Packages that only some of what is offered here needs: where one is missing, all else works."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from contextlib import contextmanager


class MissingPackage(ImportError):
    """A package that is needed cannot be imported; the message has the line that installs it."""


@contextmanager
def needs(package: str, what: str) -> Iterator[None]:
    """Around what imports a package, or as a decorator.

    Parameters:
        package: the name that it is installed by.
        what: what needs it, the subject of the sentence.

    Raises:
        MissingPackage: it is not installed, or another version than is needed.
    """
    try:
        yield
    except ImportError as error:
        raise MissingPackage(_sentence(package, what, error)) from error


def _sentence(package: str, what: str, error: ImportError) -> str:
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return f"{what} needs {package}, which is not installed: pip install {package}"
    return f"{what} cannot use {package} {version} ({error}): pip install '{_requirement(package)}'"


def _requirement(package: str) -> str:
    """The package with the versions of it that fit, as this package's own metadata has them."""
    for line in importlib.metadata.requires("cnnwidgets") or []:
        name, versions = re.match(r"([\w.-]+)\s*\(?([^;)]*)", line).groups()  # type: ignore[union-attr]
        if name.lower() == package.lower():
            return f"{package}{versions.strip()}"
    return package
