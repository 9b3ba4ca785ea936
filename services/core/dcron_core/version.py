"""The version of dcron that runs."""

from importlib.metadata import version

VERSION = version("dcron")
