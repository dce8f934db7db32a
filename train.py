"""Train: ``python train.py model=lenet optim=adam``; ``--help`` lists the choices."""

from dlcourse.cli import main

if __name__ == "__main__":
    main()
