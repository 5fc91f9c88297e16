"""Work on one patch of a survey: its candidates, its randomized skies, and planted halos."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkmatter_features.candidates.coverage import empty_fraction
from darkmatter_features.candidates.radial import SURVEY_ANNULI, RadialProfile, radial_profile
from darkmatter_features.surveys.aperture_maps import ApertureMaps, aperture_maps
from darkmatter_features.surveys.completeness import Planted, plant
from darkmatter_features.surveys.conventions import MapMoments, map_moments
from darkmatter_features.surveys.distribute import PatchFiles, PatchGalaxies, read_patch
from darkmatter_features.surveys.filter_maps import FilterBank, filter_bank
from darkmatter_features.surveys.frame import Frame
from darkmatter_features.surveys.maps import PatchMaps, patch_maps
from darkmatter_features.surveys.mass_completeness import HaloGrid, PlantedMasses, plant_masses
from darkmatter_features.surveys.patches import Patch
from darkmatter_features.surveys.peaks import Randomized, find_peaks, owned_cells, randomize
from darkmatter_features.surveys.profiles import profile_radius, survey_profiles
from darkmatter_features.surveys.refine import Refined, refine
from darkmatter_features.surveys.search import Detections, search_halos
from darkmatter_features.surveys.sky_patch import CELL_IN_SCALES, MAX_CELL, SkyPatch, sky_patch

Array = NDArray[np.float64]

APERTURE = 4.0
"""Radius of the aperture of a candidate whose empty fraction is given, arcmin: most of the signal comes from there."""

PLANTING = 1_000_000
"""Last number of the key of the random stream of planted halos, the next one for halos of masses; those of randomized
skies are below."""


@dataclass(frozen=True, kw_only=True)
class PatchTask:
    """What is done with each patch.

    Attributes
    ----------
    frame : SphereFrame or PlaneFrame
        Frame of the survey.
    scales : tuple of float, arcmin
        Scale radii of the profiles.
    lens_redshifts : tuple of float
        Trial redshifts of lenses; empty where redshifts of galaxies are unknown.
    threshold : float
        Minimum S/N of the search.
    minimum_snr : float
        Minimum S/N in the maps of what is located.
    null_floor : float
        Minimum S/N of the peaks of randomized skies.
    seed : int
        Seed of all random numbers.
    plant : bool
        Whether halos are planted for the completeness.
    halos : HaloGrid or None
        Halos of masses and redshifts that are planted as well.
    aperture_mass : bool
        Whether the aperture mass is mapped.
    """

    frame: Frame
    scales: tuple[float, ...]
    lens_redshifts: tuple[float, ...]
    threshold: float
    minimum_snr: float
    null_floor: float
    seed: int
    plant: bool
    halos: HaloGrid | None = None
    aperture_mass: bool = False


class Found(NamedTuple):
    """Candidate of a patch: position in the frame, S/N with the amplitudes of all free, and what is about it.

    The lens redshift is that of the plane with the highest S/N; nan where redshifts of galaxies are unknown.
    """

    lon: float
    lat: float
    snr: float
    amplitude: float
    scale: float
    lens_redshift: float
    halo: Refined
    radial: RadialProfile
    empty_fraction: float


class PatchResult(NamedTuple):
    """Result for a patch.

    Attributes
    ----------
    patch : Patch
        Patch.
    found : list of Found
        Candidates.
    planted : Planted or None
        Halos planted in it; None without them.
    masses : PlantedMasses or None
        Halos of masses and redshifts planted in it; None without them.
    cross_peaks : (n,) float64 array
        S/N of the peaks of cross shear.
    maps : PatchMaps
        Maps of S/N.
    squares : (n_filters,) float64 array
        Sum of the squared S/N of each filter over cells, without the shear of the halos of the search.
    moments : MapMoments
        Those of the galaxies and of their conjugate, from which the convention is judged.
    aperture_mass : list of ApertureMaps
        Maps of the aperture mass, if wanted.
    """

    patch: Patch
    found: list[Found]
    planted: Planted | None
    masses: PlantedMasses | None
    cross_peaks: Array
    maps: PatchMaps
    squares: Array
    moments: MapMoments
    aperture_mass: list[ApertureMaps]


def search_patch(files: PatchFiles, task: PatchTask) -> PatchResult:
    """Return the candidates that a patch owns."""
    bank = _bank(files, task)
    detections = search_halos(bank, task.threshold)
    found = _refined(files.patch, bank, detections, task.minimum_snr)
    planted, masses = None, None
    if task.plant:
        rng = np.random.default_rng(_seed(task, files.patch, PLANTING))
        planted = Planted(*_owned(files.patch, plant(bank, detections.fit, task.null_floor, rng)))
    if task.halos is not None:
        rng = np.random.default_rng(_seed(task, files.patch, PLANTING + 1))
        masses = PlantedMasses(
            *_owned(files.patch, plant_masses(bank, task.halos, detections.fit, task.null_floor, rng))
        )
    rest = (bank.patch.v * (bank.patch.e - detections.fit.shear())).astype(np.complex64)
    inside, maps = owned_cells(bank, _owner(files.patch)), patch_maps(files.patch, bank)
    return PatchResult(
        files.patch,
        found,
        planted,
        masses,
        _cross_peaks(files.patch, bank, task.null_floor),
        maps,
        np.array([float(np.square(snr.real[inside]).sum(dtype=np.float64)) for snr in bank.snr_maps(rest)]),
        _moments(files, task, bank, inside),
        aperture_maps(bank.patch, maps, task.scales) if task.aperture_mass and maps.x.size else [],
    )


def _moments(files: PatchFiles, task: PatchTask, bank: FilterBank, inside: NDArray[np.bool_]) -> MapMoments:
    """Return the moments of e, and of its conjugate before it was turned from the axes of the catalogue."""
    galaxies = read_patch(files)
    first, second = task.frame.restore(galaxies.lon, galaxies.lat)
    squared_turn = _in_plane(files, task, galaxies, task.frame.place(first, second).turn ** 2, spin=4)
    skies = bank.patch.e, np.conj(bank.patch.e) * squared_turn.e
    return MapMoments(*(np.concatenate(each) for each in zip(*(map_moments(bank, e, inside) for e in skies))))


def randomize_patch(files: PatchFiles, task: PatchTask, first: int, last: int) -> tuple[int, Randomized]:
    """Return the index of a block of rotations, the first, and what a patch owns of their randomized skies."""
    seeds = [_seed(task, files.patch, k) for k in range(first, last)]
    return first, randomize(_bank(files, task), _owner(files.patch), seeds, floor=task.null_floor)


def _owner(patch: Patch) -> Callable[[Array, Array], NDArray[np.bool_]]:
    return lambda x, y: patch.owns(*patch.restore(x, y))


def _seed(task: PatchTask, patch: Patch, k: int) -> np.random.SeedSequence:
    """Return the seed of a stream of a patch: it depends on nothing but the patch's place in the lattice."""
    return np.random.SeedSequence(task.seed, spawn_key=(patch.band % 2**32, patch.column % 2**32, k))


def _bank(files: PatchFiles, task: PatchTask) -> FilterBank:
    galaxies = read_patch(files)
    patch = _in_plane(files, task, galaxies, galaxies.e)
    return filter_bank(patch, survey_profiles(task.scales), task.lens_redshifts)


def _in_plane(
    files: PatchFiles, task: PatchTask, galaxies: PatchGalaxies, e: NDArray[np.complex128], *, spin: int = 2
) -> SkyPatch:
    """Return the galaxies in the tangent plane, with values of a spin in the frame of the survey as ellipticities."""
    x, y, turn = files.patch.project(galaxies.lon, galaxies.lat)
    cell = min(CELL_IN_SCALES * min(task.scales), MAX_CELL)
    border = profile_radius(max(task.scales))
    return sky_patch(x, y, e * turn ** (spin // 2), galaxies.v, cell=cell, border=border, redshift=galaxies.redshift)


def _refined(patch: Patch, bank: FilterBank, detections: Detections, minimum_snr: float) -> list[Found]:
    """Return the halos near or in the rectangle of a patch, each located in the galaxies without the others."""
    found = []
    for k, halo in enumerate(detections.halos):
        if detections.snr[k] < minimum_snr or not _is_near(patch, halo.x, halo.y):
            continue
        e = bank.patch.e - detections.fit.shear(without=k)
        best = refine(bank, e, halo)
        lon, lat = (float(each[0]) for each in patch.restore(np.array([best.x]), np.array([best.y])))
        if bool(patch.owns(np.array([lon]), np.array([lat]))[0]):
            snr = best.snr * float(detections.fit.independence[k])
            amplitude = float(detections.fit.amplitudes[k])
            about = _about(bank.patch, e, best)
            scale, redshift = bank.scale_of(best.profile), bank.lens_redshift_of(halo.profile)
            found.append(Found(lon, lat, snr, amplitude, scale, redshift, best, *about))
    return found


def _about(patch: SkyPatch, e: NDArray[np.complex128], halo: Refined) -> tuple[RadialProfile, float]:
    """Return the mean shear about a halo, and the fraction of :data:`APERTURE` without galaxies."""
    near = patch.within(halo.x, halo.y, SURVEY_ANNULI[-1])
    z = patch.x[near] - halo.x + 1j * (patch.y[near] - halo.y)
    mean = radial_profile(z, e[near], patch.v[near], np.array(SURVEY_ANNULI))
    return mean, empty_fraction(z[patch.v[near] > 0.0], APERTURE)


def _cross_peaks(patch: Patch, bank: FilterBank, floor: float) -> Array:
    """Return the S/N of the peaks of cross shear that a patch owns, the highest first."""
    _, cross = bank.highest((bank.patch.v * bank.patch.e).astype(np.complex64))
    peaks = find_peaks(bank, cross, floor)
    return peaks.snr[patch.owns(*patch.restore(peaks.x, peaks.y))]


def _is_near(patch: Patch, x: float, y: float) -> bool:
    """Return whether a position lies in a patch or within the largest step of the refinement from it."""
    step = 6.0
    x_near, y_near = x + step * np.array([0, 1, 1, -1, -1]), y + step * np.array([0, 1, -1, 1, -1])
    return bool(patch.owns(*patch.restore(x_near, y_near)).any())


def _owned(patch: Patch, planted: Planted | PlantedMasses) -> Any:
    kept = patch.owns(*patch.restore(planted.x, planted.y))
    return [each[kept] for each in planted]
