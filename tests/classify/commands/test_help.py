"""The help of the commands: names of one form."""

import re

import pytest

from classify.cli import COMMANDS, build_parser


@pytest.mark.parametrize("name", COMMANDS)
def test_the_output_of_every_command_has_a_name_of_one_form(name, capsys):
    """A file is F with its suffix, a folder DIR, a run RUN."""
    with pytest.raises(SystemExit):
        build_parser(name).parse_args([name, "--help"])
    found = re.search(r"--out (\S+)", capsys.readouterr().out.split("options:")[1])
    assert found is None or re.fullmatch(r"F\.[a-z]+|F\|DIR|DIR|RUN2?", found[1])
