"""How the columns of a run's table become features, stored in its folder."""

from pathlib import Path

from dlcourse import atomic_files
from dlcourse.data.encoding import Column, Encoding, as_dict, from_dict
from dlcourse.engine.fingerprint import read_fingerprint
from dlcourse.errors import UserError
from dlcourse.schema.run_files import CONFIG, TABLE
from dlcourse.schema.untrusted import load_json


def write_encoding(folder: Path, encoding: Encoding) -> None:
    """Write a run's encoding into its folder, unless it is there."""
    if not (folder / TABLE).exists():
        atomic_files.write_json(folder / TABLE, as_dict(encoding), indent=1)


def read_encoding(folder: Path) -> Encoding | None:
    """Return the encoding of a run or an exported model, or of the run that a fold belongs to.

    None without a table.

    Runs of an older dlcourse have stored none: the columns of their tables are numbers.
    Raises UserError for a damaged file.
    """
    own = (folder / CONFIG).exists() or (folder / TABLE).exists()
    whole = folder if own else folder.resolve().parent
    try:
        return from_dict(load_json(whole / TABLE))
    except FileNotFoundError:
        known = read_fingerprint(whole)
        if known is None or not known.features:
            return None
        return Encoding(tuple(Column(name, "number") for name in known.features))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{whole / TABLE} cannot be read: {error}.\nPut it back as it was"
        ) from error
