"""`shoal completion`: what a shell needs to complete commands and live names."""

from typing import Annotated, Final

import typer

from shoal.cli import completing, printing
from shoal.cli.invocation import Output
from shoal.cli.session import Session
from shoal.contract.problem import InvalidError, Problem
from shoal.contract.reason import Reason

_BASH: Final = """\
_shoal() {
    local IFS=$'\\n'
    COMPREPLY=($(shoal __complete bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null))
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
    return 0
}
complete -F _shoal shoal
"""
_ZSH: Final = """\
#compdef shoal
_shoal() {
    local -a replies folders
    replies=("${(@f)$(shoal __complete zsh "${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
    folders=(${(M)replies:#*/})
    compadd -S '' -a folders
    replies=(${replies:#*/})
    compadd -a replies
}
# Out of fpath this file is the function itself at the first key press; sourced, it defines it.
if [[ $funcstack[1] == _shoal ]]; then
    _shoal
else
    compdef _shoal shoal
fi
"""
_FISH: Final = """\
complete -c shoal -f -a '(shoal __complete fish (commandline -cp | string collect))'
"""
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def command(
    context: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="bash|zsh|fish")],
) -> None:
    r"""Print a script that lets a shell complete commands and the names of live resources.

    \b
    bash: shoal completion bash > ~/.local/share/bash-completion/completions/shoal
    zsh:  shoal completion zsh > ~/.zfunc/_shoal   (a folder of your fpath)
    fish: shoal completion fish > ~/.config/fish/completions/shoal.fish

    Example: shoal completion bash >> ~/.bash_completion
    """
    session: Session = context.obj
    if shell not in _SCRIPTS:
        raise InvalidError(
            Problem(
                reason=Reason.INVALID,
                message=f"there is no completion for {shell!r}",
                hint=f"one of {', '.join(completing.SHELLS)}",
            )
        )
    if session.output in {Output.JSON, Output.YAML}:
        printing.document({"shell": shell, "script": _SCRIPTS[shell]}, session.output)
    else:
        printing.line(_SCRIPTS[shell].rstrip())
