"""The subcommands of `dlcourse`: one file each, `main(words)`."""
