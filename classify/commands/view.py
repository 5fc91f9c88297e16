"""`darkmatter view`."""

import argparse
import sys
from http.server import ThreadingHTTPServer
from pathlib import Path

from classify.cli import DONE
from classify.commands import RUN, add_cnn, add_example, add_part, as_place, defaults, print_line
from classify.commands.compilation import MEASURING
from classify.commands.downloads import IMAGES_HELP, local_data, local_images
from classify.model.bundle import BUNDLE
from classify.report.server import LOOPBACK, Site, check_address, make_server
from classify.report.view import site_of_run, site_of_skies
from darkmatter_features.errors import ConfigError

PORT = 8642
"""Default port: fixed, so that the address of a view holds another time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "places", type=as_place, nargs="*", default=[RUN], metavar="RUN|SKY",
        help=f"folder of a run, for its validation skies; or {IMAGES_HELP} ({RUN})",
    )  # fmt: skip
    parser.add_argument(
        "--run", type=Path, dest="model", metavar="RUN", help=f"run that judges the images ({RUN} if it exists)"
    )
    parser.add_argument("--data", type=as_place, help="data set of the run, where it has moved (that of the training)")
    parser.add_argument("--port", type=int, default=PORT, metavar="N", help="port; 0 for any free one (%(default)s)")
    parser.add_argument(
        "--host", default=LOOPBACK, metavar="ADDRESS",
        help="address to serve at; any but the default lets other machines see the images (%(default)s)",
    )  # fmt: skip
    add_part(parser)
    add_cnn(parser, None, shown=defaults(site_of_skies)["cnn"])
    add_example(parser, "darkmatter view runs/default", "darkmatter view 'survey/*.fits' --run runs/default")


def run(args: argparse.Namespace) -> int:
    """Serve the page until the user interrupts it."""
    check_address(args.host, args.port)
    server = make_server(_site(args), host=args.host, port=args.port)
    with server:
        print_line(f"{address_of(server)} (Ctrl+C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print_line("ended")
    return DONE


def address_of(server: ThreadingHTTPServer) -> str:
    """Return the address of a server for a browser."""
    host, port = server.server_address[:2]
    name = f"[{host!s}]" if ":" in str(host) else host
    return f"http://{name!s}:{port}/"


def _site(args: argparse.Namespace) -> Site:
    is_run = [(Path(place) / BUNDLE).is_dir() or place == RUN for place in args.places]
    if any(is_run):
        if len(args.places) > 1 or args.model is not None:
            raise ConfigError("give one run alone, or images, with --run RUN for their verdicts")
        _refuse(args, "is for images, and these are the validation skies of a run", cnn="--cnn", hdu="--hdu")
        return site_of_run(args.places[0], data=None if args.data is None else local_data(args.data))
    _refuse(args, "is the data set of a run, and these are images; name the run alone", data="--data")
    chosen = args.model or (RUN if (RUN / BUNDLE).is_dir() else None)
    if chosen is None:
        _refuse(args, "needs a run; add --run RUN", cnn="--cnn")
    if (notice := MEASURING.notice()) is not None:
        sys.stderr.write(notice + "\n")
    images = local_images(args.places)
    return site_of_skies(images, chosen, cnn=args.cnn or defaults(site_of_skies)["cnn"], part=args.hdu)


def _refuse(args: argparse.Namespace, reason: str, **flags: str) -> None:
    """Raise an error for the first flag that was given and has no effect."""
    for name, flag in flags.items():
        if getattr(args, name) is not None:
            raise ConfigError(f"{flag} {reason}, or leave {flag} out")
