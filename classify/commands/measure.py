"""`darkmatter measure`: the shape catalogue of each image."""

import argparse
from pathlib import Path

from classify.commands import (
    add_dask,
    add_example,
    add_jobs,
    add_part,
    check_file,
    check_folder,
    defaults,
    print_line,
    report_failures,
)
from classify.commands.compilation import MEASURING_NOISE
from classify.commands.downloads import IMAGES_HELP, local_images, local_option
from classify.commands.progress import Progress
from darkmatter_features.io.image_paths import find_skies
from darkmatter_features.io.planes import WEIGHT_TYPES
from darkmatter_features.shape_catalogs.batch import Planes, measure_images
from darkmatter_features.shape_catalogs.table import WRITERS

OUT = Path("shapes.parquet")
OUT_FOLDER = Path("shapes")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("images", nargs="+", metavar="IMAGE", help=IMAGES_HELP)
    parser.add_argument(
        "--out", type=Path, metavar="F|DIR",
        help=f"catalogue of one image ({', '.join(WRITERS)}; default {OUT}), or folder of those of several "
        f"(default {OUT_FOLDER})",
    )  # fmt: skip
    parser.add_argument("--weight", metavar="W", help="weight or noise map of the image, if it is not in its file")
    parser.add_argument(
        "--weight-type", choices=WEIGHT_TYPES,
        help="content of --weight: (inverse variance) weights, variances, standard deviations (default: by its name)",
    )  # fmt: skip
    parser.add_argument("--mask", metavar="M", help="mask of the image: pixels that are not 0 are left out")
    parser.add_argument(
        "--psf", metavar="P", help="PSF: a FITS image, or a model of PSFEx (default: of the image's stars)"
    )
    parser.add_argument(
        "--band", type=int, metavar="N",
        help="band of a cube or of a colour image, 1 for the first (default: the mean of those of a cube, weighted by "
        "their noise)",
    )  # fmt: skip
    parser.add_argument(
        "--diagnostics", type=Path, metavar="DIR", help="folder for a table of the stars and a figure of the PSF"
    )
    add_part(parser)
    add_jobs(parser, defaults(measure_images)["n_jobs"])
    add_dask(parser)
    add_example(
        parser,
        "darkmatter measure field.fits --weight field.weight.fits --out shapes.parquet",
        "darkmatter measure 'fields/*.fits' --out shapes --diagnostics checks",
    )


def run(args: argparse.Namespace) -> int:
    """Measure the images."""
    images = find_skies(local_images(args.images), part=args.hdu)
    out = args.out or (OUT if len(images) == 1 else OUT_FOLDER)
    check_file(out) if out.suffix else check_folder(out)
    check_folder(args.diagnostics or out.parent)
    files = {name: local_option(getattr(args, name)) for name in ("weight", "mask", "psf")}
    planes = Planes(**files, weight_type=args.weight_type, band=args.band)
    done = measure_images(
        images,
        out,
        planes=planes,
        diagnostics=args.diagnostics,
        n_jobs=args.jobs,
        dask=args.dask,
        progress=Progress("measure", unit="images", notice=MEASURING_NOISE.notice),
        debug=args.debug,
    )
    for each in done:
        if not each.error:
            print_line(f"{each.image} -> {each.catalog}")
            for line in each.lines:
                print_line(f"  {line}")
    failures = [(each.image, each.error) for each in done if each.error]
    return report_failures(failures, len(done) - len(failures))
