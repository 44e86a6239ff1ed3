"""The command `pixel-lm`: one file per verb, each with `add_parser(subparsers)`; see `main`."""
