"""dlcourse from Python: what ``import dlcourse`` offers, imported when it is first used."""
