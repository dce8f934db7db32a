"""The subcommands of `dlcourse`: one file each, with `main(args)`."""
