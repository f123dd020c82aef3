"""`python -m batchsched` is the command `batchsched`, for where scripts are not on the PATH."""

from batchsched.cli import main

if __name__ == "__main__":
    main()
