"""`python -m pixel_lm` is the command `pixel-lm`."""

from pixel_lm.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
