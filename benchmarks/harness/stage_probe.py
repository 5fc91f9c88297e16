"""Time the stages of whichever version of darkmatter is importable; `harness.versions` starts one for each version.

    python harness/stage_probe.py IMAGE TEMPLATE N_CALLS

The first line of output is JSON with the path of the package and the feature row of the image. After that, each line on
standard input causes a line of JSON: the shortest processor time of each stage in N_CALLS calls, milliseconds.
No other module of `benchmarks` is imported, so that the package under test is the only difference.
"""

import inspect
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import darkmatter_features

PACKAGE = Path(darkmatter_features.__file__).parent
MODULES = {
    "read_sky": ("io.sky", "sky"),
    "segment": ("galaxies.segmentation", "segmentation"),
    "measure_shapes": ("galaxies.shapes", "shapes"),
    "shear_maps": ("maps.shear", "shear"),
    "lens_evidence": ("lens.evidence", "evidence"),
    "feature_row": ("features.statistics", "statistics"),
    "extract_sky": ("features.extract", "extract"),
    "LensTemplate": ("lens.template", "template"),
    "PreparedCatalog": ("lens.prepared",),
    "CompiledTemplate": ("lens.compiled",),
}
"""From a name to the modules that may define it, below `darkmatter_features`: the newest layout first."""

OLD_KEYS = {
    "fill_factor_edges": "compactness_edges",
    "shear_profile": "shear",
    "amplitude_exponent": "growth",
    "size_edges": "count_edges",
    "size_fractions": "class_fractions",
}
"""From a key of a template's JSON to the key in the layout before it."""


def find(name: str) -> Any:
    """Return the function or class of a name in this version, or None.

    Modules are looked up as files: where the package is also installed in editable mode, an import would take modules
    that this version lacks from there.
    """
    for module in MODULES[name]:
        if PACKAGE.joinpath(*module.split(".")).with_suffix(".py").exists():
            return getattr(import_module(f"darkmatter_features.{module}"), name)
    return None


def read_template(path: Path) -> Any:
    """Return the template of a JSON file, whichever version wrote it."""
    values = json.loads(path.read_text(encoding="utf-8"))
    new_keys = {old: new for new, old in OLD_KEYS.items()}
    for keys in ({}, OLD_KEYS, new_keys):
        try:
            return find("LensTemplate").from_dict({keys.get(key, key): value for key, value in values.items()})
        except KeyError:
            continue
    raise SystemExit(f"{path}: no template that this version can read; its keys are {', '.join(values)}")


def accepts(function: Callable[..., Any], parameter: int | str, type_name: str) -> bool:
    """Return whether the annotation of a parameter, by its position or name, contains a type."""
    parameters = inspect.signature(function).parameters
    chosen = list(parameters.values())[parameter] if isinstance(parameter, int) else parameters[parameter]
    return type_name in str(chosen.annotation)


def stages_of(image: Path, template: Any) -> dict[str, Callable[[], Any]]:
    """Return the work of each stage, given the results of the stages before it.

    A version that takes a `PreparedCatalog` gets one: made anew in each call of the evidence, which fills its tables.
    """
    read_sky, extract_sky, compiled = find("read_sky"), find("extract_sky"), compiled_template(template)
    return {
        "read": lambda: read_sky(image),
        **stages_of_sky(read_sky(image), template),
        "whole sky": lambda: extract_sky(read_sky(image), template=compiled),
    }


def compiled_template(template: Any) -> Any:
    """Return the template in the form that `extract_sky` takes without further work."""
    if find("CompiledTemplate") is not None and accepts(find("extract_sky"), "template", "CompiledTemplate"):
        return find("CompiledTemplate")(template)
    return template


def stages_of_sky(sky: Any, template: Any) -> dict[str, Callable[[], Any]]:
    """Return the work of each stage between the sky and its row."""
    segment, measure_shapes, shear_maps, lens_evidence, feature_row = map(find, list(MODULES)[1:6])
    compiled = compiled_template(template)
    segments = segment(sky)
    catalog = measure_shapes(segments)

    def arguments() -> tuple[Any, ...]:
        if find("PreparedCatalog") is not None and accepts(shear_maps, 0, "PreparedCatalog"):
            return (find("PreparedCatalog")(catalog, compiled),)
        return (catalog, template)

    galaxies, *rest = arguments()
    maps, evidence = shear_maps(galaxies, *rest), lens_evidence(*arguments())
    return {
        "segment": lambda: segment(sky),
        "shapes": lambda: measure_shapes(segments),
        "maps": lambda: shear_maps(galaxies, *rest),
        "evidence": lambda: lens_evidence(*arguments()),
        "statistics": lambda: feature_row(galaxies, maps, evidence, *rest),
    }


def shortest_ms(work: Callable[[], Any], n_calls: int) -> float:
    """Return the shortest processor time of a call, milliseconds."""
    times = []
    for _ in range(n_calls):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def main() -> None:
    image, template, n_calls = Path(sys.argv[1]), read_template(Path(sys.argv[2])), int(sys.argv[3])
    stages = stages_of(image, template)
    for work in stages.values():  # compiles the kernels, fills the caches
        row = work()
    print(json.dumps({"package": str(PACKAGE), "row": row.tolist()}), flush=True)
    for _ in sys.stdin:
        print(json.dumps({name: shortest_ms(work, n_calls) for name, work in stages.items()}), flush=True)


if __name__ == "__main__":
    main()
