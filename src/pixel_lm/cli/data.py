"""`pixel-lm data`: annotated data that can be named in place of a folder, and getting them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pixel_lm.cli._shared import print_table
from pixel_lm.errors import UserError

if TYPE_CHECKING:
    from pixel_lm.data.catalogue import Entry


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb and what it can do."""
    parser = subparsers.add_parser(
        "data",
        help="list data sets, get them",
        description="Annotated data that `finetune` and `evaluate` take by name, pinned by address and checksum.",
    )
    actions = parser.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser(
        "list", help="the data sets with their licences; of those that are named, all that is known"
    )
    listing.add_argument("names", nargs="*", metavar="NAME", help="a data set, such as ud-english-ewt")
    listing.add_argument("--json", action="store_true", help="print a JSON list")
    listing.set_defaults(func=run_list)

    get = actions.add_parser(
        "get",
        help="download data sets",
        description="Download data sets into the cache (PIXEL_LM_CACHE), verified; the licence is printed first. Interrupted "
        "downloads go on where they ended.",
    )
    get.add_argument("names", nargs="+", metavar="NAME", help="a data set of `pixel-lm data list`")
    get.add_argument(
        "--from",
        dest="folder",
        type=Path,
        metavar="FOLDER",
        help="take the published files from a folder instead of downloading",
    )
    get.add_argument(
        "--base-url",
        metavar="URL",
        help="download from a mirror, which has the files below the name of their host (default: PIXEL_LM_DATA_URL, or the public "
        "addresses)",
    )
    get.set_defaults(func=run_get)
    for action in (listing, get):
        action.add_argument("--verbose", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run_list(args: argparse.Namespace) -> int:
    """Print the list, or all that is known of some entries."""
    from pixel_lm.data.catalogue import catalogue, get_entry

    entries = list(dict.fromkeys(map(get_entry, args.names))) if args.names else list(catalogue())
    if args.json:
        print(json.dumps([_row(entry) for entry in entries], indent=2, ensure_ascii=False))
    elif args.names:
        for entry in entries:
            _print_entry(entry)
    else:
        _print_list(entries)
    return 0


def _row(entry: Entry) -> dict[str, object]:
    from pixel_lm.data.fetch import data_home, is_present

    return {
        "name": entry.name,
        "title": entry.title,
        "tasks": list(entry.tasks),
        "bytes": entry.size,
        "licence": entry.licence,
        "licence_url": entry.licence_url,
        "open": entry.open,
        "checksums": entry.checksums,
        "folder": str(data_home() / entry.name) if is_present(entry) else None,
        "files": [{"url": file.url, "bytes": file.size, "sha256": file.sha256} for file in entry.files],
        "unavailable": entry.unavailable,
    }


def _print_list(entries: list[Entry]) -> None:
    from pixel_lm.data.fetch import is_present

    table = [("name", "tasks", "MB", "licence", "fetched", "there")]
    for entry in entries:
        size = f"{entry.size / 1e6:,.1f}" if entry.files else ""
        how = "never" if entry.unavailable else "when named" if entry.open else "on request"
        there = "yes" if is_present(entry) else "no"
        table.append((entry.name, " ".join(entry.tasks), size, entry.licence, how, there))
    print_table(table, right=(2,))


def _print_entry(entry: Entry) -> None:
    from pixel_lm.data.fetch import data_home, describe, is_present

    if entry.unavailable:
        print(f"{entry.title}: licence {entry.licence} ({entry.licence_url})\n  cannot be fetched: {entry.unavailable}")
        return
    print(describe(entry))
    for file in entry.files:
        print(f"  {file.url}  {file.size:,} bytes, SHA-256 {file.sha256}")
    if is_present(entry):
        print(f"  in {data_home() / entry.name}")
    elif entry.open:
        print("  not there; fetched when it is named as data")
    else:
        print(f"  not there; `pixel-lm data get {entry.name}` fetches it")


def run_get(args: argparse.Namespace) -> int:
    """Fetch data sets."""
    from pixel_lm.data.catalogue import get_entry
    from pixel_lm.data.fetch import data_home, fetch_with_bar, is_present

    if args.folder and args.base_url:
        raise UserError("--from and --base-url exclude each other")
    if args.folder and not args.folder.is_dir():
        raise UserError(f"{args.folder}: no such folder; --from names a folder with the published files")
    for entry in dict.fromkeys(map(get_entry, args.names)):
        if is_present(entry, verify=True):
            print(
                f"{entry.name} is there, verified: {data_home() / entry.name} (licence {entry.licence}, {entry.licence_url})"
            )
            continue
        folder = fetch_with_bar(entry, lambda text: print(text, flush=True), source=args.folder, base_url=args.base_url)
        names = ", ".join(sorted(path.name for path in folder.iterdir()))
        print(f"{entry.name}: {folder} ({names})")
    return 0
