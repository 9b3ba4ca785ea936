"""`python -m dcron_standalone`: the `dcron` command."""

from dcron_standalone.cli import main

main()
