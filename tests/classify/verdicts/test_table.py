"""Tables of verdicts on disk."""

import numpy as np
import pandas as pd

from classify.verdicts.table import write_verdicts


def test_unknown_numbers_are_empty_in_csv(tmp_path):
    write_verdicts(tmp_path / "t.csv", pd.DataFrame({"image": ["a", "b"], "row": [1.0, np.nan], "n": [1, 2]}))
    assert (tmp_path / "t.csv").read_text() == "image,row,n\na,1.00,1\nb,,2\n"
