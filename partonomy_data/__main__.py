"""`python -m partonomy_data` is the command `partonomy`."""

from partonomy_data.cli import main

if __name__ == "__main__":
    main()
