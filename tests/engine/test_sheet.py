"""A sheet keeps what was written, in its own columns only."""

import numpy as np
import torch

from specfair.engine.sheet import Sheet, within


def test_a_sheet_keeps_what_was_written() -> None:
    sheet = Sheet((3, 4), {"token": np.int32})
    sheet.write(
        (np.array([0, 2])[:, None], np.arange(2)),
        {"token": torch.tensor([[1, 9], [2, 3]]), "kl": torch.zeros(2, 2)},
    )
    sheet.write((1, slice(None)), {"token": torch.tensor([4, 5, 9, 9])})
    assert sorted(sheet.columns) == ["token"]
    places = within(np.array([2, 3, 4]), 4)
    assert places.sum() == 9
    assert sheet.kept(places)["token"].tolist() == [1, 9, 4, 5, 9, 2, 3, 0, 0]
