import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from darkmatter_features.errors import DatasetError
from darkmatter_features.io.dataset import Dataset, image_path, write_labels

NAN = np.nan


@pytest.fixture
def build(tmp_path):
    """Return a function that writes files into a folder, images as empty files, and returns the folder."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write


def images(folder, *names):
    return {f"{folder}/{name}": "" for name in names}


LAYOUT_1 = {
    **images("training", "c.png", "a.png", "b.png"),
    **images("validation", "e.png", "d.png"),
    "training-labels.csv": "sky-id,n-lenses\n0,1\n1,0\n2,1\n",
    "training-lenses.csv": "sky-id,row,column\n2,300.5,0\n0,10,511\n",
    "validation-labels.csv": "sky-id,n-lenses\n1,1\n0,0\n",
}
LAYOUT_2 = {
    **images("train", "c.png", "a.png", "b.png"),
    **images("test", "e.png", "d.png"),
    "train.csv": "image_id,label\na.png,1\nb.png,0\nc.png,1\n",
    "train-lenses.csv": "image_id,row,column\nc,300.5,0\na.png,10,511\n",
    "test.csv": "image_id,label\ne.png,1\nd.png,0\n",
}
LAYOUT_3 = {
    **images("train_images", "c.png", "a.png", "b.png"),
    **images("test_images", "e.png", "d.png"),
    "train.csv": "image,labels\nc.png,1\na.png,1\nb.png,0\n",
    "train-lenses.csv": "image_id,row,column\n2,300.5,0\n0,10,511\n",
    "test.csv": "image,labels\nd.png,0\ne.png,1\n",
}
LAYOUTS = pytest.mark.parametrize(("number", "files"), [(1, LAYOUT_1), (2, LAYOUT_2), (3, LAYOUT_3)])


# Valid data sets


@LAYOUTS
def test_every_layout_is_recognised_and_read(build, number, files):
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
def test_labels_and_lenses_may_be_missing(build, number, files):
    dataset = Dataset.open(build({name: content for name, content in files.items() if "/" in name}))
    assert dataset.layout == number
    assert dataset.training.labels is None
    assert dataset.validation.labels is None
    assert np.isnan(dataset.training.lens_columns).all()


@LAYOUTS
def test_one_split_may_be_missing(build, number, files):
    dataset = (
        Dataset.open(build({name: content for name, content in files.items() if not name.startswith("t")}))
        if number == 1
        else Dataset.open(build({n: c for n, c in files.items() if n.startswith("test")}))
    )
    assert dataset.training is None
    assert [split.name for split in dataset.splits] == ["validation"]
    assert len(dataset.validation) == 2


def test_empty_folder_is_no_split(build):
    dataset = Dataset.open(build({**images("training", "a.png"), "validation/README.md": ""}))
    assert dataset.validation is None


@pytest.mark.parametrize("content", ["image_id\nd.png\ne.png\n", "image_id,label\nd.png,\ne.png,\n"])
def test_labels_are_none_if_the_file_has_none(build, content):
    assert Dataset.open(build({**LAYOUT_2, "test.csv": content})).validation.labels is None


def test_written_labels_are_read_back(tmp_path, build):
    names = [image_path("", "training", index, suffix=".fits").as_posix() for index in range(3)]
    write_labels(tmp_path, "training", [0, 1, 0], [NAN, 10.5, NAN], [NAN, 400.25, NAN])
    training = Dataset.open(build(dict.fromkeys(names, ""))).training
    assert_array_equal(training.labels, [0, 1, 0])
    assert_array_equal(training.lens_rows, [NAN, 10.5, NAN])
    assert_array_equal(training.lens_columns, [NAN, 400.25, NAN])


def test_images_of_every_suffix_are_listed_and_no_other_files(build):
    names = ["a.PNG", "b.jpg", "c.jpeg", "d.tif", "e.tiff", "f.fits", "g.fit", "h.fits.gz"]
    others = images("training", "README.md", ".i.png", "._a.png", "j.png/inside.txt")
    training = Dataset.open(build({**images("training", *names), **others})).training
    assert [file.name for file in training.files] == names


def test_image_paths_are_relative_to_the_data_set(build):
    dataset = Dataset.open(str(build(LAYOUT_3)))
    assert dataset.relative(dataset.training.files[0]) == "train_images/a.png"


def test_integers_are_indices_in_the_first_layout(build):
    files = {
        **images("training", "0.png", "10.png", "2.png"),
        "training-labels.csv": "id,n\n0,0\n1,1\n2,0\n",
    }
    assert_array_equal(Dataset.open(build(files)).training.labels, [0, 1, 0])


def test_integers_are_names_in_other_layouts_if_images_have_them(build):
    files = {
        **images("train", "0.png", "10.png", "2.png"),
        "train-lenses.csv": "id,row,column\n2,3,4\n10,5,6\n",
    }
    assert_array_equal(Dataset.open(build(files)).training.lens_rows, [NAN, 5, 3])


def test_compressed_image_may_be_named_without_its_suffixes(build):
    files = {**images("train", "a.fits.gz", "b.fits.gz"), "train.csv": "id,label\nb,1\na,0\n"}
    assert_array_equal(Dataset.open(build(files)).training.labels, [0, 1])


def test_csv_saved_by_a_spreadsheet_is_read(build):
    content = b"\xef\xbb\xbfimage_id,label\r\n d.png , 0\r\n\r\ne.png,1.0\r\n"
    assert_array_equal(Dataset.open(build({**LAYOUT_2, "test.csv": content})).validation.labels, [0, 1])


def test_arrays_of_a_split_are_read_only(build):
    training = Dataset.open(build(LAYOUT_1)).training
    for array in (training.labels, training.lens_rows, training.lens_columns):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_lens_position_is_scaled_to_the_image(build):
    training = Dataset.open(build(LAYOUT_1)).training
    assert training.lens_position(2, (512, 512)) == (300.5, 0)
    # The corner of the frame is the corner of the image: -0.5 is the edge in both.
    assert_allclose(training.lens_position(2, (1024, 256)), (2 * 301 - 0.5, 0.5 / 2 - 0.5))
    assert np.isnan(training.lens_position(1, (512, 512))).all()


# Rejected data sets: each error is one line with the file and the remedy


def assert_rejected(folder, file, *parts):
    with pytest.raises(DatasetError) as error:
        Dataset.open(folder)
    message = str(error.value)
    assert message.startswith(str(folder / file if file else folder))
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_missing_folder_is_rejected(tmp_path):
    assert_rejected(tmp_path / "daat", "", "is not a folder", "check the path")


def test_file_instead_of_a_folder_is_rejected(tmp_path, build):
    build({"data.zip": "PK"})
    assert_rejected(tmp_path / "data.zip", "", "is not a folder")


@pytest.mark.parametrize("files", [{}, {"skies/a.png": ""}, {"a.png": ""}, {"training/README.md": ""}])
def test_folder_of_unknown_layout_is_rejected(build, files):
    layouts = "training/, validation/, train/, test/, train_images/, test_images/"
    assert_rejected(build(files), "", "no images in", layouts, "simulate")


def test_missing_labels_are_counted_and_named(build):
    content = "image_id,label\nd.png,0\n"
    assert_rejected(build({**LAYOUT_2, "test.csv": content}), "test.csv", "no label for 1 of 2 images: e.png", "add")


def test_unknown_ids_are_counted_and_named(build):
    content = LAYOUT_2["test.csv"] + "".join(f"x{i}.png,0\n" for i in range(5))
    found = "ids without an image (5 of 7): x0.png, x1.png, x2.png, ...;"
    assert_rejected(build({**LAYOUT_2, "test.csv": content}), "test.csv", found, "remove their lines")


def test_stem_of_two_images_is_no_id(build):
    files = {**images("train", "a.png", "a.fits"), "train.csv": "image_id,label\na.png,0\na,1\n"}
    assert_rejected(build(files), "train.csv", "ids without an image (1 of 2): a;")


def test_index_beyond_the_images_is_unknown(build):
    content = "sky-id,n-lenses\n1,0\n2,1\n"
    assert_rejected(
        build({**LAYOUT_1, "validation-labels.csv": content}),
        "validation-labels.csv",
        "ids without an image (1 of 2): 2;",
    )


def test_labels_of_an_empty_folder_are_unknown(build):
    files = {name: content for name, content in LAYOUT_1.items() if not name.startswith("validation/")}
    folder = build({**files, "validation/README.md": ""})
    assert_rejected(folder, "validation-labels.csv", "ids without an image (2 of 2)")


@pytest.mark.parametrize("again", ["d.png,0", "d,0"])
def test_repeated_ids_are_rejected(build, again):
    content = LAYOUT_2["test.csv"] + again
    assert_rejected(
        build({**LAYOUT_2, "test.csv": content}),
        "test.csv",
        "more than one line for some images (1): d.png",
        "keep one",
    )


@pytest.mark.parametrize("label", ["2", "-1", "yes", "nan", "0.5", ""])
def test_label_that_is_neither_0_nor_1_is_rejected(build, label):
    content = f"image_id,label\n\nd.png,1\ne.png,{label}\n"
    assert_rejected(build({**LAYOUT_2, "test.csv": content}), "test.csv", f"line 4: the label '{label}'", "correct")


@pytest.mark.parametrize("position", ["512.5,3", "3,-1", "nan,3", "3", "north,3", ","])
def test_lens_outside_the_frame_is_rejected(build, position):
    content = f"sky-id,row,column\n0,{position}\n"
    found = f"line 2: the lens at '{position}' is outside"
    assert_rejected(build({**LAYOUT_1, "training-lenses.csv": content}), "training-lenses.csv", found, "from 0 to 512")


def test_lens_in_a_sky_with_label_0_is_rejected(build):
    content = "sky-id,row,column\n0,3,4\n1,3,4\n"
    found = "line 3: a lens in b.png, whose label is 0"
    assert_rejected(
        build({**LAYOUT_1, "training-lenses.csv": content}), "training-lenses.csv", found, "correct the label"
    )


def test_lens_of_an_unknown_sky_is_rejected(build):
    content = "image_id,row,column\nz,3,4\n"
    assert_rejected(
        build({**LAYOUT_3, "test-lenses.csv": content}),
        "test-lenses.csv",
        "ids without an image (1 of 1): z;",
        "add the images",
    )


def test_two_lenses_in_a_sky_are_rejected(build):
    content = "sky-id,row,column\n0,3,4\n0,5,6\n"
    assert_rejected(
        build({**LAYOUT_1, "training-lenses.csv": content}),
        "training-lenses.csv",
        "more than one line for some images (1): a.png",
    )


def test_lens_file_with_swapped_columns_is_rejected(build):
    content = "sky-id,column,row\n0,3,4\n"
    found = "has the columns 'sky-id,column,row'"
    assert_rejected(
        build({**LAYOUT_1, "training-lenses.csv": content}),
        "training-lenses.csv",
        found,
        "give an id, row and column",
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
def test_file_that_is_not_csv_is_rejected(build, content, found):
    assert_rejected(build({**LAYOUT_1, "training-labels.csv": content}), "training-labels.csv", found)


def test_labels_that_are_a_folder_are_rejected(build):
    files = {name: content for name, content in LAYOUT_1.items() if name != "training-labels.csv"}
    assert_rejected(build({**files, "training-labels.csv/a": ""}), "training-labels.csv", "cannot be read as CSV")


# Files of the simulator


def test_labels_and_lenses_are_written_in_the_first_layout(tmp_path):
    write_labels(tmp_path, "training", [0, 1, 0], [NAN, 10.5, NAN], [NAN, 400.25, NAN])
    assert (tmp_path / "training-labels.csv").read_text() == "sky-id,n-lenses\n0,0\n1,1\n2,0\n"
    assert (tmp_path / "training-lenses.csv").read_text() == "sky-id,row,column\n1,10.500,400.250\n"


@pytest.mark.parametrize("index", [-1, 100_000])
def test_indices_of_more_than_five_digits_are_rejected(index):
    with pytest.raises(DatasetError, match=f"image {index}: a split has at most 100000"):
        image_path("data", "training", index)
