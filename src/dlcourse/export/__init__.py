"""Write a finished run's model for use without dlcourse, and open what was written.

``formats`` lists the formats, ``to_<format>`` writes and reads one of them. ``write_export`` makes
the folder: the model's file, ``model.json`` with its facts, and a ``README.md``. ``open_export``
opens it. Nothing here is imported before a command is known to be right, but ``formats`` and
``request``, which import no torch.
"""
