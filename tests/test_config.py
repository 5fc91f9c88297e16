from dataclasses import fields, replace

import pytest

from darkmatter_features.config import MeasureConfig
from darkmatter_features.errors import ConfigError


def _written(tmp_path, text):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return path


def test_missing_settings_have_their_defaults(tmp_path):
    config = MeasureConfig.read(
        _written(tmp_path, "[measure]\nn_pixels = 12\nsplit_colors = false\ngrid_spacing = 8\n[train]\n")
    )
    assert config == MeasureConfig(n_pixels=12, split_colors=False, grid_spacing=8)


def test_unknown_setting_is_refused_with_the_nearest_name(tmp_path):
    with pytest.raises(ConfigError) as error:
        MeasureConfig.read(_written(tmp_path, "[measure]\nn_pixel = 12\n"))
    message = "unknown setting 'n_pixel'; did you mean 'n_pixels'? `darkmatter config --show` lists all"
    assert str(error.value).endswith(f"settings.toml, [measure]: {message}")


@pytest.mark.parametrize(("old", "new"), [("rim_fraction", "dilation_fraction"), ("blur", "psf_sigma")])
def test_a_setting_of_an_earlier_version_is_refused_with_its_present_name(tmp_path, old, new):
    with pytest.raises(ConfigError, match=rf"\[measure\]: setting '{old}' is now '{new}'; rename it"):
        MeasureConfig.read(_written(tmp_path, f"[measure]\n{old} = 0.5\n"))


def test_an_unknown_or_wrong_setting_is_refused_in_code_and_by_replace():
    with pytest.raises(ConfigError, match="unknown setting 'n_pixel'; did you mean 'n_pixels'"):
        MeasureConfig(n_pixel=12)
    with pytest.raises(ConfigError, match="n_pixels must be a whole number from 3 to 10000, got 2"):
        replace(MeasureConfig(), n_pixels=2)


def test_a_name_like_no_other_is_not_mistaken_for_one(tmp_path):
    with pytest.raises(ConfigError, match="unknown setting 'xyzzy'; `darkmatter config --show` lists all"):
        MeasureConfig.read(_written(tmp_path, "[measure]\nxyzzy = 12\n"))


def test_a_setting_in_no_section_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(ConfigError, match=r"'n_pixels' stands in no section; put .* \[measure\], on a line above it"):
        MeasureConfig.read(_written(tmp_path, "n_pixels = 12\n"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("n_pixels = 7.5", "n_pixels must be a whole number from 3 to 10000, got 7.5; the default is 8"),
        ("n_pixels = true", "n_pixels must be a whole number from 3 to 10000, got True; the default is 8"),
        ("split_colors = 1", "split_colors must be true or false, got 1; the default is true"),
        ('grid_spacing = "10"', "grid_spacing must be a number from 1 to 1000, got '10'; the default is 16.0"),
        ("grid_spacing = [10]", "grid_spacing must be a number from 1 to 1000, got [10]"),
        ("n_pixels = 2", "n_pixels must be a whole number from 3 to 10000, got 2"),
        ("threshold_fraction = 1.5", "threshold_fraction must be a number from 0 to 1, got 1.5"),
        ("threshold_sigma = nan", "threshold_sigma must be a number from 0.5 to 100, got nan"),
        ("threshold_sigma = inf", "threshold_sigma must be a number from 0.5 to 100, got inf"),
    ],
)
def test_wrong_value_is_refused_by_name(tmp_path, line, message):
    with pytest.raises(ConfigError) as error:
        MeasureConfig.read(_written(tmp_path, f"[measure]\n{line}\n"))
    assert message in str(error.value)
    assert "settings.toml, [measure]: " in str(error.value)


@pytest.mark.parametrize("text", ["n_pixels 12", "[[["])
def test_file_that_is_no_toml_is_refused(tmp_path, text):
    with pytest.raises(ConfigError, match="not a TOML file"):
        MeasureConfig.read(_written(tmp_path, text))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        MeasureConfig.read(tmp_path / "none.toml")


def test_fingerprint_changes_with_every_setting():
    prints = {MeasureConfig().fingerprint()}
    for setting in fields(MeasureConfig):
        value = getattr(MeasureConfig(), setting.name)
        other = not value if isinstance(value, bool) else value + 1 if value >= 1 else value / 2
        prints.add(MeasureConfig(**{setting.name: other}).fingerprint())
    assert len(prints) == 1 + len(fields(MeasureConfig))


def test_the_fingerprint_of_existing_features_is_unchanged():
    """A change here makes every existing table and bundle unusable; raise ALGORITHM if that is intended."""
    assert MeasureConfig().fingerprint() == "c810e550617da9d3"
    assert MeasureConfig(n_pixels=12, smallest_scale=20.5).fingerprint() == "4401fbe302843768"
    assert MeasureConfig(psf_sigma=2, grid_spacing=10).fingerprint() == "458e8899853e54f3"


def test_a_number_written_without_a_point_is_the_same_setting(tmp_path):
    """Features made with `grid_spacing = 16` serve a training with the default, 16.0."""
    config = MeasureConfig.read(_written(tmp_path, "[measure]\ngrid_spacing = 16\nthreshold_sigma = 4.5\n"))
    assert config.fingerprint() == MeasureConfig().fingerprint()
    assert {type(value) for value in config.to_dict().values()} == {bool, int, float}


@pytest.mark.parametrize(("one", "other"), [("16", "16.0"), ("16", "1.6e1"), ("20", "20.0")])
def test_a_number_written_in_two_ways_is_one_setting_with_one_fingerprint(tmp_path, one, other):
    configs = [MeasureConfig.read(_written(tmp_path, f"[measure]\ngrid_spacing = {text}\n")) for text in (one, other)]
    assert [type(config.grid_spacing) for config in configs] == [float, float]
    assert configs[0].fingerprint() == configs[1].fingerprint()
    assert (configs[0].fingerprint() == MeasureConfig().fingerprint()) is (one == "16")


def test_negative_zero_is_zero():
    assert MeasureConfig(psf_sigma=-0.0).fingerprint() == MeasureConfig(psf_sigma=0).fingerprint()


def test_settings_survive_their_dict():
    config = MeasureConfig(n_pixels=9)
    assert MeasureConfig.from_dict(config.to_dict()) == config


def test_every_setting_has_a_description():
    assert all(field.description for field in MeasureConfig.declared().values())
