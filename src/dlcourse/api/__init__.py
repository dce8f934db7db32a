"""The Python API: the names in ``import dlcourse``, each imported when it is first used."""
