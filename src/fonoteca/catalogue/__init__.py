"""What music exists, how much of it is heard, and what to hold next."""

from fonoteca.catalogue.catalogue import Catalogue
from fonoteca.catalogue.duck import DuckSettings
from fonoteca.catalogue.mapping import TableMapping
from fonoteca.catalogue.synthetic import Listening, listening_csv, synthetic_history, synthetic_mapping

__all__ = ["Catalogue", "DuckSettings", "Listening", "TableMapping", "listening_csv", "synthetic_history", "synthetic_mapping"]
