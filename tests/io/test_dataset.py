import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from darkmatter_features.errors import DatasetError
from darkmatter_features.io.dataset import (
    Dataset,
    image_path,
    read_galaxy_truth,
    truth_path,
    write_galaxy_truth,
    write_labels,
    write_sky_truth,
)

NAN = np.nan


@pytest.fixture
def build(tmp_path):
    """Write files into the folder of a data set, pictures as empty files, and give the folder."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write


def pictures(folder, *names):
    return {f"{folder}/{name}": "" for name in names}


LAYOUT_1 = {
    **pictures("training", "c.png", "a.png", "b.png"),
    **pictures("validation", "e.png", "d.png"),
    "training-labels.csv": "sky-id,n-lenses\n0,1\n1,0\n2,1\n",
    "training-lenses.csv": "sky-id,row,column\n2,300.5,0\n0,10,511\n",
    "validation-labels.csv": "sky-id,n-lenses\n1,1\n0,0\n",
}
LAYOUT_2 = {
    **pictures("train", "c.png", "a.png", "b.png"),
    **pictures("test", "e.png", "d.png"),
    "train.csv": "image_id,label\na.png,1\nb.png,0\nc.png,1\n",
    "train-lenses.csv": "image_id,row,column\nc,300.5,0\na.png,10,511\n",
    "test.csv": "image_id,label\ne.png,1\nd.png,0\n",
}
LAYOUT_3 = {
    **pictures("train_images", "c.png", "a.png", "b.png"),
    **pictures("test_images", "e.png", "d.png"),
    "train.csv": "image,labels\nc.png,1\na.png,1\nb.png,0\n",
    "train-lenses.csv": "image_id,row,column\n2,300.5,0\n0,10,511\n",
    "test.csv": "image,labels\nd.png,0\ne.png,1\n",
}
LAYOUTS = pytest.mark.parametrize(("number", "files"), [(1, LAYOUT_1), (2, LAYOUT_2), (3, LAYOUT_3)])


# Data sets that are read


@LAYOUTS
def test_every_layout_is_found_out_and_read(build, number, files):
    dataset = Dataset.open(build(files))
    assert dataset.layout == number
    assert [split.name for split in dataset.splits] == ["training", "validation"]
    assert [file.name for file in dataset.training.files] == ["a.png", "b.png", "c.png"]
    assert_array_equal(dataset.training.labels, [1, 0, 1])
    assert_array_equal(dataset.training.lens_rows, [10, NAN, 300.5])
    assert_array_equal(dataset.training.lens_columns, [511, NAN, 0])
    assert [file.name for file in dataset.validation.files] == ["d.png", "e.png"]
    assert_array_equal(dataset.validation.labels, [0, 1])
    assert_array_equal(dataset.validation.lens_rows, [NAN, NAN])


@LAYOUTS
def test_labels_and_lenses_may_be_absent(build, number, files):
    dataset = Dataset.open(build({name: content for name, content in files.items() if "/" in name}))
    assert dataset.layout == number
    assert dataset.training.labels is None
    assert dataset.validation.labels is None
    assert np.isnan(dataset.training.lens_columns).all()


@LAYOUTS
def test_one_split_may_be_absent(build, number, files):
    dataset = (
        Dataset.open(build({name: content for name, content in files.items() if not name.startswith("t")}))
        if number == 1
        else Dataset.open(build({n: c for n, c in files.items() if n.startswith("test")}))
    )
    assert dataset.training is None
    assert [split.name for split in dataset.splits] == ["validation"]
    assert len(dataset.validation) == 2


def test_empty_folder_is_no_split(build):
    dataset = Dataset.open(build({**pictures("training", "a.png"), "validation/README.md": ""}))
    assert dataset.validation is None


@pytest.mark.parametrize("content", ["image_id\nd.png\ne.png\n", "image_id,label\nd.png,\ne.png,\n"])
def test_test_file_without_labels_has_none(build, content):
    assert Dataset.open(build({**LAYOUT_2, "test.csv": content})).validation.labels is None


def test_written_labels_are_read_back(tmp_path, build):
    names = [image_path("", "training", index, suffix=".fits").as_posix() for index in range(3)]
    write_labels(tmp_path, "training", [0, 1, 0], [NAN, 10.5, NAN], [NAN, 400.25, NAN])
    training = Dataset.open(build(dict.fromkeys(names, ""))).training
    assert_array_equal(training.labels, [0, 1, 0])
    assert_array_equal(training.lens_rows, [NAN, 10.5, NAN])
    assert_array_equal(training.lens_columns, [NAN, 400.25, NAN])


def test_pictures_of_every_ending_are_listed_and_other_files_are_not(build):
    names = ["a.PNG", "b.jpg", "c.jpeg", "d.tif", "e.tiff", "f.fits", "g.fit", "h.fits.gz"]
    others = pictures("training", "README.md", ".i.png", "._a.png", "j.png/inside.txt")
    training = Dataset.open(build({**pictures("training", *names), **others})).training
    assert [file.name for file in training.files] == names


def test_pictures_are_named_relative_to_the_data_set(build):
    dataset = Dataset.open(str(build(LAYOUT_3)))
    assert dataset.relative(dataset.training.files[0]) == "train_images/a.png"


def test_integers_are_places_in_the_first_layout(build):
    files = {
        **pictures("training", "0.png", "10.png", "2.png"),
        "training-labels.csv": "id,n\n0,0\n1,1\n2,0\n",
    }
    assert_array_equal(Dataset.open(build(files)).training.labels, [0, 1, 0])


def test_integers_are_names_elsewhere_where_pictures_have_them(build):
    files = {
        **pictures("train", "0.png", "10.png", "2.png"),
        "train-lenses.csv": "id,row,column\n2,3,4\n10,5,6\n",
    }
    assert_array_equal(Dataset.open(build(files)).training.lens_rows, [NAN, 5, 3])


def test_compressed_picture_may_be_named_without_its_endings(build):
    files = {**pictures("train", "a.fits.gz", "b.fits.gz"), "train.csv": "id,label\nb,1\na,0\n"}
    assert_array_equal(Dataset.open(build(files)).training.labels, [0, 1])


def test_csv_saved_by_a_spreadsheet_is_read(build):
    content = b"\xef\xbb\xbfimage_id,label\r\n d.png , 0\r\n\r\ne.png,1.0\r\n"
    assert_array_equal(Dataset.open(build({**LAYOUT_2, "test.csv": content})).validation.labels, [0, 1])


def test_arrays_of_a_split_cannot_be_written_to(build):
    training = Dataset.open(build(LAYOUT_1)).training
    for array in (training.labels, training.lens_rows, training.lens_columns):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_lens_position_is_scaled_to_the_picture(build):
    training = Dataset.open(build(LAYOUT_1)).training
    assert training.lens_position(2, (512, 512)) == (300.5, 0)
    # The corner of the frame stays the corner of the picture: pixel -0.5 is the edge in both.
    assert_allclose(training.lens_position(2, (1024, 256)), (2 * 301 - 0.5, 0.5 / 2 - 0.5))
    assert np.isnan(training.lens_position(1, (512, 512))).all()


# Data sets that are refused, each in one line that names the file and the remedy


def assert_refused(folder, file, *parts):
    with pytest.raises(DatasetError) as refusal:
        Dataset.open(folder)
    message = str(refusal.value)
    assert message.startswith(str(folder / file if file else folder))
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_missing_folder_is_refused(tmp_path):
    assert_refused(tmp_path / "daat", "", "is no folder", "spelling")


def test_file_is_no_data_set(tmp_path, build):
    build({"data.zip": "PK"})
    assert_refused(tmp_path / "data.zip", "", "is no folder")


@pytest.mark.parametrize("files", [{}, {"skies/a.png": ""}, {"a.png": ""}, {"training/README.md": ""}])
def test_folder_of_no_known_layout_is_refused(build, files):
    layouts = "training/, validation/, train/, test/, train_images/, test_images/"
    assert_refused(build(files), "", "no pictures in", layouts, "simulate")


def test_missing_labels_are_counted_and_named(build):
    content = "image_id,label\nd.png,0\n"
    assert_refused(build({**LAYOUT_2, "test.csv": content}), "test.csv", "no label for 1 of 2 pictures: e.png", "add")


def test_unknown_ids_are_counted_and_named(build):
    content = LAYOUT_2["test.csv"] + "".join(f"x{i}.png,0\n" for i in range(5))
    found = "not among the 2 pictures, 5 in all: x0.png, x1.png, x2.png, ...;"
    assert_refused(build({**LAYOUT_2, "test.csv": content}), "test.csv", found, "take their lines out")


def test_stem_that_two_pictures_have_names_none(build):
    files = {**pictures("train", "a.png", "a.fits"), "train.csv": "image_id,label\na.png,0\na,1\n"}
    assert_refused(build(files), "train.csv", "1 in all: a;")


def test_place_beyond_the_pictures_is_unknown(build):
    content = "sky-id,n-lenses\n1,0\n2,1\n"
    assert_refused(build({**LAYOUT_1, "validation-labels.csv": content}), "validation-labels.csv", "1 in all: 2;")


def test_labels_of_an_empty_folder_are_unknown(build):
    files = {name: content for name, content in LAYOUT_1.items() if not name.startswith("validation/")}
    folder = build({**files, "validation/README.md": ""})
    assert_refused(folder, "validation-labels.csv", "not among the 0 pictures, 2 in all")


@pytest.mark.parametrize("again", ["d.png,0", "d,0"])
def test_repeated_ids_are_refused(build, again):
    content = LAYOUT_2["test.csv"] + again
    assert_refused(build({**LAYOUT_2, "test.csv": content}), "test.csv", "more than once, 1 in all: d.png", "keep one")


@pytest.mark.parametrize("label", ["2", "-1", "yes", "nan", "0.5", ""])
def test_label_that_is_neither_0_nor_1_is_refused(build, label):
    content = f"image_id,label\n\nd.png,1\ne.png,{label}\n"
    assert_refused(build({**LAYOUT_2, "test.csv": content}), "test.csv", f"line 4: the label '{label}'", "mend")


@pytest.mark.parametrize("position", ["512.5,3", "3,-1", "nan,3", "3", "north,3", ","])
def test_lens_outside_the_picture_is_refused(build, position):
    content = f"sky-id,row,column\n0,{position}\n"
    found = f"line 2: the lens at '{position}' is outside"
    assert_refused(build({**LAYOUT_1, "training-lenses.csv": content}), "training-lenses.csv", found, "from 0 to 512")


def test_lens_in_a_sky_labelled_without_is_refused(build):
    content = "sky-id,row,column\n0,3,4\n1,3,4\n"
    found = "line 3: a lens in b.png, whose label is 0"
    assert_refused(build({**LAYOUT_1, "training-lenses.csv": content}), "training-lenses.csv", found, "mend the label")


def test_lens_of_an_unknown_sky_is_refused(build):
    content = "image_id,row,column\nz,3,4\n"
    assert_refused(
        build({**LAYOUT_3, "test-lenses.csv": content}), "test-lenses.csv", "1 in all: z;", "add the pictures"
    )


def test_two_lenses_in_a_sky_are_refused(build):
    content = "sky-id,row,column\n0,3,4\n0,5,6\n"
    assert_refused(
        build({**LAYOUT_1, "training-lenses.csv": content}),
        "training-lenses.csv",
        "more than once, 1 in all: a.png",
    )


def test_lens_file_with_swapped_columns_is_refused(build):
    content = "sky-id,column,row\n0,3,4\n"
    found = "has the columns 'sky-id,column,row'"
    assert_refused(
        build({**LAYOUT_1, "training-lenses.csv": content}),
        "training-lenses.csv",
        found,
        "row,column are wanted",
    )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        ("sky;n\n0;é".encode("latin-1"), "UTF-8"),
        (b'id,n\n"0,1', "CSV"),
    ],
)
def test_file_that_is_no_csv_is_refused(build, content, found):
    assert_refused(build({**LAYOUT_1, "training-labels.csv": content}), "training-labels.csv", found)


def test_labels_that_are_a_folder_are_refused(build):
    files = {name: content for name, content in LAYOUT_1.items() if name != "training-labels.csv"}
    assert_refused(build({**files, "training-labels.csv/a": ""}), "training-labels.csv", "cannot be read as CSV")


# What the simulator writes


def test_galaxy_truth_comes_back(tmp_path, rng):
    picture = image_path(tmp_path, "training", 3)
    x, y = rng.uniform(0, 512, (2, 40))
    e1, e2 = rng.normal(0, 0.2, (2, 40))
    write_galaxy_truth(tmp_path, picture, x, y, e1, e2)
    truth = read_galaxy_truth(tmp_path, picture)
    for name, values, half_digit in (("x", x, 5e-5), ("y", y, 5e-5), ("e1", e1, 5e-6), ("e2", e2, 5e-6)):
        assert_allclose(truth[name], values, rtol=0, atol=1.001 * half_digit)


def test_a_sky_without_galaxies_has_a_truth(tmp_path):
    write_galaxy_truth(tmp_path, "training-00000.png", [], [], [], [])
    assert {name: values.shape for name, values in read_galaxy_truth(tmp_path, "training-00000.png").items()} == {
        "x": (0,),
        "y": (0,),
        "e1": (0,),
        "e2": (0,),
    }


def test_truth_saved_by_a_spreadsheet_is_read(build):
    root = build({"truth/a.csv": b"\xef\xbb\xbfx,y,e1,e2\r\n1,2,0.3,-0.4\r\n"})
    assert read_galaxy_truth(root, "a.png")["e2"] == [-0.4]


def test_truth_of_a_compressed_fits_picture_is_named_by_its_stem(tmp_path):
    assert truth_path(tmp_path, "training/training-00001.fits.gz") == tmp_path / "truth" / "training-00001.csv"


def test_labels_and_lenses_are_written_as_the_layout_says(tmp_path):
    write_labels(tmp_path, "training", [0, 1, 0], [NAN, 10.5, NAN], [NAN, 400.25, NAN])
    assert (tmp_path / "training-labels.csv").read_text() == "sky-id,n-lenses\n0,0\n1,1\n2,0\n"
    assert (tmp_path / "training-lenses.csv").read_text() == "sky-id,row,column\n1,10.500,400.250\n"


def test_truth_of_skies_is_empty_where_there_is_no_lens(tmp_path):
    files = [image_path(tmp_path, "training", index) for index in range(2)]
    write_sky_truth(tmp_path, files, [NAN, 3], [NAN, 4], [NAN, 0.125])
    assert (tmp_path / "truth" / "skies.csv").read_text() == (
        "file,row,column,strength\ntraining/training-00000.png,,,\ntraining/training-00001.png,3.0000,4.0000,0.1250\n"
    )


@pytest.mark.parametrize("content", ["x,y\n1,2\n", "x,y,e1,e2\n1,2,3,east\n", "x,y,e1,e2\n1,2,3\n"])
def test_truth_that_is_something_else_is_refused(build, content):
    root = build({"truth/a.csv": content})
    with pytest.raises(DatasetError, match=r"truth/a\.csv is no table of numbers x,y,e1,e2; simulate"):
        read_galaxy_truth(root, "a.png")


def test_missing_truth_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="cannot be read as CSV: No such file"):
        read_galaxy_truth(tmp_path, "a.png")


@pytest.mark.parametrize("index", [-1, 100_000])
def test_numbers_that_would_not_sort_are_refused(index):
    with pytest.raises(DatasetError, match=f"picture {index}: a split has at most 100000"):
        image_path("data", "training", index)
