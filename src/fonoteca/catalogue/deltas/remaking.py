"""Files of a snapshot that are made of, or copied from, others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from fonoteca.catalogue.layout import MERGED, RECORDINGS, table_files
from fonoteca.catalogue.lookup import id_keys, write_ids
from fonoteca.catalogue.rank_ids import uuid_halves
from fonoteca.ports import Staging


def write_ids_again(snapshot: Path, target: Path, staging: Staging) -> None:
    """Write ids.index from the recordings and the merged rows of the snapshot in a folder. Cost: as `write_ids`."""
    keys, ranks = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
    for table in (RECORDINGS, MERGED):
        for path in table_files(snapshot, table):
            rows = pq.read_table(path, columns=["id", "rank"])
            keys.append(id_keys(*uuid_halves(rows["id"].combine_chunks())))
            ranks.append(rows["rank"].to_numpy().astype(np.uint32))
    with staging.writer(target) as stream:
        write_ids(stream, np.concatenate(keys), np.concatenate(ranks))
